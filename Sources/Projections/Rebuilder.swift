import Events
public import Ledger
import LedgerStore
public import Postgres
import Runtime

/// Builds projections from the journal, replacing what is there. Works beside running projectors: what they bring
/// meanwhile is kept, because the newest version wins.
public struct Rebuilder: Sendable {
    /// What a rebuild did.
    public struct Report: Hashable, Sendable {
        /// Wallets rebuilt.
        public internal(set) var wallets = 0
        /// Journal entries read.
        public internal(set) var entries = 0
        /// What is wrong in the journal itself; a rebuild repeats it faithfully.
        public internal(set) var discrepancies: [JournalWalk.Discrepancy] = []
    }

    /// Entries read and written at once.
    private static let piece = 1000
    /// Wallets read at once.
    private static let page = 500
    /// How many discrepancies are kept.
    private static let discrepanciesMax = 1000

    private let ledger: PostgresConfiguration
    private let projection: PostgresConfiguration
    private let assets: AssetTable

    /// Reads `ledger` and writes `projection`.
    public init(ledger: PostgresConfiguration, projection: PostgresConfiguration, assets: AssetTable) {
        self.ledger = ledger
        self.projection = projection
        self.assets = assets
    }

    /// Rebuilds one wallet and its transfers. Nil when the ledger has no such wallet; then nothing is changed.
    public func rebuild(_ wallet: WalletID) async throws -> Report? {
        try await runOnOwnThread("rebuild") {
            let session = try Session(self)
            guard try session.journal.wallet(wallet) != nil else { return nil }
            var report = Report()
            try session.rebuild(wallet, into: &report)
            return report
        }
    }

    /// Rebuilds all wallets in id order. `progress` is told what was done so far, now and then; returning false ends
    /// the work.
    public func rebuildAll(_ progress: @escaping @Sendable (Report) -> Bool) async throws -> Report {
        try await runOnOwnThread("rebuild") {
            let session = try Session(self)
            var report = Report()
            var cursor: WalletID?
            while true {
                let wallets = try session.journal.wallets(after: cursor, limit: Self.page)
                for stored in wallets { try session.rebuild(stored.wallet.id, into: &report) }
                cursor = wallets.last?.wallet.id
                guard progress(report), wallets.count == Self.page else { return report }
            }
        }
    }

    private struct Session {
        let journal: JournalReader
        let writer: ProjectionWriter

        init(_ rebuilder: Rebuilder) throws {
            let ledger = PostgresConnection(configuration: rebuilder.ledger.keepingToIndexes)
            let projection = PostgresConnection(configuration: rebuilder.projection.keepingToIndexes)
            journal = try JournalReader(connection: ledger, assets: rebuilder.assets)
            writer = try ProjectionWriter(connection: projection)
            try ledger.connect()
            try projection.connect()
        }

        func rebuild(_ id: WalletID, into report: inout Report) throws {
            var wallet: Wallet?
            var walk = JournalWalk(walletID: id)
            var found: [JournalWalk.Discrepancy] = []
            try writer.replace(id) {
                // Read after the old rows are gone: whatever a projector had stored in them is in the journal by now.
                if wallet == nil { wallet = try journal.wallet(id)?.wallet }
                guard let wallet, walk.version < wallet.version else { return [] }
                let records = try journal.records(of: wallet, after: walk.version, limit: Rebuilder.piece)
                for record in records { found += walk.step(record.entry, creation: record.creation) }
                return records.map(\.event)
            }
            report.wallets += 1
            report.entries += Int(walk.version)
            report.discrepancies += found.prefix(Rebuilder.discrepanciesMax - report.discrepancies.count)
        }
    }
}
