import Ledger

/// What a batch has to know of the database before it can be decided.
struct BatchNeeds {
    /// A reversal with an id that its client chose.
    struct NamedReversal {
        let wallet: WalletID
        let original: TransferID
        let id: TransferID
    }

    /// In id order, each once: the order in which rows are locked.
    private(set) var wallets: [WalletID] = []
    // What is named twice is read twice, which does no harm.
    /// Transfers that are acted on.
    private(set) var transfers: [TransferKey] = []
    /// Transfers that must not be there yet. Nor can they be created twice.
    private(set) var newTransfers: [TransferKey] = []
    private(set) var reversals: [NamedReversal] = []
    private(set) var keys: [OperationKey] = []
    private(set) var openings: [WalletID] = []
    private(set) var walletKeys: [UInt128] = []
    private(set) var batches: [UInt128] = []
    /// How many operations the batch has.
    let operationCount: Int
    /// The batch's own transfers between two wallets that have names to be known by.
    private var creations: [(id: TransferID, wallets: (WalletID, WalletID))] = []

    init(_ batch: ArraySlice<PendingWork>) {
        operationCount = batch.reduce(0) { $0 + $1.count }
        wallets.reserveCapacity(operationCount)
        transfers.reserveCapacity(operationCount)
        keys.reserveCapacity(operationCount)
        for work in batch {
            switch work {
            case .operation(let pending):
                add(pending.operation)
            case .group(let group):
                if let identity = group.identity { batches.append(identity.key.digest) }
                for operation in group.operations { add(operation) }
            }
        }
        addOtherSidesOfReversals()
        wallets.sort()
        var kept = 0
        for index in wallets.indices where index == 0 || wallets[index] != wallets[kept - 1] {
            wallets[kept] = wallets[index]
            kept += 1
        }
        wallets.removeSubrange(kept...)
    }

    /// The same needs, but for the wallets and the transfers that are acted on.
    var withoutNamed: BatchNeeds {
        var copy = self
        copy.wallets.removeAll(keepingCapacity: true)
        copy.transfers.removeAll(keepingCapacity: true)
        return copy
    }

    /// Whether all that is needed can go without reading: transfers and keys that are to be new are refused as second
    /// ones when they are written.
    var isEmpty: Bool {
        wallets.isEmpty && transfers.isEmpty && reversals.isEmpty && openings.isEmpty && walletKeys.isEmpty
            && batches.isEmpty
    }

    /// Whether there are transfers to be read.
    var namesTransfers: Bool { !transfers.isEmpty || !newTransfers.isEmpty }

    /// Adds a wallet, which comes after those there are.
    mutating func add(_ wallet: WalletID) { wallets.append(wallet) }

    /// Adds a transfer that is acted on.
    mutating func add(_ transfer: TransferKey) { transfers.append(transfer) }

    /// The database does not know yet which other wallet a reversal of the batch's own transfer will be in.
    private mutating func addOtherSidesOfReversals() {
        guard !reversals.isEmpty, !creations.isEmpty else { return }
        var others: [TransferKey: [WalletID]] = [:]
        for (transfer, (payer, payee)) in creations {
            others[TransferKey(wallet: payer, transfer: transfer), default: []].append(payee)
            others[TransferKey(wallet: payee, transfer: transfer), default: []].append(payer)
        }
        for reversal in reversals {
            for other in others[TransferKey(wallet: reversal.wallet, transfer: reversal.original)] ?? [] {
                newTransfers.append(TransferKey(wallet: other, transfer: reversal.id))
            }
        }
    }

    private mutating func add(_ operation: Operation) {
        let id = operation.walletID
        wallets.append(id)
        if let key = operation.key { keys.append(OperationKey(wallet: id, digest: key.digest)) }
        switch operation.command {
        case .open(let opening):
            if opening.hasClientID { openings.append(id) }
            if let key = operation.key { walletKeys.append(key.digest) }
        case .transfer(let order):
            if let other = order.counterparty { wallets.append(other) }
            // A fresh random id cannot be in use.
            guard order.hasClientID else { return }
            newTransfers.append(TransferKey(wallet: id, transfer: order.id))
            if let other = order.counterparty {
                newTransfers.append(TransferKey(wallet: other, transfer: order.id))
                creations.append((order.id, (id, other)))
            }
        case .complete(let transfer, _), .revert(let transfer, _), .expire(let transfer), .extend(let transfer, _):
            transfers.append(TransferKey(wallet: id, transfer: transfer))
        case .reverse(let order):
            transfers.append(TransferKey(wallet: id, transfer: order.original))
            guard order.hasClientID else { return }
            newTransfers.append(TransferKey(wallet: id, transfer: order.id))
            reversals.append(NamedReversal(wallet: id, original: order.original, id: order.id))
        case .amend:
            break
        }
    }
}
