public import JSON
import Ledger

extension JSONWriter {
    /// Writes one event as a CloudEvents JSON object. Members without a value are left out.
    public mutating func event(_ event: WalletEvent) {
        let wallet = event.wallet
        envelope(of: event, type: event.type.rawValue) { writer in
            if let transfer = event.transfer {
                writer.name("transfer")
                writer.transfer(transfer, scale: wallet.asset.scale)
            }
            if let related = event.related {
                writer.name("related")
                writer.transfer(related, scale: wallet.asset.scale)
            }
            writer.name("wallet")
            writer.wallet(wallet)
        }
    }

    /// Writes what every CloudEvent about an entry has, around the members of `data`. `suffix` tells the id of a second
    /// event about the same entry from the first one's.
    mutating func envelope(
        of event: WalletEvent, type: String, suffix: StaticString = "", _ data: (inout JSONWriter) -> Void
    ) {
        let wallet = event.wallet
        beginObject()
        member("specversion", "1.0")
        name("id")
        string(upTo: 37 + Money.textCapacity(scale: 0) + suffix.utf8CodeUnitCount) { buffer in
            wallet.id.uuid.write(to: buffer)
            buffer[36] = 0x3A
            let rest = UnsafeMutableBufferPointer(rebasing: buffer[37...])
            // A whole number without decimals, as a sum is written.
            let end = 37 + Money.write(Int128(wallet.version), scale: 0, to: rest)
            suffix.withUTF8Buffer { letters in
                _ = UnsafeMutableBufferPointer(rebasing: buffer[end...]).update(fromContentsOf: letters)
            }
            return end + suffix.utf8CodeUnitCount
        }
        member("source", "/wallet")
        member("type", type)
        member("subject", wallet.id.uuid)
        member("time", wallet.updatedAt)
        member("datacontenttype", "application/json")
        if let correlation = event.origin.correlationID { member("correlationid", correlation) }
        if let trace = event.origin.traceParent { member("traceparent", trace) }
        object("data", data)
        endObject()
    }

    private mutating func transfer(_ transfer: Transfer, scale: Int) {
        beginObject()
        member("id", transfer.id.uuid)
        member("direction", transfer.direction.word)
        money("amount", transfer.amount, scale: scale)
        member("status", transfer.status.word)
        if let reason = transfer.reason { member("reason", reason.rawValue) }
        if let settled = transfer.completedAmount { money("completed_amount", settled, scale: scale) }
        if let reference = transfer.referenceID { member("reference_id", reference) }
        if let description = transfer.description { member("description", description) }
        if let note = transfer.note { member("note", note) }
        if let other = transfer.counterparty { member("counterparty_wallet_id", other.uuid) }
        if transfer.purpose != .transfer { member("purpose", transfer.purpose.word) }
        if let original = transfer.reverses { member("reverses", original.uuid) }
        if transfer.reversedAmount != 0 { money("reversed_amount", transfer.reversedAmount, scale: scale) }
        if let actor = transfer.actor { member("actor", actor) }
        if let expiry = transfer.expiresAt { member("expires_at", expiry) }
        if let metadata = transfer.metadata {
            name("metadata")
            raw(metadata)
        }
        member("created_version", transfer.createdVersion)
        member("created_at", transfer.createdAt)
        if let resolved = transfer.resolvedAt { member("resolved_at", resolved) }
        endObject()
    }

    private mutating func wallet(_ wallet: Wallet) {
        let scale = wallet.asset.scale
        beginObject()
        member("id", wallet.id.uuid)
        if let owner = wallet.ownerID { member("owner_id", owner) }
        member("asset", wallet.asset.code)
        member("scale", Int64(scale))
        money("balance", wallet.balance, scale: scale)
        money("pending_debit", wallet.pendingDebit, scale: scale)
        money("pending_credit", wallet.pendingCredit, scale: scale)
        money("available", wallet.available, scale: scale)
        if wallet.overdraftLimit != 0 { money("overdraft_limit", wallet.overdraftLimit, scale: scale) }
        member("version", wallet.version)
        member("status", wallet.status.word)
        if let metadata = wallet.metadata {
            name("metadata")
            raw(metadata)
        }
        member("created_at", wallet.createdAt)
        member("updated_at", wallet.updatedAt)
        endObject()
    }
}
