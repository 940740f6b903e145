public import Ledger
import LedgerStore
public import Postgres

/// A rebuild of all projections that somebody asked for.
public struct RebuildJob: Hashable, Sendable {
    /// How far it has come.
    public enum State: String, Sendable {
        /// No worker has taken it up yet.
        case waiting
        /// A worker is at it, or will go on with it where another one stopped.
        case running
        /// All wallets are rebuilt.
        case done
        /// It was given up; `problem` says why.
        case failed
    }

    /// Its name.
    public let id: RawUUID
    /// Who asked for it.
    public let requestedBy: String
    /// When it was asked for.
    public let requestedAt: Timestamp
    /// When a worker took it up first.
    public let startedAt: Timestamp?
    /// When it was done or given up.
    public let finishedAt: Timestamp?
    /// Whether it was given up.
    public let hasFailed: Bool
    /// The last wallet in id order that belongs to it; nil before it is taken up.
    let lastWallet: WalletID?
    /// Wallets that the ledger had when it was taken up; nil before that.
    public let walletsTotal: Int64?
    /// All wallets up to this one are done.
    var reached: WalletID?
    /// Wallets rebuilt.
    public internal(set) var walletsDone: Int64
    /// Journal entries read.
    public internal(set) var entries: Int64
    /// Wallets removed from projections and totals because the ledger does not know them.
    public internal(set) var strays: Int64
    /// How much is wrong in the journal itself; a rebuild repeats it faithfully.
    public internal(set) var discrepancies: Int64
    /// The first of those, or why it was given up.
    public internal(set) var problem: String?

    /// How far it has come.
    public var state: State {
        if finishedAt != nil { return hasFailed ? .failed : .done }
        return startedAt == nil ? .waiting : .running
    }

    static let columns = """
        id, requested_by, requested_at, started_at, finished_at, has_failed, last_wallet, wallets_total, reached,
        wallets_done, entries, strays, discrepancies, problem
        """

    init(_ result: PostgresResult, _ row: Int) throws {
        id = RawUUID(bits: try result.uuid(row, 0))
        requestedBy = try result.text(row, 1)
        requestedAt = Timestamp(microseconds: try result.timestamp(row, 2))
        startedAt = try result.optionalTimestamp(row, 3).map(Timestamp.init(microseconds:))
        finishedAt = try result.optionalTimestamp(row, 4).map(Timestamp.init(microseconds:))
        hasFailed = try result.bool(row, 5)
        lastWallet = try result.optionalUUID(row, 6).map { WalletID(RawUUID(bits: $0)) }
        walletsTotal = try result.optionalInt64(row, 7)
        reached = try result.optionalUUID(row, 8).map { WalletID(RawUUID(bits: $0)) }
        walletsDone = try result.int64(row, 9)
        entries = try result.int64(row, 10)
        strays = try result.int64(row, 11)
        discrepancies = try result.int64(row, 12)
        problem = try result.optionalText(row, 13)
    }
}

/// Where administrators ask for rebuilds of all projections and see what became of them. `RebuildWorker` does the work.
public struct RebuildJobs: Sendable {
    /// The statements to prepare on the connections of the pool.
    public static let statements: [String: String] = [
        // The index of unfinished jobs lets in one.
        "rebuild_ask": """
        INSERT INTO projection.rebuilds (id, requested_by) VALUES ($1, $2) ON CONFLICT DO NOTHING
        """,
        "rebuild_current": """
        SELECT \(RebuildJob.columns) FROM projection.rebuilds WHERE id = $1 OR finished_at IS NULL
        ORDER BY id <> $1 LIMIT 1
        """,
        "rebuild_list": """
        SELECT \(RebuildJob.columns) FROM projection.rebuilds ORDER BY requested_at DESC LIMIT $1
        """,
    ]

    private let pool: PostgresPool

    /// Works through `pool`, whose connections know `statements`.
    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// Asks for a rebuild. Returns the new job under `id`, or the one that is not finished yet: there is never more
    /// than one.
    public func ask(id: RawUUID, by actor: String) async throws -> RebuildJob {
        // Whoever was in the way may have finished before it was read.
        for _ in 0..<3 {
            let job = try await pool.perform { connection in
                let parameters = PostgresParameters()
                parameters.append(uuid: id.bits)
                parameters.append(text: actor)
                _ = try connection.query("rebuild_ask", parameters)
                parameters.removeAll()
                parameters.append(uuid: id.bits)
                let result = try connection.query("rebuild_current", parameters)
                return result.isEmpty ? nil : try RebuildJob(result, 0)
            }
            if let job { return job }
        }
        throw LedgerStoreError.overloaded(retryAfterSeconds: 1)
    }

    /// The jobs asked for last, the newest first, at most `limit`.
    public func newest(limit: Int) async throws -> [RebuildJob] {
        try await pool.perform { connection in
            let parameters = PostgresParameters()
            parameters.append(int8: Int64(limit))
            let result = try connection.query("rebuild_list", parameters)
            return try (0..<result.rowCount).map { try RebuildJob(result, $0) }
        }
    }
}
