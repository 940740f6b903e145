public import Ledger
import LedgerStore
public import Postgres
import Runtime

/// Builds projections from the journal: corrects what is there, also at the same version, and removes what the journal
/// does not have. Works in short transactions beside running projectors; what they bring meanwhile is kept, because the
/// newest version wins. Readers see the old or the new state of each row.
public struct Rebuilder: Sendable {
    /// What a rebuild did.
    public struct Report: Hashable, Sendable {
        /// Wallets rebuilt.
        public internal(set) var wallets = 0
        /// Journal entries read.
        public internal(set) var entries = 0
        /// Wallets removed from the projections because the ledger does not know them.
        public internal(set) var strays = 0
        /// What is wrong in the journal itself; a rebuild repeats it faithfully.
        public internal(set) var discrepancies: [JournalWalk.Discrepancy] = []
    }

    /// Wallets read at once.
    private static let page = 500

    private let ledger: PostgresConfiguration
    private let projection: PostgresConfiguration
    private let assets: AssetTable

    /// Reads `ledger` and writes `projection`.
    public init(ledger: PostgresConfiguration, projection: PostgresConfiguration, assets: AssetTable) {
        self.ledger = ledger
        self.projection = projection
        self.assets = assets
    }

    /// Rebuilds one wallet and its transfers. A wallet that the ledger does not know is removed from the projections.
    /// Nil when they do not have it either.
    public func rebuild(_ wallet: WalletID) async throws -> Report? {
        try await runOnOwnThread("rebuild") {
            let session = try open()
            var report = Report()
            if let stored = try session.journal.wallet(wallet) {
                try session.rebuild(stored.wallet, into: &report)
            } else {
                try session.removeStray(wallet, into: &report)
            }
            return report == Report() ? nil : report
        }
    }

    /// Rebuilds all wallets in id order, and removes those that the ledger does not know. `progress` is told what was
    /// done so far, now and then; returning false ends the work.
    public func rebuildAll(_ progress: @escaping @Sendable (Report) -> Bool) async throws -> Report {
        try await runOnOwnThread("rebuild") {
            let session = try open()
            var report = Report()
            var cursor: WalletID?
            while true {
                let wallets = try session.journal.wallets(after: cursor, limit: Self.page).map(\.wallet)
                for wallet in wallets { try session.rebuild(wallet, into: &report) }
                let isLast = wallets.count < Self.page
                try session.removeStrays(
                    after: cursor, through: isLast ? nil : wallets.last?.id, known: Set(wallets.map(\.id)), &report)
                cursor = wallets.last?.id
                guard progress(report), !isLast else { return report }
            }
        }
    }

    private func open() throws -> RebuildSession {
        try RebuildSession(ledger: ledger, projection: projection, assets: assets)
    }
}
