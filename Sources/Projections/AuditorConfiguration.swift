import Observability

/// How an auditor works.
public struct AuditorConfiguration: Sendable {
    /// Wallets looked at each second; four new journal entries count as another wallet.
    public var rate = 2000
    /// The same for the sweep after a loss of messages.
    public var fastRate = 20_000
    /// What is younger than this may still be on its way to the projections.
    public var grace: Duration = .seconds(5)
    /// Wallets looked at together.
    public var chunk = 200
    /// A sweep over few wallets takes at least this long.
    public var shortestSweep: Duration = .seconds(1)

    /// The defaults.
    public init() {}
}

/// What an auditor counts.
struct AuditorMetrics: Sendable {
    let wallets: Counter
    let entries: Counter
    let sweeps: Counter
    let sweepSeconds: Gauge
    let driftingWallets: Gauge
    let healedWallets: Counter
    let healedTransfers: Counter
    let reconnects: Counter
    private let drift: [DriftKind: Counter]

    init(_ registry: MetricsRegistry, sweepAge: @escaping @Sendable () -> Double) {
        wallets = registry.counter("wallet_audited_wallets_total", "Wallets audited.")
        entries = registry.counter("wallet_audited_entries_total", "Journal entries audited.")
        sweeps = registry.counter("wallet_audit_sweeps_total", "Complete sweeps over all wallets.")
        sweepSeconds = registry.gauge("wallet_audit_sweep_seconds", "How long the last complete sweep took.")
        driftingWallets = registry.gauge(
            "wallet_drift_wallets", "Wallets whose books disagreed during the last complete sweep.")
        func healed(_ kind: String) -> Counter {
            registry.counter(
                "wallet_projection_healed_total", "Projected rows that were behind or missing and were healed.",
                labels: ["kind": kind])
        }
        healedWallets = healed("wallet")
        healedTransfers = healed("transfer")
        reconnects = registry.counter("wallet_auditor_reconnects_total", "Connections of the auditor made anew.")
        var drift: [DriftKind: Counter] = [:]
        for kind in DriftKind.allCases {
            drift[kind] = registry.counter(
                "wallet_drift_total", "Disagreements found in the books, each counted once while it lasts.",
                labels: ["kind": kind.rawValue])
        }
        self.drift = drift
        registry.gauge(
            "wallet_audit_sweep_age_seconds", "Time since the last complete sweep ended, or since the start.",
            reading: sweepAge)
    }

    func count(_ kind: DriftKind) { drift[kind]?.increment() }
}
