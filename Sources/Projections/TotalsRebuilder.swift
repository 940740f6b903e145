public import Ledger
public import Postgres
import Runtime

/// Counts totals anew from the journal, wallet by wallet, each in one transaction. Runs beside traffic and keepers.
public struct TotalsRebuilder: Sendable {
    /// What a rebuild did.
    public struct Report: Hashable, Sendable {
        /// Wallets counted anew.
        public internal(set) var wallets = 0
        /// Journal entries counted.
        public internal(set) var entries = 0
        /// Wallets whose totals were removed because the ledger does not know them.
        public internal(set) var strays = 0
        /// Gaps in journals, at most 1000; the totals of their wallets stay as they were.
        public internal(set) var discrepancies: [JournalWalk.Discrepancy] = []

        mutating func add(_ progress: TotalsWriter.Progress) {
            entries += progress.entries
            wallets += progress.gaps.isEmpty ? 1 : 0
            if discrepancies.count < TotalsRebuilder.discrepanciesMax { discrepancies += progress.gaps }
        }
    }

    private static let page = 500
    private static let discrepanciesMax = 1000

    private let ledger: PostgresConfiguration
    private let projection: PostgresConfiguration

    /// Reads `ledger` and writes `projection`.
    public init(ledger: PostgresConfiguration, projection: PostgresConfiguration) {
        self.ledger = ledger
        self.projection = projection
    }

    /// Counts one wallet anew; nil when it has no journal.
    public func rebuild(_ wallet: WalletID) async throws -> Report? {
        try await runOnOwnThread("totals-rebuild") {
            let writer = try open()
            defer { writer.close() }
            let progress = try writer.rebuild(wallet)
            guard progress.entries > 0 || !progress.gaps.isEmpty else { return nil }
            var report = Report()
            report.add(progress)
            return report
        }
    }

    /// Counts all wallets anew in id order. `progress` is told what was done so far, now and then; returning false ends
    /// the work.
    public func rebuildAll(_ progress: @escaping @Sendable (Report) -> Bool) async throws -> Report {
        try await runOnOwnThread("totals-rebuild") {
            let writer = try open()
            defer { writer.close() }
            var report = Report()
            var cursor: WalletID?
            while true {
                let wallets = try writer.known(after: cursor, limit: Self.page)
                for wallet in wallets { report.add(try writer.rebuild(wallet)) }
                guard progress(report), wallets.count == Self.page else { break }
                cursor = wallets.last
            }
            report.strays = try writer.removeStrays(after: nil)
            return report
        }
    }

    private func open() throws -> TotalsWriter {
        let writer = try TotalsWriter(ledger: ledger, projection: projection)
        try writer.connect()
        return writer
    }
}
