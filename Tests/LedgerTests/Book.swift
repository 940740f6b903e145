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

    /// What is known about the operation's surroundings, read back from the journal as a store would.
    func situation(of operation: Operation) -> Situation {
        let wallet = wallets[operation.walletID]
        let span = operation.command.transferID.flatMap {
            transfers[TransferName(wallet: operation.walletID, transfer: $0)]
        }
        var priorByID: Prior?
        switch operation.command {
        case .open: priorByID = wallet == nil ? nil : prior(in: operation.walletID, at: 0)
        case .transfer: priorByID = span.flatMap { prior(in: operation.walletID, at: $0.first) }
        case .complete, .revert, .expire: break
        }
        return Situation(
            wallet: wallet, transfer: span.flatMap { receipt(in: operation.walletID, $0) },
            priorByKey: operation.key.flatMap { priorByKey($0, in: operation.walletID) }, priorByID: priorByID)
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
        if let key = entry.key { keys[KeyName(wallet: entry.walletID, digest: key.digest)] = index }
    }

    /// The transfer of a span and the wallet as its newest entry left it.
    func receipt(in id: WalletID, _ span: Span) -> Receipt? {
        guard case .some(.applied(let receipt)) = prior(in: id, at: span.last)?.outcome else {
            // A refused credit's entry is a prior refusal, but its transfer stands in the journal all the same.
            guard let wallet = wallets[id], let entry = journals[id]?[span.last] else { return nil }
            return Receipt(wallet: wallet, transfer: Transfer(creation: entry, last: entry))
        }
        return receipt
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
