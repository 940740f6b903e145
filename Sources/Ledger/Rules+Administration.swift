/// Changes of the wallet itself.
extension Rules {
    /// An amendment is an entry also when it finds everything as it wants it: its key and its actor are recorded.
    func amend(_ amendment: Amendment, of wallet: Wallet) throws(Refusal) -> Posting {
        let limit = try amendment.overdraftLimit?.minorUnits(scale: wallet.asset.scale)
        guard wallet.status != .closed else { throw .walletNotActive(.closed) }
        try checkVersion(wallet)
        var next = wallet
        if let status = amendment.status { next.status = status }
        switch amendment.metadata {
        case .set(let metadata): next.metadata = metadata
        case .remove: next.metadata = nil
        case nil: break
        }
        if next.status == .closed {
            guard wallet.balance == 0, wallet.pendingDebit == 0, wallet.pendingCredit == 0 else {
                throw .walletNotEmpty
            }
        }
        if let limit {
            let used = wallet.pendingCredit - wallet.balance
            guard used <= limit else { throw .overdraftInUse(used: used, asset: wallet.asset) }
            next.overdraftLimit = limit
        }
        let entry = entry(
            .amended, on: .own, amount: 0, leaving: &next, note: amendment.note, metadata: next.metadata)
        return Posting(entry: entry, wallet: next, transfer: nil)
    }
}
