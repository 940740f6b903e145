import Events
import Ledger
import Runtime

/// Decides the work of one batch in order, and gathers what is to be written about it.
struct BatchDeciding {
    /// An answer that is given once the batch is durable.
    enum Ready {
        case operation(PendingOperation, Decision.Verdict)
        case group(PendingGroup, PendingGroup.Outcome)

        func give() {
            switch self {
            case .operation(let pending, let verdict): pending.resume(returning: .success(verdict))
            case .group(let group, let outcome): group.answer.resume(returning: outcome)
            }
        }
    }

    var book: Book
    var writes: BatchWrites
    /// Whether every operation was applied, for the first time.
    private(set) var allApplied = true
    /// Whether an operation was refused because of how things stand.
    private(set) var hasRefusals = false
    private let clock: Clock

    /// An empty book, to be filled before anything is decided.
    init(_ needs: BatchNeeds, events: EventMessages, clock: Clock) {
        book = Book(wallets: needs.wallets.count, operations: needs.operationCount + needs.transfers.count)
        writes = BatchWrites(events: events, operations: needs.operationCount)
        self.clock = clock
    }

    /// The answers, in the batch's order.
    mutating func decide(_ batch: ArraySlice<PendingWork>) -> [Ready] {
        var answers: [Ready] = []
        answers.reserveCapacity(batch.count)
        for work in batch {
            switch work {
            case .operation(let pending):
                answers.append(.operation(pending, decide(pending.operation, origin: pending.origin)))
            case .group(let group):
                answers.append(.group(group, decide(group)))
            }
        }
        return answers
    }

    /// Each operation gets its own moment: a batch may hold many seconds' worth of entries of one wallet.
    private var now: Timestamp { Timestamp(microseconds: clock.wallMicroseconds()) }

    private mutating func decide(_ operation: Operation, origin: EventOrigin) -> Decision.Verdict {
        let now = now
        let before = statusBefore(operation)
        let decision = book.decide(operation, at: now)
        note(decision.verdict)
        writes.add(operation, decision, statusBefore: before, origin: origin, at: now)
        return decision.verdict
    }

    private mutating func note(_ verdict: Decision.Verdict) {
        switch verdict {
        case .applied: break
        case .replayed: allApplied = false
        case .refused: (allApplied, hasRefusals) = (false, true)
        }
    }

    private func statusBefore(_ operation: Operation) -> WalletStatus? {
        guard case .amend = operation.command else { return nil }
        return book.wallets[operation.walletID]?.status
    }

    private mutating func decide(_ group: PendingGroup) -> PendingGroup.Outcome {
        guard let identity = group.identity, let stored = book.batches[identity.key.digest] else {
            return .success(decide(group, isReplay: false))
        }
        guard stored.contentHash == identity.contentHash else { return .success(.keyReused) }
        guard let outcome = stored.outcome else { return .success(decide(group, isReplay: true)) }
        do {
            let (index, refusal) = try StoredGroupRefusals.decode(outcome)
            return .success(.refused(index: index, refusal, isReplay: true))
        } catch {
            // Its own trouble: the rest of the transaction goes on.
            return .failure(LedgerStoreError(reading: error))
        }
    }

    private mutating func decide(_ group: PendingGroup, isReplay: Bool) -> AtomicVerdict {
        book.beginGroup()
        var decided: [(decision: Decision, statusBefore: WalletStatus?, at: Timestamp)] = []
        decided.reserveCapacity(group.operations.count)
        for (index, operation) in group.operations.enumerated() {
            let now = now
            let before = statusBefore(operation)
            let decision = book.decide(operation, at: now)
            note(decision.verdict)
            if let refusal = decision.verdict.refusal {
                book.dropGroup()
                // What was refused before is told as it was then.
                let isNew = if case .refused = decision.verdict { true } else { false }
                return refuse(group, at: index, because: isNew ? present(refusal) : refusal, keeps: !isReplay)
            }
            decided.append((decision, before, now))
        }
        book.keepGroup()
        for (operation, step) in zip(group.operations, decided) {
            writes.add(
                operation, step.decision, statusBefore: step.statusBefore, origin: group.origin, at: step.at)
        }
        if !isReplay, let identity = group.identity { keep(identity, outcome: nil) }
        return .applied(decided.map(\.decision.verdict), isReplay: isReplay)
    }

    /// With `keeps` the refusal is stored under the batch's key, which must not be there yet.
    private mutating func refuse(
        _ group: PendingGroup, at index: Int, because refusal: Refusal, keeps: Bool
    ) -> AtomicVerdict {
        let operation = group.operations[index]
        if keeps, let identity = group.identity,
            let outcome = StoredGroupRefusals.encode(refusal, of: operation, at: index)
        {
            keep(identity, outcome: outcome)
        }
        return .refused(index: index, refusal, isReplay: false)
    }

    /// A refusal, with the transfer as it stands now that the group which resolved it, or found it resolved, is taken
    /// back; without one where the group had made it itself.
    private mutating func present(_ refusal: Refusal) -> Refusal {
        guard case .transferNotPending(let standing) = refusal, let transfer = standing.transfer?.id else {
            return refusal
        }
        let wallet = standing.wallet
        // Had its expiry come, the release was taken back with the group, but it is due all the same.
        let release = Operation(
            walletID: wallet.id, command: .expire(transfer), key: nil, contentHash: nil, expectedVersion: nil)
        if case .applied(let receipt) = decide(release, origin: .none) { return .transferNotPending(receipt) }
        let record = book.transfers[TransferKey(wallet: wallet.id, transfer: transfer)]
        return .transferNotPending(record?.receipt ?? Receipt(wallet: wallet, transfer: nil))
    }

    private mutating func keep(_ identity: BatchIdentity, outcome: String?) {
        writes.add(identity, outcome: outcome)
        book.batches[identity.key.digest] = StoredBatch(contentHash: identity.contentHash, outcome: outcome)
    }
}

extension Decision.Verdict {
    /// Why the operation is not applied; nil when it is, now or before.
    fileprivate var refusal: Refusal? {
        switch self {
        case .applied, .replayed(.applied): nil
        case .refused(let refusal, _), .replayed(.refused(let refusal)): refusal
        }
    }
}
