public import Events
import Ledger
public import Observability
public import Postgres
public import Runtime
import Synchronization

/// How totals are kept.
public struct TotalsConfiguration: Sendable {
    /// The shortest time from one turn to the next: the more entries one takes, the less each costs.
    public var pace: Duration = .seconds(1)
    /// Wallets looked at each second for totals that are behind without anybody having told, in the first sweep after
    /// a start. Little but a worker's crash leaves any behind, so later sweeps are `TotalsSweep.easing` times slower.
    public var sweepRate = 5000
    /// A sweep over few wallets takes at least this long.
    public var shortestSweep: Duration = .seconds(10)
    /// Wallets brought up to date in one transaction.
    public var batch = 500

    /// The defaults.
    public init() {}
}

/// Keeps daily totals and the balances of the outside accounts. Any number may run at once.
///
/// It is told which wallets changed, and it looks for itself, wallet after wallet, for changes that nobody told of:
/// after a crash, or when messages were lost. What counts is the journal alone; how often and in which order a change
/// is told of does not matter.
public final class TotalsKeeper: Service {
    private struct State {
        /// Changed wallets, and since when they wait.
        var waiting: [WalletID: UInt64] = [:]
        /// Wallets that were told of because their journals have gaps.
        var broken: Set<WalletID> = []
    }

    /// The name for logs.
    public let name = "totals"

    /// More changed wallets than this are not remembered: the sweep finds them.
    private static let waitingMax = 250_000
    /// Past this many the memory of wallets with gaps starts anew, and they are told of again.
    private static let brokenMax = 10_000
    private static let sweepPage = 1000

    private let configuration: TotalsConfiguration
    private let ledger: PostgresConfiguration
    private let projection: PostgresConfiguration
    private let clock: Clock
    private let logger: Logger
    private let state: SharedState
    private let entries: Counter
    private let batches: Counter
    private let sweeps: Counter
    private let foundBehind: Counter
    private let gaps: Counter
    private let stopping = StopSignal()

    private final class SharedState: Sendable {
        let value = Mutex(State())
    }

    /// Reads `ledger` and writes `projection`.
    public init(
        configuration: TotalsConfiguration, ledger: PostgresConfiguration, projection: PostgresConfiguration,
        clock: Clock = .system, logger: Logger, metrics registry: MetricsRegistry
    ) {
        self.configuration = configuration
        self.ledger = ledger
        self.projection = projection
        self.clock = clock
        self.logger = logger.with(["component": "totals"])
        let state = SharedState()
        self.state = state
        entries = registry.counter("wallet_totals_entries_total", "Journal entries counted in the totals.")
        batches = registry.counter("wallet_totals_batches_total", "Transactions that brought totals up to date.")
        sweeps = registry.counter("wallet_totals_sweeps_total", "Complete looks for totals that are behind.")
        foundBehind = registry.counter(
            "wallet_totals_found_behind_total", "Wallets whose totals a sweep found to be behind.")
        gaps = registry.counter(
            "wallet_totals_gaps_total",
            "Wallets whose totals stand still because of a gap in the journal, each counted once while it lasts.")
        registry.gauge("wallet_totals_waiting_wallets", "Changed wallets whose totals wait to be brought up to date.") {
            Double(state.value.withLock { $0.waiting.count })
        }
        registry.gauge("wallet_totals_lag_seconds", "For how long the oldest change has waited for the totals.") {
            let oldest = state.value.withLock { $0.waiting.values.min() }
            guard let oldest else { return 0 }
            let now = clock.monotonicNanoseconds()
            return Double(now - min(now, oldest)) / 1e9
        }
    }

    /// Tells of changes. Cheap, and never wrong to call.
    public func noticed(_ events: [WalletEvent]) {
        let now = clock.monotonicNanoseconds()
        state.value.withLock { state in
            for event in events where state.waiting.count < Self.waitingMax {
                if state.waiting[event.wallet.id] == nil { state.waiting[event.wallet.id] = now }
            }
        }
    }

    /// Works until `stop()`.
    public func run() async throws {
        try await runOnOwnThread("totals") { try self.work() }
    }

    /// Asks `run()` to finish.
    public func stop() async { stopping.stop() }

    private func work() throws {
        let writer = try TotalsWriter(ledger: ledger, projection: projection)
        defer { writer.close() }
        var backoff = Backoff(base: .milliseconds(200), maximum: .seconds(10))
        var sweep = TotalsSweep(configuration: configuration, now: clock.monotonicNanoseconds())
        var isFailing = false
        let cadence = Cadence(shortest: configuration.pace, longest: .seconds(10))
        var next = clock.monotonicNanoseconds()
        while !stopping.isStopped {
            do {
                try writer.connect()
                let began = clock.monotonicNanoseconds()
                if began >= next {
                    next = began
                    try drain(writer)
                    let work = Duration.nanoseconds(Int64(clamping: clock.monotonicNanoseconds() - began))
                    next = began + UInt64(clamping: cadence.interval(after: work).wholeNanoseconds)
                }
                if clock.monotonicNanoseconds() >= sweep.due { try look(&sweep, writer) }
                if isFailing { logger.info("totals can be kept again") }
                isFailing = false
                backoff.reset()
                let wake = min(next, sweep.due)
                let later = clock.monotonicNanoseconds()
                if wake > later { stopping.wait(for: .nanoseconds(Int64(clamping: wake - later))) }
            } catch {
                if stopping.isStopped { return }
                writer.abandon()
                if !isFailing { logger.error("totals cannot be kept, trying on", ["error": .describing(error)]) }
                isFailing = true
                stopping.wait(for: backoff.next())
            }
        }
    }

    /// Brings all wallets up to date that were told of.
    private func drain(_ writer: TotalsWriter) throws {
        let waiting = state.value.withLock { state in
            defer { state.waiting.removeAll() }
            return state.waiting
        }
        var rest = waiting.sorted { $0.value < $1.value }[...]
        do {
            while !rest.isEmpty, !stopping.isStopped {
                let part = rest.prefix(configuration.batch)
                try update(part.map(\.key), writer)
                rest = rest.dropFirst(part.count)
            }
        } catch {
            state.value.withLock { state in
                for (wallet, since) in rest { state.waiting[wallet] = min(since, state.waiting[wallet] ?? since) }
            }
            throw error
        }
    }

    /// What has more entries than one transaction takes, or is in other hands, waits for the next turn.
    private func update(_ wallets: [WalletID], _ writer: TotalsWriter) throws {
        let progress = try writer.update(wallets)
        batches.increment()
        entries.increment(by: progress.entries)
        let now = clock.monotonicNanoseconds()
        state.value.withLock { state in
            for wallet in progress.unfinished where state.waiting[wallet] == nil { state.waiting[wallet] = now }
        }
        tell(progress, of: wallets)
    }

    /// Tells of each gap once while it lasts.
    private func tell(_ progress: TotalsWriter.Progress, of wallets: [WalletID]) {
        let found = Set(progress.gaps.map(\.walletID))
        let isNew = state.value.withLock { state in
            if !state.broken.isEmpty {
                state.broken.subtract(Set(wallets).subtracting(progress.unfinished).subtracting(found))
            }
            if state.broken.count >= Self.brokenMax { state.broken.removeAll() }
            let isNew = found.subtracting(state.broken)
            state.broken.formUnion(isNew)
            return isNew
        }
        for gap in progress.gaps where isNew.contains(gap.walletID) {
            gaps.increment()
            logger.error(
                "the totals of a wallet stand still",
                [
                    "wallet_id": .describing(gap.walletID), "version": .int(Int(gap.version)),
                    "problem": .string(gap.problem),
                ])
        }
    }

    private func look(_ sweep: inout TotalsSweep, _ writer: TotalsWriter) throws {
        let page = try writer.behind(after: sweep.cursor, limit: Self.sweepPage)
        // What was just told of is not behind, only waiting.
        let untold = state.value.withLock { state in page.wallets.filter { state.waiting[$0] == nil } }
        foundBehind.increment(by: untold.count)
        for start in stride(from: 0, to: untold.count, by: configuration.batch) {
            try update(Array(untold[start..<min(untold.count, start + configuration.batch)]), writer)
        }
        let isOver = sweep.advance(to: page.last, wallets: Self.sweepPage, now: clock.monotonicNanoseconds())
        if isOver { sweeps.increment() }
    }
}
