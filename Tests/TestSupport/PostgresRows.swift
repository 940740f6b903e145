public import Postgres

extension PostgresServer {
    /// The rows of a statement whose columns are all text (`::text`), over a connection of its own; null is nil.
    /// Blocks.
    ///
    /// - Parameters:
    ///   - statement: the statement.
    ///   - database: the database's name.
    @available(*, noasync)
    public func rows(_ statement: String, database: String = "postgres") throws -> [[String?]] {
        let connection = try connect(database: database)
        defer { connection.close() }
        return try connection.textRows(statement)
    }

    /// Runs statements that return nothing. Blocks.
    ///
    /// - Parameters:
    ///   - statements: the statements.
    ///   - database: the database's name.
    @available(*, noasync)
    public func run(_ statements: String, database: String = "postgres") throws {
        let connection = try connect(database: database)
        defer { connection.close() }
        try connection.execute(statements)
    }

    /// Runs a body while a transaction holds what a statement locked. Blocks.
    ///
    /// - Parameters:
    ///   - statement: what locks.
    ///   - database: the database's name.
    ///   - body: runs with the lock held.
    @available(*, noasync)
    public func holding(_ statement: String, database: String = "postgres", _ body: () -> Void) throws {
        let connection = try connect(database: database)
        defer { connection.close() }
        try connection.execute("BEGIN")
        _ = try connection.query(sql: statement)
        body()
        try connection.execute("COMMIT")
    }
}

extension PostgresConnection {
    /// The rows of a statement whose columns are all text.
    public func textRows(_ statement: String) throws -> [[String?]] {
        let result = try query(sql: statement)
        return try (0..<result.rowCount).map { row in
            try (0..<result.columnCount).map { try result.optionalText(row, $0) }
        }
    }
}
