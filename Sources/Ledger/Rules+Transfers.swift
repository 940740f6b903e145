/// New wallets and new transfers.
extension Rules {
    /// What both sides' first entries of a new transfer have in common.
    struct NewTransfer {
        let id: TransferID
        let amount: Int128
        let expiresAt: Timestamp?
        let purpose: TransferPurpose
        let reverses: TransferID?
        let description: String?
        let metadata: String?
        let note: String?
    }

    func open(_ opening: Opening, over standing: Wallet?) throws(Refusal) -> Posting {
        let balance = try opening.initialBalance?.minorUnits(scale: opening.asset.scale) ?? 0
        guard standing == nil else { throw .walletExists }
        var wallet = Wallet(
            id: operation.walletID, ownerID: opening.ownerID, asset: opening.asset, balance: balance,
            pendingDebit: 0, pendingCredit: 0, overdraftLimit: 0, version: 0, status: .active,
            metadata: opening.metadata, createdAt: time, updatedAt: time)
        let entry = entry(.opened, on: .own, amount: balance, leaving: &wallet, metadata: opening.metadata)
        return Posting(entry: entry, wallet: wallet, transfer: nil)
    }

    func create(_ order: TransferOrder, in wallet: Wallet, _ situation: Situation) throws(Refusal) -> [Posting] {
        let counterparty = order.counterparty == nil ? nil : situation.counterparty
        if order.counterparty != nil {
            guard let counterparty else { throw .counterpartyNotFound }
            guard counterparty.asset == wallet.asset else { throw .assetMismatch }
        }
        let new = try newTransfer(order, in: wallet)
        if order.purpose == .adjustment {
            // An administrator can set a frozen wallet right.
            guard wallet.status != .closed else { throw .walletNotActive(.closed) }
            if let counterparty, counterparty.status == .closed { throw .counterpartyNotActive(.closed) }
        } else {
            try checkActive(wallet, counterparty)
        }
        guard situation.transfer == nil, counterparty == nil || situation.counterpartyTransfer == nil else {
            throw .transferExists
        }
        try checkVersion(wallet)
        let kind: EntryKind = order.settlesAtOnce ? .posted : .pending
        var own = wallet
        try own.book(new.amount, order.direction, settled: order.settlesAtOnce)
        let first = creation(new, kind, order.direction, on: .own, with: order.counterparty, leaving: own)
        guard var other = counterparty else { return [first] }
        try other.book(new.amount, order.direction.opposite, settled: order.settlesAtOnce)
        return [first, creation(new, kind, order.direction.opposite, on: .other, with: wallet.id, leaving: other)]
    }

    /// The failed transfer that records a refused credit of the operation's own wallet; nil for any other command.
    func refusedCredit(in wallet: Wallet) -> Posting? {
        guard case .transfer(let order) = operation.command, order.direction == .credit,
            let new = try? newTransfer(order, in: wallet)
        else { return nil }
        return creation(new, .refused, order.direction, on: .own, with: order.counterparty, leaving: wallet)
    }

    private func newTransfer(_ order: TransferOrder, in wallet: Wallet) throws(Refusal) -> NewTransfer {
        let amount = try order.amount.minorUnits(scale: wallet.asset.scale)
        guard amount > 0 else { throw .amountOutOfRange }
        return NewTransfer(
            id: order.id, amount: amount, expiresAt: try moment(of: order.expiry), purpose: order.purpose,
            reverses: nil, description: order.description, metadata: order.metadata, note: order.note)
    }

    /// The first posting of a transfer on one side; `booked` is the wallet with the money moved already.
    func creation(
        _ new: NewTransfer, _ kind: EntryKind, _ direction: Direction, on side: Side,
        with counterparty: WalletID?, leaving booked: Wallet, reversing original: Transfer? = nil
    ) -> Posting {
        var wallet = booked
        advance(&wallet)
        let entry = Entry(
            walletID: wallet.id, version: wallet.version, kind: kind, transferID: new.id, direction: direction,
            amount: new.amount, balance: wallet.balance, pendingDebit: wallet.pendingDebit,
            pendingCredit: wallet.pendingCredit, overdraftLimit: wallet.overdraftLimit, counterparty: counterparty,
            key: side == .own ? operation.key : nil, contentHash: side == .own ? operation.contentHash : nil,
            note: new.note, description: new.description, metadata: new.metadata, expiresAt: new.expiresAt,
            occurredAt: wallet.updatedAt, status: wallet.status, purpose: new.purpose, related: new.reverses,
            actor: operation.actor)
        return Posting(
            entry: entry, wallet: wallet, transfer: Transfer(creation: entry, last: entry), related: original)
    }
}
