/// Giving back what a completed transfer moved.
extension Rules {
    func reverse(_ order: ReversalOrder, in wallet: Wallet, _ situation: Situation) throws(Refusal) -> [Posting] {
        let asked = try order.amount?.minorUnits(scale: wallet.asset.scale)
        if asked == 0 { throw .amountOutOfRange }
        try checkActive(wallet, situation.counterparty)
        guard let original = situation.transfer?.transfer else { throw .transferNotFound }
        guard !situation.isNewIDTaken, situation.priorByID == nil, order.id != order.original else {
            throw .transferExists
        }
        guard original.status == .completed else { throw .transferNotCompleted(original.status) }
        // Reversals would go round in circles; what an administrator set right only an administrator changes.
        guard original.purpose == .transfer else { throw .transferNotReversible }
        try checkVersion(wallet)
        let left = original.reversibleAmount
        let amount = asked ?? left
        guard amount > 0, amount <= left else {
            throw .amountExceedsReversible(reversible: left, asset: wallet.asset)
        }
        let new = NewTransfer(
            id: order.id, amount: amount, expiresAt: nil, purpose: .reversal, reverses: original.id,
            description: order.description, metadata: order.metadata, note: order.note)
        let first = try reversal(new, of: original, on: .own, in: wallet)
        guard let (counterparty, mirrored) = try otherSide(of: original, in: situation) else { return [first] }
        return [first, try reversal(new, of: mirrored, on: .other, in: counterparty)]
    }

    private func reversal(
        _ new: NewTransfer, of original: Transfer, on side: Side, in wallet: Wallet
    ) throws(Refusal) -> Posting {
        let direction = original.direction.opposite
        var booked = wallet
        try booked.book(new.amount, direction, settled: true)
        var reversed = original
        reversed.reversedAmount += new.amount
        reversed.version = wallet.version + 1
        return creation(
            new, .posted, direction, on: side, with: original.counterparty, leaving: booked, reversing: reversed)
    }
}
