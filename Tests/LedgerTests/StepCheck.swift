import Ledger

/// What must hold after every step, told as the first thing that does not.
enum StepCheck {
    /// Checks the step that led from `before` to `after`; nil when all is well.
    static func violation(
        _ operation: Operation, _ decision: Decision, before: Book, after: Book
    ) -> String? {
        if let flaw = decisionFlaw(operation, decision, before) ?? pairFlaw(operation, decision) { return flaw }
        var money: Int128 = 0
        for (id, wallet) in after.wallets {
            guard let journal = after.journals[id], let old = before.wallets[id] else { return "a wallet from nowhere" }
            let posting = decision.postings.first { $0.wallet.id == id }
            if let flaw = walletFlaw(wallet, journal) ?? postingFlaw(posting, old, wallet, after) {
                return "wallet \(id): \(flaw)"
            }
            money += wallet.balance
        }
        return money + outside(after) == 0 ? nil : "money came from nowhere"
    }

    /// What the accounts that are no wallets have, read off the lines of all entries.
    private static func outside(_ book: Book) -> Int128 {
        var sum: Int128 = 0
        for (id, journal) in book.journals {
            for entry in journal {
                let first = entry.transferID.flatMap { book.transfers[.init(wallet: id, transfer: $0)]?.first }
                for line in entry.lines(creation: first.map { journal[$0] }) {
                    if case .wallet = line.account { continue }
                    sum += line.amount
                }
            }
        }
        return sum
    }

    /// What was decided fits what was answered.
    private static func decisionFlaw(_ operation: Operation, _ decision: Decision, _ before: Book) -> String? {
        switch decision.verdict {
        case .applied(let receipt):
            guard let first = decision.postings.first, first.receipt == receipt, first.entry.key == operation.key,
                first.entry.actor == operation.actor
            else { return "applied, but not by a posting that leaves the receipt" }
        case .replayed:
            guard decision.postings.isEmpty else { return "a repeat changed something" }
        case .refused(let refusal, let recorded):
            if recorded, operation.key == nil { return "recorded without a key" }
            for posting in decision.postings {
                guard let old = before.wallets[posting.wallet.id] else { return "posted to no wallet" }
                let wallet = posting.wallet
                let moved = wallet.balance != old.balance
                switch (posting.entry.kind, refusal) {
                case (.refused, .insufficientFunds):
                    if !recorded || moved || wallet.pendingCredit != old.pendingCredit {
                        return "a refusal moved money"
                    }
                    if wallet.pendingDebit != old.pendingDebit || decision.postings.count > 1 {
                        return "a refusal moved money"
                    }
                case (.expired, .transferNotPending): if moved { return "a release settled money" }
                default: return "a refusal changed the wallet"
                }
                if posting.entry.kind == .expired, posting.entry.key != nil || posting.entry.actor != nil {
                    return "a release that nobody asked for has a key or an actor"
                }
            }
        }
        return nil
    }

    /// The two postings of a transfer between wallets are each other's mirror; all others stand alone.
    private static func pairFlaw(_ operation: Operation, _ decision: Decision) -> String? {
        guard let first = decision.postings.first else { return nil }
        if first.wallet.id != operation.walletID { return "the operation's wallet is not the first" }
        let isPair = first.entry.counterparty != nil && first.entry.kind != .refused
        guard decision.postings.count == (isPair ? 2 : 1) else { return "\(decision.postings.count) postings" }
        guard isPair else { return nil }
        let (left, right) = (first.entry, decision.postings[1].entry)
        if left.counterparty != right.walletID || right.counterparty != left.walletID { return "not each other's" }
        if left.transferID != right.transferID || left.kind != right.kind || left.amount != right.amount {
            return "the wallets tell of different transfers"
        }
        if left.direction == right.direction || left.occurredAt != right.occurredAt { return "no mirror" }
        if right.key != nil || right.contentHash != nil { return "the key is on both sides" }
        let sums = Set([left, right].map { $0.settledAmount.magnitude })
        if left.settledAmount + right.settledAmount != 0 || sums.count != 1 { return "not what the other one gave" }
        let (mine, theirs) = (first.transfer, decision.postings[1].transfer)
        if mine?.status != theirs?.status || mine?.expiresAt != theirs?.expiresAt { return "the sides differ" }
        if mine?.completedAmount != theirs?.completedAmount || mine?.note != theirs?.note { return "the sides differ" }
        let (given, taken) = (first.related, decision.postings[1].related)
        return given?.reversedAmount == taken?.reversedAmount ? nil : "the originals differ"
    }

    /// The wallet is what its journal says.
    private static func walletFlaw(_ wallet: Wallet, _ journal: [Entry]) -> String? {
        if wallet.balance < -wallet.overdraftLimit { return "balance below the overdraft limit" }
        if wallet.available < 0
            || wallet.available != wallet.balance - wallet.pendingCredit + wallet.overdraftLimit
        {
            return "wrong available"
        }
        if wallet.version != journal.count { return "version is not the number of entries" }
        var open: [TransferID: Entry] = [:]
        var given: [TransferID: Int128] = [:]
        var settled: Int128 = 0
        for entry in journal {
            switch entry.kind {
            case .opened: settled += entry.amount
            case .posted: settled += entry.direction == .debit ? entry.amount : -entry.amount
            case .completed: settled += entry.direction == .debit ? entry.amount : -entry.amount
            case .pending, .reverted, .expired, .refused, .extended, .amended: break
            }
            guard let id = entry.transferID else { continue }
            if entry.kind == .posted || entry.kind == .completed { given[id] = entry.amount }
            if let related = entry.related { given[related, default: -1] -= entry.amount }
            if entry.kind != .extended { open[id] = entry.kind == .pending ? entry : nil }
        }
        if given.values.contains(where: { $0 < 0 }) { return "more given back than was settled" }
        let sums = Direction.allCases.map { direction in
            open.values.reduce(Int128(0)) { $0 + ($1.direction == direction ? $1.amount : 0) }
        }
        if wallet.pendingDebit != sums[0] { return "pending debits are not the open ones" }
        if wallet.pendingCredit != sums[1] { return "pending credits are not the open ones" }
        return wallet.balance == settled ? nil : "balance is not what was settled"
    }

    /// A posting is one more version, its entry says what the wallet is, and the store can tell it again.
    private static func postingFlaw(_ posting: Posting?, _ old: Wallet, _ wallet: Wallet, _ after: Book) -> String? {
        guard let posting else { return wallet == old ? nil : "changed without a posting" }
        if wallet.version != old.version + 1 || posting.wallet != wallet { return "not one version for a posting" }
        let entry = posting.entry
        if old.status == .closed { return "changed after it was closed" }
        if entry.version != wallet.version || entry.occurredAt != wallet.updatedAt { return "entry beside its wallet" }
        if [entry.balance, entry.pendingDebit, entry.pendingCredit, entry.overdraftLimit]
            != [wallet.balance, wallet.pendingDebit, wallet.pendingCredit, wallet.overdraftLimit]
        {
            return "the entry's balances are not the wallet's"
        }
        if entry.status != wallet.status { return "the entry's status is not the wallet's" }
        if entry.occurredAt < old.updatedAt { return "time ran backwards" }
        if posting.lines.reduce(0, { $0 + $1.amount }) != 0 { return "the lines do not sum to zero" }
        return walkFlaw(entry, in: after) ?? transferFlaw(posting, old, after)
    }

    private static func walkFlaw(_ entry: Entry, in book: Book) -> String? {
        guard let journal = book.journals[entry.walletID], journal.count > 1 else { return "no journal" }
        var walk = JournalWalk(after: journal[journal.count - 2])
        let first = entry.transferID.flatMap { book.transfers[.init(wallet: entry.walletID, transfer: $0)]?.first }
        return walk.step(entry, creation: first.map { journal[$0] }).first?.problem
    }

    private static func transferFlaw(_ posting: Posting, _ old: Wallet, _ after: Book) -> String? {
        let (entry, wallet) = (posting.entry, posting.wallet)
        guard let transfer = posting.transfer else {
            if entry.kind != .amended || entry.transferID != nil { return "a posting without a transfer" }
            let isUnmoved = wallet.balance == old.balance && wallet.pendingDebit == old.pendingDebit
            return isUnmoved && wallet.pendingCredit == old.pendingCredit ? nil : "an amendment moved money"
        }
        if after.receipt(of: transfer.id, in: wallet.id) != posting.receipt {
            return "the journal tells another receipt"
        }
        if let related = posting.related {
            if after.receipt(of: related.id, in: wallet.id)?.transfer != related {
                return "the journal tells another original"
            }
            if transfer.reverses != related.id || related.reversibleAmount < 0 { return "a reversal of something else" }
        } else if entry.related != nil {
            return "a reversal without its original"
        }
        if transfer.status == .completed, let expiresAt = transfer.expiresAt, entry.kind == .completed,
            entry.occurredAt >= expiresAt
        {
            return "settled after its expiry"
        }
        return nil
    }
}
