public import Ledger
public import Postgres

/// How the outbox stands. Rows are committed batches.
public struct OutboxStatistics: Hashable, Sendable {
    /// Rows that wait to be published; counted up to `countMax`.
    public let pending: Int
    /// Events in those rows.
    public let pendingEvents: Int
    /// For how long the oldest of them has waited, in seconds.
    public let oldestPendingSeconds: Int
    /// The most attempts that one of them has taken.
    public let attemptsMax: Int
    /// Those of them whose last attempt failed.
    public let failing: Int
    /// The error of one of those; nil when there is none.
    public let lastError: String?
    /// Published rows that can still be sent again; counted up to `countMax`.
    public let published: Int

    /// Past this many, rows are no longer counted.
    public static let countMax = 100_000
}

/// What operators do with the outbox.
public struct OutboxAdministration: Sendable {
    /// The statements to prepare on the connections of the pool.
    public static let statements: [String: String] = [
        "outbox_statistics": """
        SELECT count(*), coalesce(sum(event_count), 0)::int8,
            coalesce(extract(epoch FROM now() - min(created_at)), 0)::int8, coalesce(max(attempts), 0),
            count(last_error), max(last_error),
            (SELECT count(*) FROM (
                SELECT FROM ledger.outbox WHERE published_at IS NOT NULL AND event_count > 0 LIMIT $1) p)
        FROM (SELECT * FROM ledger.outbox WHERE published_at IS NULL ORDER BY created_at LIMIT $1) w
        """,
        "outbox_retry": """
        UPDATE ledger.outbox o SET next_attempt_at = now()
        FROM (
            SELECT id FROM ledger.outbox
            WHERE published_at IS NULL AND next_attempt_at > now() AND last_error IS NOT NULL
            ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ) k WHERE o.id = k.id
        """,
        // A piece is a range of ids, so that no part of the table is looked at twice.
        "outbox_resend": """
        WITH piece AS MATERIALIZED (SELECT id FROM ledger.outbox WHERE id > $3 ORDER BY id LIMIT $4),
        wanted AS (
            SELECT o.id FROM piece JOIN ledger.outbox o ON o.id = piece.id
            WHERE o.published_at IS NOT NULL AND o.created_at >= $1 AND o.created_at < $2 AND o.event_count > 0
            ORDER BY o.id FOR UPDATE OF o
        ),
        sent AS (
            UPDATE ledger.outbox o SET published_at = NULL, drive = drive + 1, attempts = 0, next_attempt_at = now()
            FROM wanted WHERE o.id = wanted.id RETURNING o.id
        )
        SELECT (SELECT count(*) FROM sent), count(*), (SELECT id FROM piece ORDER BY id DESC LIMIT 1) FROM piece
        """,
    ]

    /// Rows looked at in one transaction.
    private static let piece = 2000

    private let pool: PostgresPool

    /// Works through `pool`, whose connections know `statements`.
    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// How the outbox stands now.
    public func statistics() async throws -> OutboxStatistics {
        try await pool.perform { connection in
            let parameters = PostgresParameters()
            parameters.append(int8: Int64(OutboxStatistics.countMax))
            let result = try connection.query("outbox_statistics", parameters)
            return OutboxStatistics(
                pending: try result.int(0, 0), pendingEvents: try result.int(0, 1),
                oldestPendingSeconds: try result.int(0, 2), attemptsMax: try result.int(0, 3),
                failing: try result.int(0, 4), lastError: try result.optionalText(0, 5),
                published: try result.int(0, 6))
        }
    }

    /// Has rows whose last attempt failed tried at once instead of after their pause; at most 10,000 of them. Returns
    /// how many.
    public func retry() async throws -> Int {
        try await pool.perform { connection in
            let parameters = PostgresParameters()
            parameters.append(int8: 10_000)
            return try connection.query("outbox_retry", parameters).affectedRows
        }
    }

    /// Has published rows sent again that were committed in [`from`, `to`) and are still in the retention; under new
    /// message ids, so that the stream takes them. Consumers see these events again. Returns how many rows.
    public func resend(from: Timestamp, to: Timestamp) async throws -> Int {
        var total = 0
        var last = RawUUID(bits: 0)
        while true {
            let after = last
            let (sent, seen, end) = try await pool.perform { connection in
                let parameters = PostgresParameters()
                parameters.append(timestamp: from.microseconds)
                parameters.append(timestamp: to.microseconds)
                parameters.append(uuid: after.bits)
                parameters.append(int8: Int64(Self.piece))
                let result = try connection.query("outbox_resend", parameters)
                let end = try result.optionalUUID(0, 2).map { RawUUID(bits: $0) }
                return (try result.int(0, 0), try result.int(0, 1), end)
            }
            total += sent
            guard seen == Self.piece, let end else { return total }
            last = end
        }
    }
}
