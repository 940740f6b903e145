public import Ledger
public import Observability
public import Postgres
public import Runtime
import Synchronization

/// Walks over all wallets for ever and compares journal, state and projections.
///
/// Projections that are behind or lack something are healed from the journal. Everything else that disagrees is drift:
/// logged as an error, counted, and never changed. Several auditors may work at once; they only do the same twice.
public final class Auditor: Service {
    /// The name for logs.
    public let name = "auditor"

    private let configuration: AuditorConfiguration
    private let ledger: PostgresConfiguration
    private let projection: PostgresConfiguration
    private let assets: AssetTable
    private let clock: Clock
    private let logger: Logger
    private let metrics: AuditorMetrics
    private let isSweepWanted = Atomic<Bool>(false)
    private let endOfSweep: EndOfSweep
    private let stopping = StopSignal()

    /// An auditor that reads `ledger` and heals `projection`.
    public init(
        configuration: AuditorConfiguration, ledger: PostgresConfiguration, projection: PostgresConfiguration,
        assets: AssetTable, clock: Clock = .system, logger: Logger, metrics registry: MetricsRegistry
    ) throws {
        self.configuration = configuration
        self.ledger = ledger
        self.projection = projection
        self.assets = assets
        self.clock = clock
        self.logger = logger.with(["component": "auditor"])
        let ended = EndOfSweep(clock.monotonicNanoseconds())
        endOfSweep = ended
        metrics = AuditorMetrics(registry) { Double(clock.monotonicNanoseconds() - ended.at) / 1e9 }
    }

    /// Asks for a sweep over all wallets from the beginning, at the fast rate: messages were lost.
    public func requestFullSweep() { isSweepWanted.store(true, ordering: .relaxed) }

    /// Audits until `stop()`.
    public func run() async throws {
        try await runOnOwnThread("auditor") { try self.work() }
    }

    /// Asks `run()` to finish.
    public func stop() async { stopping.stop() }

    private func work() throws {
        let pass = try AuditPass(
            configuration: configuration, ledger: ledger, projection: projection, assets: assets, clock: clock,
            logger: logger, metrics: metrics)
        defer { pass.close() }
        var pace = Pace(clock: clock)
        var backoff = Backoff(base: .milliseconds(200), maximum: .seconds(10))
        var isFast = false
        var isFailing = false
        pass.beginSweep()
        while !stopping.isStopped {
            if isSweepWanted.exchange(false, ordering: .relaxed) {
                logger.info("full sweep begins")
                isFast = true
                pass.beginSweep()
            }
            do {
                try pass.connect()
                let rate = isFast ? configuration.fastRate : configuration.rate
                let isComplete = try pass.nextChunk { cost in
                    self.stopping.wait(for: pace.pause(after: cost, rate: rate))
                }
                if isFailing { logger.info("auditing works again") }
                isFailing = false
                backoff.reset()
                guard isComplete else { continue }
                let took = try finish(pass, wasFast: isFast)
                isFast = false
                pass.beginSweep()
                // A request that came meanwhile is not made to wait.
                if took < configuration.shortestSweep { rest(for: configuration.shortestSweep - took) }
            } catch {
                if stopping.isStopped { return }
                pass.abandon()
                if !isFailing { logger.error("auditing failed, trying on", ["error": .describing(error)]) }
                isFailing = true
                stopping.wait(for: backoff.next())
            }
        }
    }

    private func rest(for duration: Duration) {
        let end = clock.monotonicNanoseconds() + UInt64(clamping: duration.wholeNanoseconds)
        while clock.monotonicNanoseconds() < end, !stopping.isStopped {
            if isSweepWanted.load(ordering: .relaxed) { return }
            let left = Duration.nanoseconds(Int64(clamping: end - min(end, clock.monotonicNanoseconds())))
            stopping.wait(for: min(left, .milliseconds(100)))
        }
    }

    private func finish(_ pass: AuditPass, wasFast: Bool) throws -> Duration {
        let summary = try pass.endSweep()
        endOfSweep.set(clock.monotonicNanoseconds())
        metrics.sweeps.increment()
        metrics.sweepSeconds.set(Double(summary.took.wholeMilliseconds) / 1000)
        let healed = summary.healedWallets + summary.healedTransfers
        if healed > 0 {
            logger.warning(
                "projections were behind and have been healed",
                [
                    "wallets": .int(summary.healedWallets), "transfers": .int(summary.healedTransfers),
                    "audited": .int(summary.wallets),
                ])
        }
        if wasFast {
            logger.info(
                "full sweep ended", ["wallets": .int(summary.wallets), "took_ms": .milliseconds(summary.took)])
        }
        return summary.took
    }
}

/// When the last sweep ended, in monotonic nanoseconds; read by a gauge.
private final class EndOfSweep: Sendable {
    private let value: Atomic<UInt64>
    init(_ start: UInt64) { value = Atomic(start) }
    var at: UInt64 { value.load(ordering: .relaxed) }
    func set(_ moment: UInt64) { value.store(moment, ordering: .relaxed) }
}
