public import Ledger
public import Postgres

/// An event that could not be used, as it is kept until an operator decides.
public struct StoredDeadLetter: Sendable {
    /// Its number in its table.
    public let id: Int64
    /// When it was put aside.
    public let receivedAt: Timestamp
    /// The stream it was in.
    public let stream: String
    /// Its message's sequence in the stream.
    public let sequence: Int64
    /// Its message's subject.
    public let subject: String
    /// Its place in the message.
    public let index: Int
    /// How often its message had been delivered.
    public let attempts: Int
    /// Why it could not be used.
    public let reason: String
    /// Its bytes.
    public let payload: [UInt8]
}

/// The dead letters of one schema, for operators.
public struct DeadLetterTable: Sendable {
    private let columns: String
    private let table: String

    /// Our own events that the projector could not apply.
    public static let projection = DeadLetterTable(
        table: "projection.dead_letters",
        columns: "id, received_at, stream, stream_sequence, subject, event_index, 1, reason, payload")

    /// Events of users that the provisioner could not use.
    public static let provisioning = DeadLetterTable(
        table: "ledger.dead_letters",
        columns: "id, received_at, stream, stream_sequence, subject, event_index, attempts, reason, payload")

    private init(table: String, columns: String) {
        self.table = table
        self.columns = columns
    }

    /// Lists letters behind a number.
    var listing: String { "SELECT \(columns) FROM \(table) WHERE id > $1 ORDER BY id LIMIT $2" }

    /// The letters behind the number `after`, oldest first, at most `limit`.
    public func letters(
        after: Int64 = 0, limit: Int, on connection: PostgresConnection
    ) throws -> [StoredDeadLetter] {
        let parameters = PostgresParameters()
        parameters.append(int8: after)
        parameters.append(int8: Int64(limit))
        return try Self.letters(of: try connection.query(sql: listing, parameters))
    }

    /// One letter; nil when there is none.
    public func letter(_ id: Int64, on connection: PostgresConnection) throws -> StoredDeadLetter? {
        let parameters = PostgresParameters()
        parameters.append(int8: id)
        let sql = "SELECT \(columns) FROM \(table) WHERE id = $1"
        return try Self.letters(of: try connection.query(sql: sql, parameters)).first
    }

    /// Removes a letter; false when there is none.
    public func remove(_ id: Int64, on connection: PostgresConnection) throws -> Bool {
        let parameters = PostgresParameters()
        parameters.append(int8: id)
        return try connection.query(sql: "DELETE FROM \(table) WHERE id = $1", parameters).affectedRows == 1
    }

    private static func letters(of result: PostgresResult) throws -> [StoredDeadLetter] {
        try (0..<result.rowCount).map { row in
            StoredDeadLetter(
                id: try result.int64(row, 0), receivedAt: Timestamp(microseconds: try result.timestamp(row, 1)),
                stream: try result.text(row, 2), sequence: try result.int64(row, 3), subject: try result.text(row, 4),
                index: try result.int(row, 5), attempts: try result.int(row, 6), reason: try result.text(row, 7),
                payload: try result.bytes(row, 8))
        }
    }
}
