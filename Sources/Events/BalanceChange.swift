import JSON
import Ledger

/// A change of a wallet's settled money, for consumers that want to know of nothing else. What it says stands in the
/// event of the change, too, which comes right before it: projections need it not.
struct BalanceChange {
    /// The CloudEvents `type`.
    static let type = "wallet.balance_changed.v1"

    let event: WalletEvent
    /// By how much, in minor units.
    let amount: Int128

    /// Nil for an event that changed no settled money.
    init?(_ event: WalletEvent) {
        let amount: Int128
        switch event.type {
        case .walletCreated:
            amount = event.wallet.balance
        case .transferCompleted, .transferReversed:
            guard let transfer = event.transfer, let settled = transfer.completedAmount else { return nil }
            amount = transfer.direction == .debit ? settled : -settled
        case .walletFrozen, .walletUnfrozen, .walletClosed, .walletAmended, .transferPending, .transferExtended,
            .transferFailed, .transferExpired:
            return nil
        }
        guard amount != 0 else { return nil }
        self.event = event
        self.amount = amount
    }
}

extension JSONWriter {
    /// Writes the event as a CloudEvents JSON object.
    mutating func event(_ change: BalanceChange) {
        let wallet = change.event.wallet
        let scale = wallet.asset.scale
        beginObject()
        member("specversion", "1.0")
        member("id", "\(wallet.id):\(wallet.version):balance")
        member("source", "/wallet")
        member("type", BalanceChange.type)
        member("subject", wallet.id.uuid)
        member("time", wallet.updatedAt)
        member("datacontenttype", "application/json")
        if let correlation = change.event.origin.correlationID { member("correlationid", correlation) }
        if let trace = change.event.origin.traceParent { member("traceparent", trace) }
        name("data")
        beginObject()
        member("wallet_id", wallet.id.uuid)
        if let owner = wallet.ownerID { member("owner_id", owner) }
        member("asset", wallet.asset.code)
        member("scale", Int64(scale))
        money("amount", change.amount, scale: scale)
        money("balance", wallet.balance, scale: scale)
        money("available", wallet.available, scale: scale)
        member("version", wallet.version)
        if let transfer = change.event.transfer { member("transfer_id", transfer.id.uuid) }
        endObject()
        endObject()
    }
}
