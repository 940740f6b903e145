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

    private(set) var postings: [Posting] = []
    private(set) var openedWallets: [Wallet] = []
    private(set) var changedWallets: [Wallet] = []
    private(set) var createdTransfers: [Transfer] = []
    private(set) var resolvedTransfers: [Transfer] = []
    private(set) var addedExpirations: [Transfer] = []
    private(set) var removedExpirations: [Transfer] = []
    private(set) var refusals: [StoredRefusal] = []
    private(set) var walletKeys: [WalletKey] = []
    private(set) var events: EventMessages

    init(events: EventMessages) {
        self.events = events
    }

    var isEmpty: Bool { postings.isEmpty && refusals.isEmpty }

    /// Takes over what a decision changes.
    mutating func add(_ operation: Operation, _ decision: Decision, origin: EventOrigin, at now: Timestamp) {
        for posting in decision.postings {
            postings.append(posting)
            events.append(WalletEvent(posting, origin: origin))
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

    /// Sums the postings up to one write for each wallet and transfer. `book` is the state after all decisions.
    mutating func settle(_ book: Book) {
        postings.sort { left, right in
            (left.entry.walletID, left.entry.version) < (right.entry.walletID, right.entry.version)
        }
        walletKeys.sort { $0.key.digest < $1.key.digest }
        refusals.sort { left, right in
            (left.operation.walletID.uuid, left.key.digest) < (right.operation.walletID.uuid, right.key.digest)
        }
        var opened: Set<WalletID> = []
        var created: Set<TransferKey> = []
        var lastWallet: WalletID?
        for posting in postings {
            let id = posting.entry.walletID
            if posting.entry.kind == .opened { opened.insert(id) }
            if id != lastWallet, let wallet = book.wallets[id] {
                if opened.contains(id) { openedWallets.append(wallet) } else { changedWallets.append(wallet) }
                lastWallet = id
            }
            guard let transfer = posting.transfer else { continue }
            let key = TransferKey(wallet: id, transfer: transfer.id)
            guard let final = book.transfers[key]?.receipt.transfer else { continue }
            if posting.entry.kind.createsTransfer {
                created.insert(key)
                createdTransfers.append(final)
                if final.status == .pending, final.expiresAt != nil { addedExpirations.append(final) }
            } else if !created.contains(key) {
                resolvedTransfers.append(final)
                if final.expiresAt != nil { removedExpirations.append(final) }
            }
        }
    }

    /// The framed messages for the outbox row.
    mutating func takeFramedEvents() -> [UInt8] { events.takeFramed() }
}
