public import Ledger
import LedgerStore
public import Observability
public import Postgres
public import Runtime

/// How rebuilds that administrators asked for are carried out.
public struct RebuildConfiguration: Sendable {
    /// Wallets rebuilt each second; four journal entries count as another wallet.
    public var rate = 500
    /// Between looks for a job.
    public var poll: Duration = .seconds(1)
    /// Wallets after which progress is written down: what is done again after a crash, at most.
    public var page = 50

    /// The defaults.
    public init() {}
}

/// Rebuilds all projections and totals when an administrator asked for it (`RebuildJobs`). Any number may run: one of
/// them has the job, and when it goes away another one goes on where it stopped.
///
/// The journal, the state and everybody's reads stay as they are: each row is the old or the new one.
public final class RebuildWorker: Service {
    /// The name for logs.
    public let name = "rebuilds"

    /// The worker is stopping; what is not done yet is somebody else's.
    private struct Stopped: Error {}

    private let configuration: RebuildConfiguration
    private let ledger: PostgresConfiguration
    private let projection: PostgresConfiguration
    private let assets: AssetTable
    private let clock: Clock
    private let logger: Logger
    private let wallets: Counter
    private let stopping = StopSignal()

    /// Reads `ledger` and writes `projection`.
    public init(
        configuration: RebuildConfiguration, ledger: PostgresConfiguration, projection: PostgresConfiguration,
        assets: AssetTable, clock: Clock = .system, logger: Logger, metrics registry: MetricsRegistry
    ) {
        self.configuration = configuration
        self.ledger = ledger
        self.projection = projection
        self.assets = assets
        self.clock = clock
        self.logger = logger.with(["component": "rebuilds"])
        wallets = registry.counter(
            "wallet_projection_rebuilt_wallets_total", "Wallets rebuilt in rebuilds of all of them.")
    }

    /// Works until `stop()`.
    public func run() async throws {
        try await runOnOwnThread("rebuilds") { try self.work() }
    }

    /// Asks `run()` to finish.
    public func stop() async { stopping.stop() }

    private func work() throws {
        let table = try RebuildJobTable(
            connection: PostgresConnection(configuration: projection.keepingToIndexes))
        defer { table.connection.close() }
        var backoff = Backoff(base: .milliseconds(200), maximum: .seconds(10))
        var isFailing = false
        while !stopping.isStopped {
            do {
                if !table.connection.isHealthy { try table.connection.connect() }
                if let job = try table.take() {
                    try carryOut(job, table)
                    try table.release()
                }
                if isFailing { logger.info("rebuilding works again") }
                isFailing = false
                backoff.reset()
                stopping.wait(for: configuration.poll)
            } catch {
                // With the session goes the lock: whoever is alive takes the job up.
                table.connection.close()
                guard !(error is Stopped), !stopping.isStopped else { return }
                if !isFailing { logger.warning("rebuilding failed, trying on", ["error": .describing(error)]) }
                isFailing = true
                stopping.wait(for: backoff.next())
            }
        }
    }

    /// Brings the job to its end. Throws when the databases are away or the worker is stopping: then it goes on later.
    private func carryOut(_ job: RebuildJob, _ table: RebuildJobTable) throws {
        logger.info(
            "rebuild of all projections",
            [
                "job": .describing(job.id), "actor": .string(job.requestedBy),
                "wallets_done": .int(Int(job.walletsDone)),
            ])
        var failure: String?
        do {
            guard try rebuildAll(job, table) else { return }
        } catch let error where !(error is Stopped) {
            // What passes by itself is tried again; everything else would be the same the next time.
            guard case .inconsistent(let reason) = LedgerStoreError(reading: error) else { throw error }
            failure = reason
        }
        try table.finish(job, failure: failure)
        if let failure {
            logger.error("rebuild given up", ["job": .describing(job.id), "problem": .string(failure)])
        } else {
            logger.info("rebuild of all projections is done", ["job": .describing(job.id)])
        }
    }

    /// False when somebody else has finished the job.
    private func rebuildAll(_ begun: RebuildJob, _ table: RebuildJobTable) throws -> Bool {
        var pace = Pace(clock: clock)
        let pause: (Int) throws -> Void = { [configuration, stopping] entries in
            let cost = Double(entries) / Double(RebuildSession.entriesPerWallet)
            guard !stopping.wait(for: pace.pause(after: cost, rate: configuration.rate)) else { throw Stopped() }
        }
        let session = try RebuildSession(ledger: ledger, projection: projection, assets: assets, pause: pause)
        defer { session.close() }
        let totals = try TotalsWriter(ledger: ledger, projection: projection)
        defer { totals.close() }
        try totals.connect()
        var job = begun
        if job.lastWallet == nil {
            let count = try WalletCount(connection: session.ledger)
            guard let last = [try count.last(), try table.lastProjected()].compactMap({ $0 }).max() else { return true }
            guard let begun = try table.begin(job, through: last, wallets: try count.count(through: last)) else {
                return false
            }
            job = begun
        }
        // Wallets made later are right by themselves; without an end their stream might never let the job finish.
        while let last = job.lastWallet, job.reached.map({ $0 < last }) ?? true {
            try rebuildPage(&job, through: last, session, totals)
            guard try table.note(job) else { return false }
        }
        return true
    }

    private func rebuildPage(
        _ job: inout RebuildJob, through last: WalletID, _ session: RebuildSession, _ totals: TotalsWriter
    ) throws {
        var report = Rebuilder.Report()
        var gaps: [JournalWalk.Discrepancy] = []
        let found = try session.journal.wallets(after: job.reached, limit: configuration.page).map(\.wallet)
            .filter { $0.id <= last }
        for wallet in found {
            try session.rebuild(wallet, into: &report)
            gaps += try totals.rebuild(wallet.id).gaps
            wallets.increment()
            try session.pause(RebuildSession.entriesPerWallet)
        }
        let end = found.count < configuration.page ? last : found.last?.id ?? last
        try session.removeStrays(after: job.reached, through: end, known: Set(found.map(\.id)), &report)
        let strayTotals = try totals.removeStrays(after: job.reached, through: end)
        job.reached = end
        job.walletsDone += Int64(report.wallets)
        job.entries += Int64(report.entries)
        job.strays += Int64(max(report.strays, strayTotals))
        let discrepancies = report.discrepancies + gaps
        job.discrepancies += Int64(discrepancies.count)
        if job.problem == nil { job.problem = discrepancies.first.map { String("\($0)".prefix(1000)) } }
    }
}
