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
        envelope(of: change.event, type: BalanceChange.type, suffix: ":balance") { writer in
            writer.member("wallet_id", wallet.id.uuid)
            if let owner = wallet.ownerID { writer.member("owner_id", owner) }
            writer.member("asset", wallet.asset.code)
            writer.member("scale", Int64(scale))
            writer.money("amount", change.amount, scale: scale)
            writer.money("balance", wallet.balance, scale: scale)
            writer.money("available", wallet.available, scale: scale)
            writer.member("version", wallet.version)
            if let transfer = change.event.transfer { writer.member("transfer_id", transfer.id.uuid) }
        }
    }
}
