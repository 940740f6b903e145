import Ledger
import Observability

/// Tells each disagreement once while it lasts: a sweep takes seconds, and what a person has to mend takes longer.
struct DriftLog {
    /// Past this many the memory starts anew, and lasting ones are told again.
    private static let memory = 10_000

    private let logger: Logger
    private let metrics: AuditorMetrics
    private var known: Set<Drift> = []
    /// What this sweep has seen so far.
    private(set) var found: Set<Drift> = []
    private var wallets: Set<WalletID> = []

    init(logger: Logger, metrics: AuditorMetrics) {
        self.logger = logger
        self.metrics = metrics
    }

    mutating func add(_ drift: Drift) {
        if found.count < Self.memory {
            found.insert(drift)
            wallets.insert(drift.walletID)
        }
        guard !known.contains(drift) else { return }
        if known.count >= Self.memory { known.removeAll() }
        known.insert(drift)
        metrics.count(drift.kind)
        logger.error(
            "the books disagree",
            [
                "kind": .string(drift.kind.rawValue), "wallet_id": .describing(drift.walletID),
                "version": .int(Int(drift.version)), "problem": .string(drift.problem),
            ])
    }

    /// The end of a sweep over all wallets: what it did not see any more is over.
    mutating func endSweep() {
        metrics.driftingWallets.set(wallets.count)
        known = found
        found.removeAll()
        wallets.removeAll()
    }
}
