import Ledger

/// What must hold after every step of one wallet, told as the first thing that does not.
enum StepCheck {
    /// Checks the step that led from `before` to `after`; nil when all is well.
    static func violation(
        _ operation: Operation, _ decision: Decision, before: Book, after: Book
    ) -> String? {
        guard let wallet = after.wallets[operation.walletID], let old = before.wallets[operation.walletID],
            let journal = after.journals[operation.walletID]
        else { return "the wallet is gone" }
        return decisionFlaw(operation, decision, old) ?? walletFlaw(wallet, journal)
            ?? postingFlaw(decision, old, wallet, after)
    }

    /// What was decided fits what was answered.
    private static func decisionFlaw(_ operation: Operation, _ decision: Decision, _ old: Wallet) -> String? {
        switch decision.verdict {
        case .applied(let receipt):
            guard decision.postings.count == 1, Receipt(decision.postings[0]) == receipt else {
                return "applied, but not by one posting that leaves the receipt"
            }
        case .replayed:
            guard decision.postings.isEmpty else { return "a repeat changed something" }
        case .refused(let refusal, let recorded):
            if recorded, operation.key == nil { return "recorded without a key" }
            for posting in decision.postings {
                let wallet = posting.wallet
                let moved = wallet.balance != old.balance
                switch (posting.entry.kind, refusal) {
                case (.refused, .insufficientFunds):
                    if !recorded || moved || wallet.pendingCredit != old.pendingCredit {
                        return "a refusal moved money"
                    }
                    if wallet.pendingDebit != old.pendingDebit { return "a refusal moved money" }
                case (.expired, .transferNotPending): if moved { return "a release settled money" }
                default: return "a refusal changed the wallet"
                }
            }
            if decision.postings.count > 1 { return "more than one posting for a refusal" }
        }
        return nil
    }

    /// The wallet is what its journal says.
    private static func walletFlaw(_ wallet: Wallet, _ journal: [Entry]) -> String? {
        if wallet.balance < 0 { return "balance below zero" }
        if wallet.available < 0 || wallet.available != wallet.balance - wallet.pendingCredit {
            return "wrong available"
        }
        if wallet.version != journal.count { return "version is not the number of entries" }
        var open: [TransferID: Entry] = [:]
        var settled: Int128 = 0
        for entry in journal {
            switch entry.kind {
            case .opened: settled += entry.amount
            case .posted: settled += entry.direction == .debit ? entry.amount : -entry.amount
            case .completed: settled += entry.direction == .debit ? entry.amount : -entry.amount
            case .pending, .reverted, .expired, .refused: break
            }
            guard let id = entry.transferID else { continue }
            open[id] = entry.kind == .pending ? entry : nil
        }
        let sums = Direction.allCases.map { direction in
            open.values.reduce(Int128(0)) { $0 + ($1.direction == direction ? $1.amount : 0) }
        }
        if wallet.pendingDebit != sums[0] { return "pending debits are not the open ones" }
        if wallet.pendingCredit != sums[1] { return "pending credits are not the open ones" }
        return wallet.balance == settled ? nil : "balance is not what was settled"
    }

    /// Each posting is one more version, its entry says what the wallet is, and the store can tell it again.
    private static func postingFlaw(_ decision: Decision, _ old: Wallet, _ wallet: Wallet, _ after: Book) -> String? {
        if wallet.version != old.version + Int64(decision.postings.count) { return "not one version for each posting" }
        if decision.postings.isEmpty { return wallet == old ? nil : "changed without a posting" }
        guard let posting = decision.postings.last else { return nil }
        let entry = posting.entry
        if entry.version != wallet.version || entry.occurredAt != wallet.updatedAt { return "entry beside its wallet" }
        if [entry.balance, entry.pendingDebit, entry.pendingCredit, entry.overdraftLimit]
            != [wallet.balance, wallet.pendingDebit, wallet.pendingCredit, wallet.overdraftLimit]
        {
            return "the entry's balances are not the wallet's"
        }
        if entry.occurredAt < old.updatedAt { return "time ran backwards" }
        guard let name = entry.transferID.map({ Book.TransferName(wallet: wallet.id, transfer: $0) }),
            let span = after.transfers[name], let transfer = posting.transfer
        else { return "a posting without a transfer" }
        if after.receipt(in: wallet.id, span) != Receipt(posting) { return "the journal tells another receipt" }
        if transfer.status == .completed, let expiresAt = transfer.expiresAt, entry.kind == .completed,
            entry.occurredAt >= expiresAt
        {
            return "settled after its expiry"
        }
        return nil
    }
}
