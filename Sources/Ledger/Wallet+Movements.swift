/// What transfers do to the sums of one wallet. None of these gives the wallet a new version.
extension Wallet {
    /// Books a new transfer, settled or pending.
    /// Throws `insufficientFunds`, or `amountOutOfRange` when a sum would leave the range of money.
    mutating func book(_ amount: Int128, _ direction: Direction, settled: Bool) throws(Refusal) {
        switch direction {
        case .debit:
            // Announced money is counted too, so that a later completion can never overflow.
            guard let announced = Money.sum(pendingDebit, amount), Money.sum(balance, announced) != nil else {
                throw .amountOutOfRange
            }
            if settled { balance += amount } else { pendingDebit = announced }
        case .credit:
            guard amount <= available else {
                throw .insufficientFunds(available: available, amount: amount, asset: asset)
            }
            if settled {
                balance -= amount
            } else {
                // An overdraft lets more be reserved than the wallet holds: the sum can leave the range.
                guard let reserved = Money.sum(pendingCredit, amount) else { throw .amountOutOfRange }
                pendingCredit = reserved
            }
        }
    }

    /// Settles `part` of a pending transfer and releases the rest of it.
    /// Throws `amountOutOfRange` when a sum would leave the range of money.
    mutating func settle(_ part: Int128, of transfer: Transfer) throws(Refusal) {
        release(transfer)
        switch transfer.direction {
        case .debit:
            guard let sum = Money.sum(balance, part) else { throw .amountOutOfRange }
            balance = sum
        case .credit:
            balance -= part
        }
    }

    /// Releases all of a pending transfer.
    mutating func release(_ transfer: Transfer) {
        switch transfer.direction {
        case .debit: pendingDebit -= transfer.amount
        case .credit: pendingCredit -= transfer.amount
        }
    }
}
