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
    /// The newest of its own entries; a reversal is an entry of another transfer.
    var last: Entry
    /// The transfer, and the wallet as `last` left it.
    var receipt: Receipt
    /// Whether this batch created it.
    let isNew: Bool
    /// The expiry under which the database has it among those that run out.
    let storedExpiry: Timestamp?
    /// The version of the newest entry that extended it, if that was decided since the record was read.
    let extendedVersion: Int64?

    /// The record once its batch is committed.
    var asStored: TransferRecord {
        let transfer = receipt.transfer
        return TransferRecord(
            creation: creation, last: last, receipt: receipt, isNew: false,
            storedExpiry: transfer?.status == .pending ? transfer?.expiresAt : nil, extendedVersion: nil)
    }
}

/// What is stored of a batch of operations that came under a key of its own.
struct StoredBatch {
    let contentHash: UInt128
    /// Nil when it was accepted.
    let outcome: String?
}

/// The state that one batch works on: what the database held, and what the batch decided so far.
struct Book {
    /// A change of a group that may have to be taken back.
    private enum Change {
        case wallet(WalletID, Wallet?)
        case transfer(TransferKey, TransferRecord?)
        case key(OperationKey, Prior?)
        case opening(WalletID, Prior?)
        case walletKey(UInt128, Prior?)
    }

    var wallets: [WalletID: Wallet] = [:]
    /// The wallets' rows in the database.
    var rows: [WalletID: StoredRow] = [:]
    var openings: [WalletID: Prior] = [:]
    var transfers: [TransferKey: TransferRecord] = [:]
    var keys: [OperationKey: Prior] = [:]
    /// By the key's digest: texts that Unicode calls equal are still different keys.
    var walletKeys: [UInt128: Prior] = [:]
    /// By the key's digest.
    var batches: [UInt128: StoredBatch] = [:]
    private var changes: [Change]?

    /// Nothing read yet, with room for what a batch brings.
    init(wallets count: Int, operations: Int) {
        wallets.reserveCapacity(count)
        rows.reserveCapacity(count)
        transfers.reserveCapacity(operations)
        keys.reserveCapacity(operations)
    }

    /// Takes over a transfer out of the database.
    mutating func add(_ record: TransferRecord) {
        guard let id = record.creation.transferID else { return }
        transfers[TransferKey(wallet: record.creation.walletID, transfer: id)] = record
    }

    /// From now on all changes can be taken back.
    mutating func beginGroup() { changes = [] }

    /// Keeps the changes since `beginGroup()`.
    mutating func keepGroup() { changes = nil }

    /// Takes back the changes since `beginGroup()`.
    mutating func dropGroup() {
        for change in (changes ?? []).reversed() {
            switch change {
            case .wallet(let id, let before): wallets[id] = before
            case .transfer(let key, let before): transfers[key] = before
            case .key(let key, let before): keys[key] = before
            case .opening(let id, let before): openings[id] = before
            case .walletKey(let digest, let before): walletKeys[digest] = before
            }
        }
        changes = nil
    }

    /// Decides `operation` on the current state and takes its postings over.
    mutating func decide(_ operation: Operation, at now: Timestamp) -> Decision {
        let decision = Ledger.decide(operation, in: situation(of: operation), at: now)
        for posting in decision.postings { apply(posting) }
        remember(operation, decision.verdict)
        return decision
    }

    private func situation(of operation: Operation) -> Situation {
        let own = operation.walletID
        let key = operation.key.map { OperationKey(wallet: own, digest: $0.digest) }
        let priorByKey = key.flatMap { keys[$0] }
        let wallet = wallets[own]
        switch operation.command {
        case .open:
            return Situation(
                wallet: wallet, transfer: nil,
                priorByKey: operation.key.flatMap { walletKeys[$0.digest] } ?? priorByKey, priorByID: openings[own])
        case .amend:
            return Situation(wallet: wallet, transfer: nil, priorByKey: priorByKey, priorByID: nil)
        case .transfer(let order):
            // A fresh random id is in no wallet.
            let record = order.hasClientID ? transfers[TransferKey(wallet: own, transfer: order.id)] : nil
            var mirrored: Receipt?
            if order.hasClientID, let other = order.counterparty {
                mirrored = transfers[TransferKey(wallet: other, transfer: order.id)]?.receipt
            }
            return Situation(
                wallet: wallet, transfer: record?.receipt, priorByKey: priorByKey,
                priorByID: record.flatMap { Self.creation(of: $0, in: wallet) },
                counterparty: order.counterparty.flatMap { wallets[$0] }, counterpartyTransfer: mirrored)
        case .complete(let id, _), .revert(let id, _), .expire(let id), .extend(let id, _):
            let record = transfers[TransferKey(wallet: own, transfer: id)]
            let other = record?.creation.counterparty
            return Situation(
                wallet: wallet, transfer: record?.receipt, priorByKey: priorByKey, priorByID: nil,
                counterparty: other.flatMap { wallets[$0] },
                counterpartyTransfer: other.flatMap { otherSide(of: id, in: $0, as: own) })
        case .reverse(let order):
            return situation(of: order, in: own, wallet, priorByKey)
        }
    }

    private func situation(
        of order: ReversalOrder, in own: WalletID, _ wallet: Wallet?, _ priorByKey: Prior?
    ) -> Situation {
        let record = transfers[TransferKey(wallet: own, transfer: order.original)]
        let other = record?.creation.counterparty
        var taken: TransferRecord?
        var isTakenThere = false
        if order.hasClientID {
            taken = transfers[TransferKey(wallet: own, transfer: order.id)]
            isTakenThere = other.map { transfers[TransferKey(wallet: $0, transfer: order.id)] != nil } ?? false
        }
        return Situation(
            wallet: wallet, transfer: record?.receipt, priorByKey: priorByKey,
            priorByID: taken.flatMap { Self.creation(of: $0, in: wallet) },
            counterparty: other.flatMap { wallets[$0] },
            counterpartyTransfer: other.flatMap { otherSide(of: order.original, in: $0, as: own) },
            isNewIDTaken: taken != nil || isTakenThere)
    }

    /// The transfer as the other wallet has it, unless the id names another transfer there.
    private func otherSide(of transfer: TransferID, in other: WalletID, as own: WalletID) -> Receipt? {
        guard let record = transfers[TransferKey(wallet: other, transfer: transfer)],
            record.creation.counterparty == own
        else { return nil }
        return record.receipt
    }

    private static func creation(of record: TransferRecord, in wallet: Wallet?) -> Prior? {
        wallet.flatMap { Prior(entry: record.creation, creation: record.creation, wallet: $0) }
    }

    private mutating func apply(_ posting: Posting) {
        let id = posting.entry.walletID
        changes?.append(.wallet(id, wallets[id]))
        wallets[id] = posting.wallet
        guard let transfer = posting.entry.transferID else { return }
        let key = TransferKey(wallet: id, transfer: transfer)
        let before = posting.entry.kind.createsTransfer ? nil : transfers[key]
        changes?.append(.transfer(key, before))
        transfers[key] = TransferRecord(
            creation: before?.creation ?? posting.entry, last: posting.entry, receipt: posting.receipt,
            isNew: before?.isNew ?? true, storedExpiry: before?.storedExpiry,
            extendedVersion: posting.entry.kind == .extended ? posting.entry.version : before?.extendedVersion)
        if let related = posting.related { apply(related, in: id) }
    }

    /// A reversal changes how much of its original is left, and nothing else about it.
    private mutating func apply(_ reversed: Transfer, in wallet: WalletID) {
        let key = TransferKey(wallet: wallet, transfer: reversed.id)
        guard var record = transfers[key] else { return }
        changes?.append(.transfer(key, record))
        var original = reversed
        original.version = record.last.version
        record.receipt = Receipt(wallet: record.receipt.wallet, transfer: original)
        transfers[key] = record
    }

    /// Repeats within the batch must find what was decided before them.
    private mutating func remember(_ operation: Operation, _ verdict: Decision.Verdict) {
        let isOpening = if case .open = operation.command { true } else { false }
        guard operation.key != nil || isOpening else { return }
        let outcome: Prior.Outcome
        switch verdict {
        case .applied(let receipt): outcome = .applied(receipt)
        case .refused(let refusal, recorded: true): outcome = .refused(refusal)
        case .refused, .replayed: return
        }
        let prior = Prior(contentHash: operation.contentHash, outcome: outcome)
        if let key = operation.key {
            let name = OperationKey(wallet: operation.walletID, digest: key.digest)
            changes?.append(.key(name, keys[name]))
            keys[name] = prior
        }
        guard isOpening else { return }
        changes?.append(.opening(operation.walletID, openings[operation.walletID]))
        openings[operation.walletID] = prior
        if let key = operation.key {
            changes?.append(.walletKey(key.digest, walletKeys[key.digest]))
            walletKeys[key.digest] = prior
        }
    }
}
