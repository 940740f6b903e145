import Ledger
import LedgerStore
import Postgres

/// Rebuilds wallets over two connections. Belongs to the thread that uses them.
struct RebuildSession {
    /// Entries read and written at once.
    private static let piece = 1000
    /// Entries that cost as much as a wallet.
    static let entriesPerWallet = 4
    /// How many discrepancies are kept.
    private static let discrepanciesMax = 1000

    let journal: JournalReader
    let view: ProjectionView
    let ledger: PostgresConnection
    let projection: PostgresConnection
    private let correction: ProjectionCorrection
    /// Told after each piece of work what it cost, in entries; what it throws ends the work.
    let pause: (Int) throws -> Void

    init(
        ledger: PostgresConfiguration, projection: PostgresConfiguration, assets: AssetTable,
        pause: @escaping (Int) throws -> Void = { _ in }
    ) throws {
        self.ledger = PostgresConnection(configuration: ledger.keepingToIndexes)
        self.projection = PostgresConnection(configuration: projection.keepingToIndexes)
        journal = try JournalReader(connection: self.ledger, assets: assets)
        correction = ProjectionCorrection(writer: try ProjectionWriter(connection: self.projection))
        view = ProjectionView(connection: self.projection, assets: assets)
        self.pause = pause
        try self.ledger.connect()
        try self.projection.connect()
    }

    func close() {
        ledger.close()
        projection.close()
    }

    /// Transfers first, the wallet last: a wallet that is missing counts as missing until all is there.
    func rebuild(_ wallet: Wallet, into report: inout Rebuilder.Report) throws {
        var walk = JournalWalk(walletID: wallet.id)
        var found: [JournalWalk.Discrepancy] = []
        while true {
            let records = try journal.records(of: wallet, after: walk.version, limit: Self.piece)
            for record in records { found += walk.step(record.entry, creation: record.creation) }
            try correction.transfers(of: wallet.id, records.map(\.event))
            try pause(records.count)
            if records.count < Self.piece { break }
        }
        try replaceFalseTransfers(of: wallet.id, by: wallet)
        try correctWallet(wallet)
        report.wallets += 1
        report.entries += Int(walk.version)
        report.discrepancies += found.prefix(Self.discrepanciesMax - report.discrepancies.count)
    }

    /// Looks at each projected transfer, and then whether the journal has its version: whatever a projector stored
    /// is in the journal by then.
    private func replaceFalseTransfers(of id: WalletID, by wallet: Wallet?) throws {
        var cursor: SeenTransfer?
        while true {
            let seen = try view.versions(of: id, after: cursor, limit: Self.piece)
            let lacking = try journal.lacking(seen.map { ($0.id, $0.version) }, of: id)
            if !lacking.isEmpty {
                let right = try wallet.map { try journal.newest(of: lacking, in: $0).map(\.event) } ?? []
                try correction.transfers(of: id, right, replacing: seen.filter { lacking.contains($0.id) })
            }
            guard seen.count == Self.piece else { return }
            cursor = seen.last
        }
    }

    private func correctWallet(_ wallet: Wallet) throws {
        let projected = try view.wallet(wallet.id)?.wallet.version ?? 0
        guard let known = try journal.newestVersion(of: wallet.id),
            let record = try journal.records(of: wallet, after: known - 1, limit: 1).first
        else { return }
        try correction.wallet(record.event, replacing: projected > known ? projected : nil)
    }

    /// Removes the wallets after `first` up to `last` that are projected and that the ledger does not know.
    func removeStrays(
        after first: WalletID?, through last: WalletID?, known: Set<WalletID>, _ report: inout Rebuilder.Report
    ) throws {
        var cursor = first
        while true {
            let projected = try view.wallets(after: cursor, through: last, limit: Self.piece).map(\.wallet.id)
            for id in projected where !known.contains(id) {
                try removeStray(id, into: &report)
                try pause(Self.entriesPerWallet)
            }
            guard projected.count == Self.piece else { return }
            cursor = projected.last
        }
    }

    /// Removes what is projected of a wallet if the ledger does not know it; the wallet last, so that an
    /// interrupted removal is found again.
    func removeStray(_ id: WalletID, into report: inout Rebuilder.Report) throws {
        guard let stray = try view.wallet(id)?.wallet else { return }
        guard try journal.wallet(id) == nil, try journal.newestVersion(of: id) == nil else { return }
        try replaceFalseTransfers(of: id, by: nil)
        try correction.forget(id, at: stray.version)
        report.strays += 1
    }
}
