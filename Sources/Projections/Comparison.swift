import Ledger
import LedgerStore

/// Compares what is stored in several places about one wallet.
enum Comparison {
    /// How the row of a wallet differs from its newest journal row.
    static func state(of stored: StoredWallet) -> [Drift] {
        let wallet = stored.wallet
        func drift(_ problem: String) -> Drift {
            Drift(kind: .state, walletID: wallet.id, version: wallet.version, problem: problem)
        }
        guard let newest = stored.newest else { return [drift("has no journal rows")] }
        guard newest.version == wallet.version else {
            return [drift("is at version \(wallet.version), its journal at \(newest.version)")]
        }
        var problems: [String] = []
        compare("balance", wallet.balance, newest.balance, &problems)
        compare("pending debit", wallet.pendingDebit, newest.pendingDebit, &problems)
        compare("pending credit", wallet.pendingCredit, newest.pendingCredit, &problems)
        compare("overdraft limit", wallet.overdraftLimit, newest.overdraftLimit, &problems)
        if wallet.status != newest.status {
            problems.append("status is \(wallet.status.word), in the journal \(newest.status.word)")
        }
        return problems.map(drift)
    }

    /// How the row of a wallet differs from its pending transfers. A sum is nil when it is beyond all bounds.
    static func open(_ wallet: Wallet, debits: Int128?, credits: Int128?) -> [Drift] {
        var problems: [String] = []
        compareOpen("pending debit", wallet.pendingDebit, debits, &problems)
        compareOpen("pending credit", wallet.pendingCredit, credits, &problems)
        return problems.map { Drift(kind: .state, walletID: wallet.id, version: wallet.version, problem: $0) }
    }

    private static func compare(_ what: String, _ row: Int128, _ journal: Int128, _ problems: inout [String]) {
        if row != journal { problems.append("\(what) is \(row), in the journal \(journal) minor units") }
    }

    private static func compareOpen(_ what: String, _ row: Int128, _ sum: Int128?, _ problems: inout [String]) {
        guard row != sum else { return }
        let text = sum.map { "\($0)" } ?? "more than 10^38"
        problems.append("\(what) is \(row), the open transfers sum up to \(text) minor units")
    }

    /// How a projected wallet differs from the journal row of the same version. `wallet` gives what is not in the row.
    static func projected(_ projected: Wallet, _ entry: Entry, _ wallet: Wallet) -> [Drift] {
        var problems: [String] = []
        func compare(_ what: String, _ here: Int128, _ there: Int128) {
            if here != there { problems.append("\(what) is projected as \(here), in the journal \(there) minor units") }
        }
        compare("balance", projected.balance, entry.balance)
        compare("pending debit", projected.pendingDebit, entry.pendingDebit)
        compare("pending credit", projected.pendingCredit, entry.pendingCredit)
        compare("overdraft limit", projected.overdraftLimit, entry.overdraftLimit)
        if projected.asset != wallet.asset {
            problems.append("asset is projected as \(projected.asset.code), in the ledger \(wallet.asset.code)")
        }
        if projected.ownerID != wallet.ownerID { problems.append("owner is projected differently") }
        if projected.status != entry.status {
            problems.append("status is projected as \(projected.status.word), in the journal \(entry.status.word)")
        }
        return problems.map {
            Drift(kind: .projectionDiffers, walletID: wallet.id, version: entry.version, problem: $0)
        }
    }

    /// How a projected transfer differs from the journal about the same version.
    static func projected(_ projected: ProjectedTransfer, _ transfer: Transfer) -> [Drift] {
        var problems: [String] = []
        if projected.status != transfer.status.rawValue {
            problems.append("status is projected as \(projected.status), in the journal \(transfer.status.rawValue)")
        }
        if projected.amount != transfer.amount {
            problems.append("amount is projected as \(projected.amount), in the journal \(transfer.amount)")
        }
        if projected.completedAmount != transfer.completedAmount {
            problems.append("the completed amount is projected differently")
        }
        return problems.map {
            Drift(
                kind: .projectionDiffers, walletID: transfer.walletID, version: transfer.version,
                problem: "transfer \(transfer.id): \($0)")
        }
    }

    /// How a row of the transfers table differs from the journal rows that it names.
    static func transfer(_ row: StoredTransfer, of wallet: WalletID) -> [Drift] {
        var problems: [String] = []
        if let creation = row.creation, creation.transferID == row.id, creation.kind.createsTransfer {
            if creation.direction?.rawValue != row.direction { problems.append("its direction is not the journal's") }
            if creation.amount != row.amount {
                problems.append("its amount is \(row.amount), in the journal \(creation.amount) minor units")
            }
            let newest = row.resolution ?? creation
            if newest.expiresAt ?? creation.expiresAt != row.expiresAt {
                problems.append("its expiry is not the journal's")
            }
        } else {
            problems.append("the journal does not create it at version \(row.createdVersion)")
        }
        let isPending = row.status == TransferStatus.pending.rawValue
        if isPending {
            if row.creation?.kind != .pending { problems.append("it is pending, but was not created so") }
        } else {
            let last = row.resolution
            if last?.transferID != row.id || last?.kind.transferStanding?.status.rawValue != row.status {
                problems.append("its status is \(row.status), which the journal does not say at its resolution")
            }
        }
        if row.awaitsExpiry != (isPending && row.expiresAt != nil) {
            problems.append(row.awaitsExpiry ? "it waits to be expired without reason" : "nobody will expire it")
        }
        return problems.map {
            Drift(kind: .transfers, walletID: wallet, version: row.createdVersion, problem: "transfer \(row.id): \($0)")
        }
    }
}
