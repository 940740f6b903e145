import Events
import Ledger
public import Observability
public import Postgres
public import Runtime

/// Releases pending transfers whose expiry has come, through the write path like any other operation. Several may work
/// at once: the ledger lets exactly one of them release a transfer.
public final class Expirer: Service {
    /// The name for logs.
    public let name = "expirer"

    /// The statements to prepare on the connections of the pool.
    public static let statements: [String: String] = [
        "due_expirations": """
        SELECT expires_at, wallet_id, transfer_id FROM ledger.expirations
        WHERE expires_at <= $1 AND (expires_at, wallet_id, transfer_id) > ($2, $3, $4)
        ORDER BY expires_at, wallet_id, transfer_id LIMIT $5
        """,
        // A row whose transfer is pending stays, whatever anybody thinks of it.
        "drop_stale_expiration": """
        DELETE FROM ledger.expirations e
        WHERE e.expires_at = $1 AND e.wallet_id = $2 AND e.transfer_id = $3 AND NOT EXISTS (
            SELECT FROM ledger.transfers t
            WHERE t.wallet_id = e.wallet_id AND t.transfer_id = e.transfer_id AND t.status = 1)
        """,
    ]

    private struct Metrics: Sendable {
        let expired: Counter
        let failures: Counter
        let stale: Counter
        let lag: Gauge

        init(_ registry: MetricsRegistry) {
            expired = registry.counter("wallet_expired_transfers_total", "Pending transfers released at their expiry.")
            failures = registry.counter(
                "wallet_expiry_failures_total", "Attempts to release an expired transfer that are repeated later.")
            stale = registry.counter(
                "wallet_expiry_stale_rows_total", "Expirations of transfers that were not pending any more.")
            lag = registry.gauge(
                "wallet_expiry_lag_seconds", "For how long the oldest expired transfer waits for its release.")
        }
    }

    private struct Due: Sendable {
        let expiresAt: Int64
        let wallet: WalletID
        let transfer: TransferID
    }

    private enum Outcome: Sendable {
        case expired
        /// Somebody else was first, or the row is stale.
        case settled
        case failed
    }

    /// Rows read at once.
    private static let page = 256

    private let pool: PostgresPool
    private let writer: LedgerWriter
    private let poll: Duration
    private let concurrency: Int
    private let clock: Clock
    private let logger: Logger
    private let metrics: Metrics
    private let stopping = StopSignal()

    /// An expirer that looks every `poll` through `pool`, whose connections know `statements`, and has at most
    /// `concurrency` operations on their way through `writer`.
    public init(
        pool: PostgresPool, writer: LedgerWriter, poll: Duration, concurrency: Int = 128, clock: Clock = .system,
        logger: Logger, metrics registry: MetricsRegistry
    ) {
        self.pool = pool
        self.writer = writer
        self.poll = poll
        self.concurrency = max(1, concurrency)
        self.clock = clock
        self.logger = logger.with(["component": "expirer"])
        metrics = Metrics(registry)
    }

    /// Works until `stop()`; operations on their way are finished first.
    public func run() async throws {
        var backoff = Backoff(base: .milliseconds(100), maximum: .seconds(5))
        var wasFailing = false
        while !stopping.isStopped {
            do {
                let failed = try await round()
                if failed > 0 {
                    logger.warning("expired transfers are tried again", ["transfers": .int(failed)])
                } else if wasFailing {
                    logger.info("expiry works again")
                }
                wasFailing = failed > 0
            } catch {
                if !wasFailing {
                    logger.error("expired transfers cannot be read, trying on", ["error": .describing(error)])
                }
                wasFailing = true
            }
            if !wasFailing { backoff.reset() }
            await stopping.pause(for: wasFailing ? max(poll, backoff.next()) : poll)
        }
    }

    /// Asks `run()` to finish.
    public func stop() async { stopping.stop() }

    /// Goes once over everything that is due. A row that fails does not stand in the way of those behind it.
    /// Returns how many failed.
    private func round() async throws -> Int {
        var last: Due?
        var failed = 0
        while !stopping.isStopped {
            let now = clock.wallMicroseconds()
            let due = try await read(after: last, at: now)
            if last == nil { metrics.lag.set(due.first.map { Double(now - $0.expiresAt) / 1e6 } ?? 0) }
            let failedHere = await release(due)
            failed += failedHere
            // Everything failing means that the database is away: the pause is the caller's.
            guard due.count == Self.page, failedHere < due.count else { break }
            last = due.last
        }
        metrics.failures.increment(by: failed)
        return failed
    }

    private func read(after last: Due?, at now: Int64) async throws -> [Due] {
        try await pool.withConnection { connection in
            let parameters = PostgresParameters()
            parameters.append(timestamp: now)
            parameters.append(timestamp: last?.expiresAt ?? 0)
            parameters.append(uuid: last?.wallet.uuid.bits ?? 0)
            parameters.append(uuid: last?.transfer.uuid.bits ?? 0)
            parameters.append(int8: Int64(Self.page))
            let result = try connection.query("due_expirations", parameters)
            return try (0..<result.rowCount).map { row in
                Due(
                    expiresAt: try result.timestamp(row, 0), wallet: WalletID(RawUUID(bits: try result.uuid(row, 1))),
                    transfer: TransferID(RawUUID(bits: try result.uuid(row, 2))))
            }
        }
    }

    /// Releases transfers, a bounded number at once; returns how many failed.
    private func release(_ due: [Due]) async -> Int {
        await withTaskGroup(of: Outcome.self) { group in
            var failed = 0
            var running = 0
            func take(_ outcome: Outcome?) {
                running -= 1
                switch outcome {
                case .expired: metrics.expired.increment()
                case .failed: failed += 1
                case .settled, nil: break
                }
            }
            for row in due {
                if running == concurrency { take(await group.next()) }
                group.addTask { await self.release(row) }
                running += 1
            }
            while running > 0 { take(await group.next()) }
            return failed
        }
    }

    private func release(_ due: Due) async -> Outcome {
        let operation = Operation(
            walletID: due.wallet, command: .expire(due.transfer), key: nil, contentHash: nil, expectedVersion: nil)
        do {
            switch try await writer.submit(operation, origin: .none) {
            case .applied:
                return .expired
            case .refused(.transferNotPending(let receipt), _) where receipt.transfer?.status == .pending:
                // Due by this process' clock when it was read, but not yet when it was decided.
                return .settled
            case .refused, .replayed:
                try await dropStale(due)
                return .settled
            }
        } catch {
            logger.debug(
                "a transfer could not be expired",
                ["wallet_id": "\(due.wallet)", "transfer_id": "\(due.transfer)", "error": .describing(error)])
            return .failed
        }
    }

    /// Removes a row that names no pending transfer. After losing to another expirer there is none to remove.
    private func dropStale(_ due: Due) async throws {
        let removed = try await pool.withConnection { connection in
            let parameters = PostgresParameters()
            parameters.append(timestamp: due.expiresAt)
            parameters.append(uuid: due.wallet.uuid.bits)
            parameters.append(uuid: due.transfer.uuid.bits)
            return try connection.query("drop_stale_expiration", parameters).affectedRows
        }
        guard removed > 0 else { return }
        metrics.stale.increment()
        logger.error(
            "an expiration named a transfer that is not pending; removed",
            ["wallet_id": "\(due.wallet)", "transfer_id": "\(due.transfer)"])
    }
}
