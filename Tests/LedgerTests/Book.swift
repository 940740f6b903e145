import Ledger

/// The least a store must do around `decide`: keep the journal, find what an operation is about, append what was
/// decided. Journals only; wallets are the last posting's.
struct Book {
    struct KeyName: Hashable {
        let wallet: WalletID
        let digest: UInt128
    }

    struct TransferName: Hashable {
        let wallet: WalletID
        let transfer: TransferID
    }

    /// The entries of one transfer, first and newest, as indexes into the wallet's journal.
    struct Span {
        let first: Int
        var last: Int
    }

    var wallets: [WalletID: Wallet] = [:]
    var journals: [WalletID: [Entry]] = [:]
    var transfers: [TransferName: Span] = [:]
    var keys: [KeyName: Int] = [:]
    var refusals: [KeyName: Prior] = [:]
    /// What was given back of a transfer, and by which version.
    var reversals: [TransferName: (sum: Int128, version: Int64)] = [:]

    /// What is known about the operation's surroundings, read back from the journals as a store would.
    func situation(of operation: Operation) -> Situation {
        let id = operation.walletID
        let standing = operation.command.transferID.flatMap { receipt(of: $0, in: id) }
        let newID = operation.command.newTransfer?.id
        var other: WalletID?
        var priorByID: Prior?
        switch operation.command {
        case .open:
            priorByID = wallets[id] == nil ? nil : prior(in: id, at: 0)
        case .transfer(let order):
            other = order.counterparty
        case .complete, .revert, .expire, .extend, .reverse, .amend:
            other = standing?.transfer?.counterparty
        }
        if let newID, let span = transfers[TransferName(wallet: id, transfer: newID)] {
            priorByID = prior(in: id, at: span.first)
        }
        let isTaken = [id, other].compactMap { $0 }.contains { wallet in
            newID.map { transfers[TransferName(wallet: wallet, transfer: $0)] != nil } ?? false
        }
        return Situation(
            wallet: wallets[id], transfer: standing,
            priorByKey: operation.key.flatMap { priorByKey($0, in: id) }, priorByID: priorByID,
            counterparty: other.flatMap { wallets[$0] },
            counterpartyTransfer: other.flatMap { other in
                operation.command.transferID.flatMap { receipt(of: $0, in: other) }
            }, isNewIDTaken: isTaken)
    }

    /// Decides the operation, appends its postings and keeps its recorded refusal.
    mutating func submit(_ operation: Operation, at now: Timestamp) -> Decision {
        let decision = decide(operation, in: situation(of: operation), at: now)
        for posting in decision.postings { append(posting) }
        if case .refused(let refusal, recorded: true) = decision.verdict, let key = operation.key {
            let name = KeyName(wallet: operation.walletID, digest: key.digest)
            if keys[name] == nil {
                refusals[name] = Prior(contentHash: operation.contentHash, outcome: .refused(refusal))
            }
        }
        return decision
    }

    private mutating func append(_ posting: Posting) {
        let entry = posting.entry
        let index = journals[entry.walletID]?.count ?? 0
        journals[entry.walletID, default: []].append(entry)
        wallets[entry.walletID] = posting.wallet
        if let id = entry.transferID {
            let name = TransferName(wallet: entry.walletID, transfer: id)
            transfers[name, default: Span(first: index, last: index)].last = index
        }
        if let related = entry.related {
            let name = TransferName(wallet: entry.walletID, transfer: related)
            reversals[name] = (entry.amount + (reversals[name]?.sum ?? 0), entry.version)
        }
        if let key = entry.key { keys[KeyName(wallet: entry.walletID, digest: key.digest)] = index }
    }

    /// A transfer as it stands and its wallet as its newest entry left it.
    func receipt(of transfer: TransferID, in id: WalletID) -> Receipt? {
        let name = TransferName(wallet: id, transfer: transfer)
        guard let span = transfers[name], let wallet = wallets[id], let journal = journals[id],
            var transfer = Transfer(
                creation: journal[span.first], last: journal[span.last], reversedAmount: reversals[name]?.sum ?? 0)
        else { return nil }
        if let reversal = reversals[name] { transfer.version = reversal.version }
        return Receipt(wallet: wallet.asLeft(by: journal[span.last]), transfer: transfer)
    }

    /// The outcome that the entry at `index` recorded.
    func prior(in id: WalletID, at index: Int) -> Prior? {
        guard let wallet = wallets[id], let journal = journals[id] else { return nil }
        let entry = journal[index]
        let first = entry.transferID.flatMap { transfers[TransferName(wallet: id, transfer: $0)]?.first }
        return Prior(entry: entry, creation: first.map { journal[$0] }, wallet: wallet)
    }

    private func priorByKey(_ key: IdempotencyKey, in id: WalletID) -> Prior? {
        let name = KeyName(wallet: id, digest: key.digest)
        return keys[name].flatMap { prior(in: id, at: $0) } ?? refusals[name]
    }
}
