import Events
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

    /// Rebuilds one wallet and its transfers. A wallet that the ledger does not know is removed from the projections.
    /// Nil when they do not have it either.
    public func rebuild(_ wallet: WalletID) async throws -> Report? {
        try await runOnOwnThread("rebuild") {
            let session = try Session(self)
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
            let session = try Session(self)
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

    private struct Session {
        let journal: JournalReader
        let view: ProjectionView
        let correction: ProjectionCorrection

        init(_ rebuilder: Rebuilder) throws {
            let ledger = PostgresConnection(configuration: rebuilder.ledger.keepingToIndexes)
            let projection = PostgresConnection(configuration: rebuilder.projection.keepingToIndexes)
            journal = try JournalReader(connection: ledger, assets: rebuilder.assets)
            correction = ProjectionCorrection(writer: try ProjectionWriter(connection: projection))
            view = ProjectionView(connection: projection, assets: rebuilder.assets)
            try ledger.connect()
            try projection.connect()
        }

        /// Transfers first, the wallet last: a wallet that is missing counts as missing until all is there.
        func rebuild(_ wallet: Wallet, into report: inout Report) throws {
            var walk = JournalWalk(walletID: wallet.id)
            var found: [JournalWalk.Discrepancy] = []
            while true {
                let records = try journal.records(of: wallet, after: walk.version, limit: Rebuilder.piece)
                for record in records { found += walk.step(record.entry, creation: record.creation) }
                try correction.transfers(of: wallet.id, records.map(\.event))
                if records.count < Rebuilder.piece { break }
            }
            try replaceFalseTransfers(of: wallet.id, by: wallet)
            try correctWallet(wallet)
            report.wallets += 1
            report.entries += Int(walk.version)
            report.discrepancies += found.prefix(Rebuilder.discrepanciesMax - report.discrepancies.count)
        }

        /// Looks at each projected transfer, and then whether the journal has its version: whatever a projector stored
        /// is in the journal by then.
        private func replaceFalseTransfers(of id: WalletID, by wallet: Wallet?) throws {
            var cursor: TransferID?
            while true {
                let seen = try view.versions(of: id, after: cursor, limit: Rebuilder.piece)
                let lacking = try journal.lacking(seen.map { ($0.id, $0.version) }, of: id)
                if !lacking.isEmpty {
                    let right = try wallet.map { try journal.newest(of: lacking, in: $0).map(\.event) } ?? []
                    try correction.transfers(of: id, right, replacing: seen.filter { lacking.contains($0.id) })
                }
                guard seen.count == Rebuilder.piece else { return }
                cursor = seen.last?.id
            }
        }

        private func correctWallet(_ wallet: Wallet) throws {
            let projected = try view.wallet(wallet.id)?.wallet.version ?? 0
            guard let known = try journal.newestVersion(of: wallet.id),
                let record = try journal.records(of: wallet, after: known - 1, limit: 1).first
            else { return }
            try correction.wallet(record.event, replacing: projected > known ? projected : nil)
        }

        func removeStrays(
            after first: WalletID?, through last: WalletID?, known: Set<WalletID>, _ report: inout Report
        ) throws {
            var cursor = first
            while true {
                let projected = try view.wallets(after: cursor, through: last, limit: Rebuilder.piece).map(\.wallet.id)
                for id in projected where !known.contains(id) { try removeStray(id, into: &report) }
                guard projected.count == Rebuilder.piece else { return }
                cursor = projected.last
            }
        }

        /// Removes what is projected of a wallet if the ledger does not know it; the wallet last, so that an
        /// interrupted removal is found again.
        func removeStray(_ id: WalletID, into report: inout Report) throws {
            guard let stray = try view.wallet(id)?.wallet else { return }
            guard try journal.wallet(id) == nil, try journal.newestVersion(of: id) == nil else { return }
            try replaceFalseTransfers(of: id, by: nil)
            try correction.forget(id, at: stray.version)
            report.strays += 1
        }
    }
}
