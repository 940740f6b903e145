public import Postgres

extension PostgresServer {
    /// The rows of a statement whose columns are all text (`::text`), over a connection of its own; null is nil. Blocks.
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
}

extension PostgresConnection {
    /// The rows of a statement whose columns are all text.
    public func textRows(_ statement: String) throws -> [[String?]] {
        let result = try query(statement)
        return try (0..<result.rowCount).map { row in
            try (0..<result.columnCount).map { try result.optionalText(row, $0) }
        }
    }
}
