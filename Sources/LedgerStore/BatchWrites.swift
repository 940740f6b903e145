import Digest
import Events
import Ledger

/// Everything one batch writes, in the order of the tables' keys.
struct BatchWrites {
    /// A refusal to store for repeats under its key.
    struct StoredRefusal {
        let operation: Operation
        let key: IdempotencyKey
        let refusal: Refusal
        let occurredAt: Timestamp
    }

    /// A wallet key to store.
    struct WalletKey {
        let key: IdempotencyKey
        let wallet: WalletID
    }

    /// A batch's own key to store, with the refusal of an atomic one.
    struct BatchKey {
        let identity: BatchIdentity
        let outcome: String?
    }

    /// A row of the transfers that run out.
    struct Expiration {
        let expiresAt: Timestamp
        let transfer: TransferKey
    }

    private(set) var postings: [Posting] = []
    /// The hashes of the postings.
    private(set) var chains: [Fingerprint] = []
    /// The places of new wallets' newest postings.
    private(set) var openedWallets: [Int] = []
    /// The places of other wallets' newest postings.
    private(set) var changedWallets: [Int] = []
    /// The versions of the rows of those wallets before this batch.
    private(set) var rowVersions: [UInt32] = []
    private(set) var createdTransfers: [TransferRecord] = []
    private(set) var changedTransfers: [TransferRecord] = []
    private(set) var addedExpirations: [Expiration] = []
    private(set) var removedExpirations: [Expiration] = []
    private(set) var refusals: [StoredRefusal] = []
    private(set) var walletKeys: [WalletKey] = []
    private(set) var batchKeys: [BatchKey] = []
    private(set) var events: EventMessages

    init(events: EventMessages, operations: Int) {
        self.events = events
        postings.reserveCapacity(operations)
    }

    var isEmpty: Bool { postings.isEmpty && refusals.isEmpty && batchKeys.isEmpty }

    /// Takes over what a decision changes. `statusBefore` is the operation's wallet's.
    mutating func add(
        _ operation: Operation, _ decision: Decision, statusBefore: WalletStatus?, origin: EventOrigin,
        at now: Timestamp
    ) {
        for posting in decision.postings {
            postings.append(posting)
            events.append(WalletEvent(posting, statusBefore: statusBefore, origin: origin))
        }
        switch decision.verdict {
        case .applied:
            if case .open = operation.command, let key = operation.key {
                walletKeys.append(WalletKey(key: key, wallet: operation.walletID))
            }
        case .refused(let refusal, recorded: true):
            // A refused credit of its own wallet is in the journal already.
            if let key = operation.key, !decision.postings.contains(where: { $0.entry.key == key }) {
                refusals.append(
                    StoredRefusal(operation: operation, key: key, refusal: refusal, occurredAt: now))
            }
        case .refused, .replayed:
            break
        }
    }

    /// Takes over the key of a batch.
    mutating func add(_ identity: BatchIdentity, outcome: String?) {
        batchKeys.append(BatchKey(identity: identity, outcome: outcome))
    }

    /// Sums the postings up to one write for each wallet and transfer, and chains them. `book` is the state after all
    /// decisions.
    mutating func settle(_ book: Book) {
        postings.sort { left, right in
            let (own, other) = (left.entry.walletID, right.entry.walletID)
            return own == other ? left.entry.version < right.entry.version : own < other
        }
        walletKeys.sort { $0.key.digest < $1.key.digest }
        batchKeys.sort { $0.identity.key.digest < $1.identity.key.digest }
        refusals.sort { left, right in
            (left.operation.walletID.uuid, left.key.digest) < (right.operation.walletID.uuid, right.key.digest)
        }
        reserve()
        var seen: Set<TransferKey> = []
        seen.reserveCapacity(postings.count)
        var isNew = false
        var rowVersion: UInt32 = 0
        for index in postings.indices {
            let posting = postings[index]
            let entry = posting.entry
            let isFirst = index == 0 || postings[index - 1].entry.walletID != entry.walletID
            let isLast = index + 1 == postings.count || postings[index + 1].entry.walletID != entry.walletID
            let row = isFirst ? book.rows[entry.walletID] : nil
            let previous = isFirst ? row?.chain ?? JournalChain.start : chains[index - 1]
            chains.append(JournalChain.hash(of: entry, after: previous))
            if isFirst {
                isNew = entry.kind == .opened
                rowVersion = row?.version ?? 0
            }
            if isLast, isNew { openedWallets.append(index) }
            if isLast, !isNew {
                changedWallets.append(index)
                rowVersions.append(rowVersion)
            }
            if let transfer = entry.transferID { take(transfer, of: entry.walletID, book, &seen) }
            if let related = posting.related { take(related.id, of: entry.walletID, book, &seen) }
        }
    }

    private mutating func reserve() {
        chains.reserveCapacity(postings.count)
        changedWallets.reserveCapacity(postings.count)
        rowVersions.reserveCapacity(postings.count)
        createdTransfers.reserveCapacity(postings.count)
    }

    private mutating func take(
        _ transfer: TransferID, of wallet: WalletID, _ book: Book, _ seen: inout Set<TransferKey>
    ) {
        let key = TransferKey(wallet: wallet, transfer: transfer)
        guard seen.insert(key).inserted, let record = book.transfers[key], let final = record.receipt.transfer else {
            return
        }
        if record.isNew { createdTransfers.append(record) } else { changedTransfers.append(record) }
        let expiry = final.status == .pending ? final.expiresAt : nil
        guard expiry != record.storedExpiry else { return }
        if let gone = record.storedExpiry {
            removedExpirations.append(Expiration(expiresAt: gone, transfer: key))
        }
        if let expiry { addedExpirations.append(Expiration(expiresAt: expiry, transfer: key)) }
    }

    /// The framed messages for the outbox row.
    mutating func takeFramedEvents() -> [UInt8] { events.takeFramed() }
}
