import Events
import JSON
import Ledger

extension JSONWriter {
    /// A member holding a sum as a decimal string with the asset's full scale.
    mutating func money(_ name: StaticString, _ minorUnits: Int128, of asset: Asset) {
        money(name, minorUnits, scale: asset.scale)
    }

    /// A member holding an id, or `null`.
    mutating func member(_ name: StaticString, _ id: RawUUID?) {
        if let id { member(name, id) } else { missing(name) }
    }

    /// A member holding a moment, or `null`.
    mutating func member(_ name: StaticString, _ moment: Timestamp?) {
        if let moment { member(name, moment) } else { missing(name) }
    }

    private mutating func missing(_ name: StaticString) {
        self.name(name)
        null()
    }

    /// A member holding a text that is JSON already, or `null`.
    mutating func member(_ name: StaticString, rawText: String?) {
        self.name(name)
        if let rawText { raw(rawText) } else { null() }
    }

    /// A wallet.
    mutating func wallet(_ wallet: Wallet) {
        beginObject()
        member("id", wallet.id.uuid)
        member("owner_id", wallet.ownerID)
        member("asset", wallet.asset.code)
        sums(of: wallet)
        money("overdraft_limit", wallet.overdraftLimit, of: wallet.asset)
        member("version", wallet.version)
        member("status", wallet.status.word)
        member("metadata", rawText: wallet.metadata)
        member("created_at", wallet.createdAt)
        member("updated_at", wallet.updatedAt)
        endObject()
    }

    /// A transfer with its wallet as the transfer left it; `null` when the receipt holds none.
    mutating func transfer(_ receipt: Receipt) {
        guard let transfer = receipt.transfer else { return null() }
        let asset = receipt.wallet.asset
        beginObject()
        member("id", transfer.id.uuid)
        member("wallet_id", transfer.walletID.uuid)
        member("direction", transfer.direction.word)
        money("amount", transfer.amount, of: asset)
        member("asset", asset.code)
        member("status", transfer.status.word)
        member("reason", transfer.reason?.rawValue)
        if let completed = transfer.completedAmount {
            money("completed_amount", completed, of: asset)
        } else {
            missing("completed_amount")
        }
        member("purpose", transfer.purpose.word)
        member("reverses", transfer.reverses?.uuid)
        money("reversed_amount", transfer.reversedAmount, of: asset)
        member("reference_id", transfer.referenceID)
        member("counterparty_wallet_id", transfer.counterparty?.uuid)
        member("expires_at", transfer.expiresAt)
        member("metadata", rawText: transfer.metadata)
        member("description", transfer.description)
        member("note", transfer.note)
        member("created_at", transfer.createdAt)
        member("resolved_at", transfer.resolvedAt)
        name("wallet")
        beginObject()
        sums(of: receipt.wallet)
        member("version", receipt.wallet.version)
        endObject()
        endObject()
    }

    private mutating func sums(of wallet: Wallet) {
        money("balance", wallet.balance, of: wallet.asset)
        money("pending_debit", wallet.pendingDebit, of: wallet.asset)
        money("pending_credit", wallet.pendingCredit, of: wallet.asset)
        money("available", wallet.available, of: wallet.asset)
    }
}
