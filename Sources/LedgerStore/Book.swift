import Ledger

/// Names a transfer across wallets.
struct TransferKey: Hashable {
    let wallet: WalletID
    let transfer: TransferID
}

/// Names an idempotency key across wallets.
struct OperationKey: Hashable {
    let wallet: WalletID
    let digest: UInt128
}

/// A transfer as the database or an earlier operation of the batch left it.
struct TransferRecord {
    let creation: Entry
    var last: Entry
    var receipt: Receipt
}

/// The state that one batch works on: what the database held, and what the batch decided so far.
struct Book {
    var wallets: [WalletID: Wallet] = [:]
    var openings: [WalletID: Prior] = [:]
    var transfers: [TransferKey: TransferRecord] = [:]
    var keys: [OperationKey: Prior] = [:]
    /// By the key's digest: texts that Unicode calls equal are still different keys.
    var walletKeys: [UInt128: Prior] = [:]

    /// Nothing read yet, with room for what a batch brings.
    init(wallets count: Int, operations: Int) {
        wallets.reserveCapacity(count)
        transfers.reserveCapacity(operations)
        keys.reserveCapacity(operations)
    }

    /// Decides `operation` on the current state and takes its postings over.
    mutating func decide(_ operation: Operation, at now: Timestamp) -> Decision {
        let decision = Ledger.decide(operation, in: situation(of: operation), at: now)
        for posting in decision.postings { apply(posting) }
        remember(operation, decision.verdict)
        return decision
    }

    private func situation(of operation: Operation) -> Situation {
        let key = operation.key.map { OperationKey(wallet: operation.walletID, digest: $0.digest) }
        var priorByKey = key.flatMap { keys[$0] }
        var priorByID: Prior?
        var transfer: Receipt?
        switch operation.command {
        case .open:
            priorByKey = operation.key.flatMap { walletKeys[$0.digest] } ?? priorByKey
            priorByID = openings[operation.walletID]
        case .transfer(let order):
            if order.hasClientID,
                let record = transfers[TransferKey(wallet: operation.walletID, transfer: order.id)]
            {
                transfer = record.receipt
                priorByID = wallets[operation.walletID].flatMap {
                    Prior(entry: record.creation, creation: record.creation, wallet: $0)
                }
            }
        case .complete(let id, _), .revert(let id, _), .expire(let id), .extend(let id, _):
            transfer = transfers[TransferKey(wallet: operation.walletID, transfer: id)]?.receipt
        case .reverse(let order):
            transfer = transfers[TransferKey(wallet: operation.walletID, transfer: order.original)]?.receipt
        case .amend:
            break
        }
        return Situation(
            wallet: wallets[operation.walletID], transfer: transfer, priorByKey: priorByKey, priorByID: priorByID)
    }

    private mutating func apply(_ posting: Posting) {
        wallets[posting.wallet.id] = posting.wallet
        guard let transfer = posting.transfer else { return }
        let key = TransferKey(wallet: posting.wallet.id, transfer: transfer.id)
        let creation = transfers[key]?.creation ?? posting.entry
        transfers[key] = TransferRecord(creation: creation, last: posting.entry, receipt: posting.receipt)
    }

    /// Repeats within the batch must find what was decided before them.
    private mutating func remember(_ operation: Operation, _ verdict: Decision.Verdict) {
        let outcome: Prior.Outcome
        switch verdict {
        case .applied(let receipt): outcome = .applied(receipt)
        case .refused(let refusal, recorded: true): outcome = .refused(refusal)
        case .refused, .replayed: return
        }
        let prior = Prior(contentHash: operation.contentHash, outcome: outcome)
        if let key = operation.key {
            keys[OperationKey(wallet: operation.walletID, digest: key.digest)] = prior
        }
        if case .open = operation.command {
            openings[operation.walletID] = prior
            if let key = operation.key { walletKeys[key.digest] = prior }
        }
    }
}
