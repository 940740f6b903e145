import Ledger
import LedgerStore
import Postgres

/// What a complete audit compares of a wallet besides balances, state and projections: its chain of hashes, the other
/// sides of its transfers, and what reversals gave back. Belongs to the thread of the audit.
final class BookAudit {
    private static let piece = 1000

    private let reader: BookReader
    private let ledger: PostgresConnection
    /// The hash of the entry before the next one.
    private var newest = JournalChain.start
    private var wallet: Wallet?
    /// Settled reversals by the transfer they reverse.
    private var reversed: [TransferID: Int128] = [:]

    init(connection: PostgresConnection, assets: AssetTable) throws {
        ledger = connection
        reader = try BookReader(connection: connection, assets: assets)
    }

    /// Begins with a wallet.
    func begin(_ wallet: Wallet) {
        self.wallet = wallet
        newest = JournalChain.start
        reversed.removeAll()
    }

    /// Goes on by entries in the order of their versions, those after `version`.
    func step(_ records: [JournalRecord], after version: Int64) throws -> [Drift] {
        guard let wallet, !records.isEmpty else { return [] }
        var drifts: [Drift] = []
        let links = try reader.links(of: wallet.id, after: version, limit: records.count)
        for (record, link) in zip(records, links) {
            let expected = JournalChain.hash(of: record.entry, after: newest)
            // A broken link is told once: what follows it is held against what is stored.
            newest = link.hash
            if link.version != record.entry.version || link.hash != expected {
                drifts.append(
                    drift(.chain, record.entry.version, "the chain of hashes is broken: the row is not as it was made"))
            }
        }
        for record in records {
            guard record.entry.kind == .posted, let original = record.entry.related else { continue }
            let sum = (reversed[original] ?? 0).addingReportingOverflow(record.entry.amount)
            reversed[original] = sum.overflow ? .max : sum.partialValue
        }
        return drifts + (try mirrors(records, of: wallet))
    }

    /// The end of a wallet.
    func finish() throws -> [Drift] {
        guard let wallet else { return [] }
        var drifts: [Drift] = []
        if let stored = try reader.newestLink(of: wallet.id), stored != newest {
            drifts.append(drift(.chain, wallet.version, "the wallet's row does not end the chain of hashes"))
        }
        var cursor: TransferID?
        while true {
            let rows = try reader.reversedAmounts(of: wallet.id, after: cursor, limit: Self.piece)
            for row in rows {
                let sum = reversed.removeValue(forKey: row.id) ?? 0
                guard sum != row.amount else { continue }
                drifts.append(
                    drift(
                        .reversals, wallet.version,
                        "transfer \(row.id): \(row.amount) minor units are told to be reversed, "
                            + "its reversals sum up to \(sum)"))
            }
            cursor = rows.last?.id
            if rows.count < Self.piece { break }
        }
        for (original, sum) in reversed.sorted(by: { $0.key < $1.key }) {
            drifts.append(
                drift(
                    .reversals, wallet.version,
                    "reversals of \(sum) minor units name transfer \(original), which the wallet does not have"))
        }
        return drifts
    }

    /// Both wallets of a transfer must tell the same booking with opposite signs, in the same asset.
    private func mirrors(_ records: [JournalRecord], of wallet: Wallet) throws -> [Drift] {
        var shared: [(entry: Entry, other: WalletID, transfer: TransferID)] = []
        for record in records {
            let entry = record.entry
            guard let other = entry.counterparty, let transfer = entry.transferID else { continue }
            switch entry.kind {
            case .pending, .posted, .completed, .reverted, .expired: shared.append((entry, other, transfer))
            // A refused credit is told to the wallet that asked only, and an extension books nothing.
            case .opened, .refused, .extended, .amended: continue
            }
        }
        let found = try reader.mirrors(shared.map { ($0.other, $0.transfer) })
        return zip(shared, found).flatMap { mine, theirs in
            Self.compare(mine.entry, theirs, wallet).map {
                drift(.transactions, mine.entry.version, "transfer \(mine.transfer) with wallet \(mine.other): \($0)")
            }
        }
    }

    private static func compare(_ entry: Entry, _ mirror: MirroredTransfer, _ wallet: Wallet) -> [String] {
        guard let asset = mirror.assetCode else { return ["there is no such wallet"] }
        var problems: [String] = []
        if asset != wallet.asset.code { problems.append("its asset is \(asset), here it is \(wallet.asset.code)") }
        guard let other = entry.kind.createsTransfer ? mirror.creation : mirror.resolution else {
            return problems + ["it has no entry \"\(entry.kind.word)\" of it"]
        }
        if other.kind != entry.kind {
            problems.append("its entry is \"\(other.kind.word)\", here it is \"\(entry.kind.word)\"")
        }
        if other.counterparty != entry.walletID { problems.append("its entry names another wallet") }
        if other.direction != entry.direction?.opposite { problems.append("both move the same way") }
        if other.purpose != entry.purpose { problems.append("its entry has another purpose") }
        let (sum, isTooLarge) = entry.settledAmount.addingReportingOverflow(other.settledAmount)
        if isTooLarge || sum != 0 || other.amount != entry.amount {
            problems.append(
                "the entries do not sum up to zero: \(entry.settledAmount) here, \(other.settledAmount) there")
        }
        return problems
    }

    private func drift(_ kind: DriftKind, _ version: Int64, _ problem: String) -> Drift {
        Drift(kind: kind, walletID: wallet?.id ?? WalletID(RawUUID(bits: 0)), version: version, problem: problem)
    }
}
