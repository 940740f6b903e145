/// What becomes of pending transfers.
extension Rules {
    func complete(
        _ asked: DecimalAmount?, in wallet: Wallet, _ situation: Situation
    ) throws(Refusal) -> [Posting] {
        let sum = try asked?.minorUnits(scale: wallet.asset.scale)
        if sum == 0 { throw .amountOutOfRange }
        try checkActive(wallet, situation.counterparty)
        let transfer = try pendingTransfer(situation.transfer)
        try checkVersion(wallet)
        let settled = sum ?? transfer.amount
        guard settled <= transfer.amount else {
            throw .amountExceedsPending(pending: transfer.amount, asset: wallet.asset)
        }
        var own = wallet
        try own.settle(settled, of: transfer)
        let first = resolution(.completed, of: transfer, on: .own, amount: settled, leaving: own)
        guard let (counterparty, mirrored) = try otherSide(of: transfer, in: situation) else { return [first] }
        var other = counterparty
        try other.settle(settled, of: mirrored)
        return [first, resolution(.completed, of: mirrored, on: .other, amount: settled, leaving: other)]
    }

    func revert(_ note: String?, in wallet: Wallet, _ situation: Situation) throws(Refusal) -> [Posting] {
        try checkActive(wallet, situation.counterparty)
        let transfer = try pendingTransfer(situation.transfer)
        try checkVersion(wallet)
        return try release(transfer, as: .reverted, note: note, in: wallet, situation)
    }

    /// Expiry runs whatever the state of the wallets.
    func expire(in situation: Situation) throws(Refusal) -> [Posting] {
        guard let standing = situation.transfer else { throw .transferNotFound }
        guard let postings = releaseOfExpired(standing, in: situation) else { throw .transferNotPending(standing) }
        return postings
    }

    /// The expiry of a transfer that is pending past its time; nil for any other.
    func releaseOfExpired(_ standing: Receipt, in situation: Situation) -> [Posting]? {
        guard let wallet = situation.wallet, let transfer = standing.transfer, transfer.status == .pending,
            isExpired(transfer)
        else { return nil }
        // The release carries no key: it is nobody's operation, and the key's answer is the refusal.
        return try? unasked(.expire(transfer.id)).release(transfer, as: .expired, note: nil, in: wallet, situation)
    }

    func extend(
        to expiry: TransferOrder.Expiry, in wallet: Wallet, _ situation: Situation
    ) throws(Refusal) -> [Posting] {
        let asked = try moment(of: expiry)
        try checkActive(wallet, situation.counterparty)
        let transfer = try pendingTransfer(situation.transfer)
        try checkVersion(wallet)
        // A hold without an expiry never ends: any moment would be earlier.
        guard let asked, let present = transfer.expiresAt, asked > present else { throw .expiryNotLater }
        let first = prolongation(of: transfer, to: asked, on: .own, in: wallet)
        guard let (counterparty, mirrored) = try otherSide(of: transfer, in: situation) else { return [first] }
        return [first, prolongation(of: mirrored, to: asked, on: .other, in: counterparty)]
    }

    private func prolongation(
        of transfer: Transfer, to expiresAt: Timestamp, on side: Side, in wallet: Wallet
    ) -> Posting {
        var next = wallet
        var extended = transfer
        extended.expiresAt = expiresAt
        let entry = entry(.extended, on: side, amount: transfer.amount, of: extended, leaving: &next)
        extended.version = next.version
        return Posting(entry: entry, wallet: next, transfer: extended)
    }

    /// Releases a pending transfer's money.
    private func release(
        _ transfer: Transfer, as kind: EntryKind, note: String?, in wallet: Wallet, _ situation: Situation
    ) throws(Refusal) -> [Posting] {
        var own = wallet
        own.release(transfer)
        let first = resolution(kind, of: transfer, on: .own, amount: transfer.amount, note: note, leaving: own)
        guard let (counterparty, mirrored) = try otherSide(of: transfer, in: situation) else { return [first] }
        var other = counterparty
        other.release(mirrored)
        return [
            first, resolution(kind, of: mirrored, on: .other, amount: mirrored.amount, note: note, leaving: other),
        ]
    }

    /// The last posting of a transfer on one side; `booked` is the wallet with the money moved already.
    private func resolution(
        _ kind: EntryKind, of transfer: Transfer, on side: Side, amount: Int128, note: String? = nil,
        leaving booked: Wallet
    ) -> Posting {
        var wallet = booked
        var resolved = transfer
        let entry = entry(kind, on: side, amount: amount, of: transfer, leaving: &wallet, note: note)
        let standing = kind.transferStanding
        resolved.status = standing?.status ?? .failed
        resolved.reason = standing?.reason
        resolved.completedAmount = kind == .completed ? amount : nil
        if let note { resolved.note = note }
        resolved.version = wallet.version
        resolved.resolvedAt = wallet.updatedAt
        return Posting(entry: entry, wallet: wallet, transfer: resolved)
    }

    private func pendingTransfer(_ standing: Receipt?) throws(Refusal) -> Transfer {
        guard let standing, let transfer = standing.transfer else { throw .transferNotFound }
        guard transfer.status == .pending, !isExpired(transfer) else { throw .transferNotPending(standing) }
        return transfer
    }

    /// Measured by the moment the entry would get, so that nothing is ever settled at or after its expiry.
    private func isExpired(_ transfer: Transfer) -> Bool {
        guard let expiresAt = transfer.expiresAt else { return false }
        return expiresAt <= time
    }
}
