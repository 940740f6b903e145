import Ledger
import LedgerStore
import Postgres

/// How a worker takes up jobs and writes down how far they have come. Belongs to the thread that uses the connection.
struct RebuildJobTable {
    let connection: PostgresConnection
    private let parameters = PostgresParameters()

    init(connection: PostgresConnection) throws {
        self.connection = connection
        let statements = [
            "rebuild_unfinished": """
            SELECT \(RebuildJob.columns) FROM projection.rebuilds WHERE finished_at IS NULL
            """,
            // Held by the session: when the process dies, its job is free at once.
            "rebuild_lock": "SELECT pg_try_advisory_lock(hashtextextended('wallet projections rebuild', 0))",
            "rebuild_unlock": "SELECT pg_advisory_unlock(hashtextextended('wallet projections rebuild', 0))",
            "rebuild_last_projected": """
            SELECT greatest(
                (SELECT id FROM projection.wallets ORDER BY id DESC LIMIT 1),
                (SELECT wallet_id FROM projection.totals_wallets ORDER BY wallet_id DESC LIMIT 1))
            """,
            "rebuild_begin": """
            UPDATE projection.rebuilds SET started_at = now(), last_wallet = $2, wallets_total = $3
            WHERE id = $1 AND finished_at IS NULL RETURNING \(RebuildJob.columns)
            """,
            "rebuild_progress": """
            UPDATE projection.rebuilds SET reached = $2, wallets_done = $3, entries = $4, strays = $5,
                discrepancies = $6, problem = $7
            WHERE id = $1 AND finished_at IS NULL
            """,
            "rebuild_finish": """
            UPDATE projection.rebuilds SET started_at = coalesce(started_at, now()), finished_at = now(),
                wallets_total = coalesce(wallets_total, 0), has_failed = $2, problem = coalesce($3, problem)
            WHERE id = $1 AND finished_at IS NULL
            """,
        ]
        for (name, sql) in statements.sorted(by: { $0.key < $1.key }) { try connection.prepare(name, sql) }
    }

    /// The job that is not finished, which is this session's alone until `release()`; nil when there is none or
    /// another session has it.
    func take() throws -> RebuildJob? {
        guard try unfinished() != nil, try connection.query("rebuild_lock").bool(0, 0) else { return nil }
        // Another one may have finished it before the lock was free.
        if let job = try unfinished() { return job }
        try release()
        return nil
    }

    func release() throws { _ = try connection.query("rebuild_unlock") }

    private func unfinished() throws -> RebuildJob? {
        let result = try connection.query("rebuild_unfinished")
        return result.isEmpty ? nil : try RebuildJob(result, 0)
    }

    /// The last wallet in id order of projections and totals.
    func lastProjected() throws -> WalletID? {
        try connection.query("rebuild_last_projected").optionalUUID(0, 0).map { WalletID(RawUUID(bits: $0)) }
    }

    /// Notes that the job begins and how far it is to go.
    func begin(_ job: RebuildJob, through last: WalletID, wallets: Int64) throws -> RebuildJob? {
        parameters.removeAll()
        parameters.append(uuid: job.id.bits)
        parameters.append(uuid: last.uuid.bits)
        parameters.append(int8: wallets)
        let result = try connection.query("rebuild_begin", parameters)
        return result.isEmpty ? nil : try RebuildJob(result, 0)
    }

    /// Writes down how far the job has come. False when it is not unfinished any more.
    func note(_ job: RebuildJob) throws -> Bool {
        parameters.removeAll()
        parameters.append(uuid: job.id.bits)
        parameters.append(uuid: job.reached?.uuid.bits)
        for count in [job.walletsDone, job.entries, job.strays, job.discrepancies] { parameters.append(int8: count) }
        parameters.append(text: job.problem)
        return try connection.query("rebuild_progress", parameters).affectedRows == 1
    }

    /// The end; with a reason when the job is given up.
    func finish(_ job: RebuildJob, failure: String?) throws {
        parameters.removeAll()
        parameters.append(uuid: job.id.bits)
        parameters.append(bool: failure != nil)
        // A reason may quote what it could not read.
        parameters.append(text: failure.map { String($0.filter { $0 != "\0" }.prefix(1000)) })
        _ = try connection.query("rebuild_finish", parameters)
    }
}

/// Counts the ledger's wallets in short statements. Belongs to the thread that uses the connection.
struct WalletCount {
    private static let piece: Int64 = 50_000

    let connection: PostgresConnection
    private let parameters = PostgresParameters()

    init(connection: PostgresConnection) throws {
        self.connection = connection
        try connection.prepare(
            "rebuild_count",
            """
            WITH piece AS MATERIALIZED (
                SELECT id FROM ledger.wallets WHERE id >= $1 AND id <= $2 ORDER BY id LIMIT $3
            )
            SELECT count(*), (SELECT id FROM piece ORDER BY id DESC LIMIT 1) FROM piece
            """)
        try connection.prepare("rebuild_last_known", "SELECT id FROM ledger.wallets ORDER BY id DESC LIMIT 1")
    }

    /// The last wallet in id order; nil when there is none.
    func last() throws -> WalletID? {
        let result = try connection.query("rebuild_last_known")
        return result.isEmpty ? nil : WalletID(RawUUID(bits: try result.uuid(0, 0)))
    }

    /// How many wallets there are up to `last`.
    func count(through last: WalletID) throws -> Int64 {
        var count: Int64 = 0
        var end: RawUUID?
        while let start = RawUUID.following(end) {
            parameters.removeAll()
            parameters.append(uuid: start.bits)
            parameters.append(uuid: last.uuid.bits)
            parameters.append(int8: Self.piece)
            let result = try connection.query("rebuild_count", parameters)
            count += try result.int64(0, 0)
            guard try result.int64(0, 0) == Self.piece else { break }
            end = try result.optionalUUID(0, 1).map { RawUUID(bits: $0) }
        }
        return count
    }
}
