/// What is known about an operation's surroundings when it is decided.
public struct Situation: Sendable {
    /// The wallet as it stands; nil when there is none.
    public let wallet: Wallet?
    /// The transfer the command names as it stands, and the wallet as its newest entry left it; nil when there is none.
    public let transfer: Receipt?
    /// The operation recorded under the same idempotency key.
    public let priorByKey: Prior?
    /// The operation that created the wallet or transfer with the id that this one wants to create.
    public let priorByID: Prior?

    /// A situation out of its parts.
    public init(wallet: Wallet?, transfer: Receipt?, priorByKey: Prior?, priorByID: Prior?) {
        self.wallet = wallet
        self.transfer = transfer
        self.priorByKey = priorByKey
        self.priorByID = priorByID
    }
}

/// What is to be done about an operation.
public struct Decision: Sendable {
    /// The answer to give.
    public enum Verdict: Hashable, Sendable {
        /// Applied; the last posting holds the outcome.
        case applied(Receipt)
        /// Not applied. `recorded` is true when a repeat under its key must get the same answer.
        case refused(Refusal, recorded: Bool)
        /// A repeat of an applied or refused operation.
        case replayed(Prior.Outcome)
    }

    /// What to append to the journal: the change, or what must be recorded about a refusal; none or one.
    public let postings: [Posting]
    /// The answer to give.
    public let verdict: Verdict
}

/// Decides one operation: every business rule of the ledger, in the order of precedence
/// idempotency, wallet existence, wallet state, transfer state, version precondition, funds.
/// Nothing is changed: the caller writes the postings and answers with the verdict.
/// `now` is when the operation is recorded.
public func decide(_ operation: Operation, in situation: Situation, at now: Timestamp) -> Decision {
    if operation.key != nil, let prior = situation.priorByKey {
        guard prior.contentHash == operation.contentHash else {
            return Decision(postings: [], verdict: .refused(.idempotencyKeyReused, recorded: false))
        }
        return Decision(postings: [], verdict: .replayed(prior.outcome))
    }
    if operation.key == nil, let prior = situation.priorByID, let hash = operation.contentHash,
        prior.contentHash == hash
    {
        return Decision(postings: [], verdict: .replayed(prior.outcome))
    }
    do throws(Refusal) {
        let posting = try Rules(operation: operation, now: now).posting(in: situation)
        return Decision(postings: [posting], verdict: .applied(Receipt(posting)))
    } catch {
        return refuse(operation, because: error, in: situation, at: now)
    }
}

/// The decision for a refused operation: what must still be recorded about it.
private func refuse(
    _ operation: Operation, because refusal: Refusal, in situation: Situation, at now: Timestamp
) -> Decision {
    var postings: [Posting] = []
    var refusal = refusal
    let rules = Rules(operation: operation, now: now)
    if case .transferNotPending(let standing) = refusal, let wallet = situation.wallet,
        let release = rules.releaseOfExpired(standing, in: wallet)
    {
        postings.append(release)
        refusal = .transferNotPending(Receipt(release))
    }
    // An opening is refused for its content alone: there is no state of its own it could depend on.
    let recorded = operation.key != nil && refusal.isStateDependent && operation.command.transferID != nil
    if recorded, case .insufficientFunds = refusal, let wallet = situation.wallet,
        let posting = rules.refusedCredit(in: wallet)
    {
        postings.append(posting)
    }
    return Decision(postings: postings, verdict: .refused(refusal, recorded: recorded))
}

/// The rules for one operation at one moment.
private struct Rules {
    let operation: Operation
    let now: Timestamp

    func posting(in situation: Situation) throws(Refusal) -> Posting {
        if case .open(let opening) = operation.command {
            return try open(opening, over: situation.wallet)
        }
        guard let wallet = situation.wallet else { throw .walletNotFound }
        switch operation.command {
        case .open:
            throw .walletExists
        case .transfer(let order):
            return try create(order, in: wallet, idTaken: situation.transfer != nil)
        case .complete(_, let amount):
            return try complete(amount, of: situation.transfer, in: wallet)
        case .revert(_, let note):
            try checkActive(wallet)
            let transfer = try pendingTransfer(situation.transfer, in: wallet)
            try checkVersion(wallet)
            return try release(transfer, in: wallet, kind: .reverted, note: note)
        case .expire:
            guard let standing = situation.transfer else { throw .transferNotFound }
            guard let posting = releaseOfExpired(standing, in: wallet) else { throw .transferNotPending(standing) }
            return posting
        }
    }

    private func open(_ opening: Opening, over standing: Wallet?) throws(Refusal) -> Posting {
        let balance = try opening.initialBalance?.minorUnits(scale: opening.asset.scale) ?? 0
        guard standing == nil else { throw .walletExists }
        let wallet = Wallet(
            id: operation.walletID, ownerID: opening.ownerID, asset: opening.asset, balance: balance,
            pendingDebit: 0, pendingCredit: 0, overdraftLimit: 0, version: 1, status: .active,
            metadata: opening.metadata, createdAt: now, updatedAt: now)
        let entry = entry(.opened, amount: balance, leaving: wallet, transfer: nil, metadata: opening.metadata)
        return Posting(entry: entry, wallet: wallet, transfer: nil)
    }

    private func create(_ order: TransferOrder, in wallet: Wallet, idTaken: Bool) throws(Refusal) -> Posting {
        let amount = try order.amount.minorUnits(scale: wallet.asset.scale)
        guard amount > 0 else { throw .amountOutOfRange }
        let expiresAt = try expiry(of: order, recordedAt: moment(after: wallet))
        try checkActive(wallet)
        guard !idTaken else { throw .transferExists }
        try checkVersion(wallet)
        var next = wallet
        switch order.direction {
        case .debit:
            // Announced money is counted too, so that a later completion can never overflow.
            guard let announced = Money.sum(wallet.pendingDebit, amount),
                Money.sum(wallet.balance, announced) != nil
            else { throw .amountOutOfRange }
            if order.settlesAtOnce { next.balance += amount } else { next.pendingDebit = announced }
        case .credit:
            guard amount <= wallet.available else {
                throw .insufficientFunds(available: wallet.available, amount: amount, asset: wallet.asset)
            }
            if order.settlesAtOnce {
                next.balance -= amount
            } else {
                // An overdraft lets more be reserved than the wallet holds: the sum can leave the range.
                guard let reserved = Money.sum(wallet.pendingCredit, amount) else { throw .amountOutOfRange }
                next.pendingCredit = reserved
            }
        }
        return try creation(
            order, kind: order.settlesAtOnce ? .posted : .pending, amount: amount, expiresAt: expiresAt, after: next)
    }

    private func complete(
        _ asked: DecimalAmount?, of standing: Receipt?, in wallet: Wallet
    ) throws(Refusal) -> Posting {
        let sum = try asked?.minorUnits(scale: wallet.asset.scale)
        if sum == 0 { throw .amountOutOfRange }
        try checkActive(wallet)
        let transfer = try pendingTransfer(standing, in: wallet)
        try checkVersion(wallet)
        let settled = sum ?? transfer.amount
        guard settled <= transfer.amount else {
            throw .amountExceedsPending(pending: transfer.amount, asset: wallet.asset)
        }
        var next = wallet
        switch transfer.direction {
        case .debit:
            next.pendingDebit -= transfer.amount
            guard let balance = Money.sum(next.balance, settled) else { throw .amountOutOfRange }
            next.balance = balance
        case .credit:
            next.pendingCredit -= transfer.amount
            next.balance -= settled
        }
        return resolution(of: transfer, kind: .completed, amount: settled, note: nil, after: next)
    }

    /// Releases a pending transfer's money.
    private func release(
        _ transfer: Transfer, in wallet: Wallet, kind: EntryKind, note: String?
    ) throws(Refusal) -> Posting {
        var next = wallet
        switch transfer.direction {
        case .debit: next.pendingDebit -= transfer.amount
        case .credit: next.pendingCredit -= transfer.amount
        }
        return resolution(of: transfer, kind: kind, amount: transfer.amount, note: note, after: next)
    }

    /// The expiry of a transfer that is pending past its time; nil for any other.
    func releaseOfExpired(_ standing: Receipt, in wallet: Wallet) -> Posting? {
        guard let transfer = standing.transfer, transfer.status == .pending, isExpired(transfer, in: wallet)
        else { return nil }
        // The release carries no key: it is nobody's operation, and the key's answer is the refusal.
        let release = Operation(
            walletID: operation.walletID, command: .expire(transfer.id), key: nil, contentHash: nil,
            expectedVersion: nil)
        return try? Rules(operation: release, now: now).release(transfer, in: wallet, kind: .expired, note: nil)
    }

    /// The failed transfer that records a refused credit; nil for any other command.
    func refusedCredit(in wallet: Wallet) -> Posting? {
        guard case .transfer(let order) = operation.command, order.direction == .credit,
            let amount = try? order.amount.minorUnits(scale: wallet.asset.scale),
            let expiresAt = try? expiry(of: order, recordedAt: moment(after: wallet)) as Timestamp??
        else { return nil }
        return try? creation(order, kind: .refused, amount: amount, expiresAt: expiresAt, after: wallet)
    }

    private func creation(
        _ order: TransferOrder, kind: EntryKind, amount: Int128, expiresAt: Timestamp?, after next: Wallet
    ) throws(Refusal) -> Posting {
        var next = next
        advance(&next)
        let entry = Entry(
            walletID: next.id, version: next.version, kind: kind, transferID: order.id, direction: order.direction,
            amount: amount, balance: next.balance, pendingDebit: next.pendingDebit,
            pendingCredit: next.pendingCredit, overdraftLimit: next.overdraftLimit, counterparty: nil,
            key: operation.key, contentHash: operation.contentHash, note: nil, description: order.description,
            metadata: order.metadata, expiresAt: expiresAt, occurredAt: next.updatedAt)
        return Posting(entry: entry, wallet: next, transfer: Transfer(creation: entry, last: entry))
    }

    private func resolution(
        of transfer: Transfer, kind: EntryKind, amount: Int128, note: String?, after next: Wallet
    ) -> Posting {
        var next = next
        advance(&next)
        var resolved = transfer
        let standing = kind.transferStanding
        resolved.status = standing?.status ?? .failed
        resolved.reason = standing?.reason
        resolved.completedAmount = kind == .completed ? amount : nil
        resolved.note = note
        resolved.version = next.version
        resolved.resolvedAt = next.updatedAt
        let entry = entry(kind, amount: amount, leaving: next, transfer: transfer, note: note)
        return Posting(entry: entry, wallet: next, transfer: resolved)
    }

    private func entry(
        _ kind: EntryKind, amount: Int128, leaving wallet: Wallet, transfer: Transfer?, note: String? = nil,
        metadata: String? = nil
    ) -> Entry {
        Entry(
            walletID: wallet.id, version: wallet.version, kind: kind, transferID: transfer?.id,
            direction: transfer?.direction, amount: amount, balance: wallet.balance,
            pendingDebit: wallet.pendingDebit, pendingCredit: wallet.pendingCredit,
            overdraftLimit: wallet.overdraftLimit, counterparty: transfer?.counterparty, key: operation.key,
            contentHash: operation.contentHash, note: note, description: nil, metadata: metadata, expiresAt: nil,
            occurredAt: wallet.updatedAt)
    }

    private func advance(_ wallet: inout Wallet) {
        wallet.updatedAt = moment(after: wallet)
        wallet.version += 1
    }

    /// Clocks of several processes differ: within one wallet time never runs backwards.
    private func moment(after wallet: Wallet) -> Timestamp {
        max(now, wallet.updatedAt)
    }

    private func expiry(of order: TransferOrder, recordedAt: Timestamp) throws(Refusal) -> Timestamp? {
        switch order.expiry {
        case .never:
            return nil
        case .at(let moment):
            guard moment > recordedAt else { throw .expiryInPast }
            return moment
        case .after(let seconds):
            guard seconds > 0, let moment = recordedAt.adding(seconds: seconds) else { throw .expiryInPast }
            return moment
        }
    }

    private func checkActive(_ wallet: Wallet) throws(Refusal) {
        guard wallet.status == .active else { throw .walletNotActive(wallet.status) }
    }

    private func checkVersion(_ wallet: Wallet) throws(Refusal) {
        guard let expected = operation.expectedVersion, expected != wallet.version else { return }
        throw .versionMismatch(current: wallet.version)
    }

    /// Measured by the moment the entry would get, so that nothing is ever settled at or after its expiry.
    private func isExpired(_ transfer: Transfer, in wallet: Wallet) -> Bool {
        guard let expiresAt = transfer.expiresAt else { return false }
        return expiresAt <= moment(after: wallet)
    }

    private func pendingTransfer(_ standing: Receipt?, in wallet: Wallet) throws(Refusal) -> Transfer {
        guard let standing, let transfer = standing.transfer else { throw .transferNotFound }
        guard transfer.status == .pending, !isExpired(transfer, in: wallet) else { throw .transferNotPending(standing) }
        return transfer
    }
}
