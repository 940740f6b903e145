/// What is known about an operation's surroundings when it is decided.
public struct Situation: Sendable {
    /// The wallet as it stands; nil when there is none.
    public let wallet: Wallet?
    /// The transfer the command is about as it stands, and the wallet as its newest entry left it; nil when there is
    /// none.
    public let transfer: Receipt?
    /// The operation recorded under the same idempotency key.
    public let priorByKey: Prior?
    /// The operation that created the wallet or transfer with the id that this one wants to create.
    public let priorByID: Prior?
    /// The other wallet as it stands: the one a new transfer names, or the one of the transfer the command is about.
    public let counterparty: Wallet?
    /// The transfer as `counterparty` has it; nil when there is none.
    public let counterpartyTransfer: Receipt?
    /// Whether one of the wallets has a transfer with the id that a reversal wants for its own. New transfers tell this
    /// by `transfer` and `counterpartyTransfer`.
    public let isNewIDTaken: Bool

    /// A situation out of its parts.
    public init(
        wallet: Wallet?, transfer: Receipt?, priorByKey: Prior?, priorByID: Prior?, counterparty: Wallet? = nil,
        counterpartyTransfer: Receipt? = nil, isNewIDTaken: Bool = false
    ) {
        self.wallet = wallet
        self.transfer = transfer
        self.priorByKey = priorByKey
        self.priorByID = priorByID
        self.counterparty = counterparty
        self.counterpartyTransfer = counterpartyTransfer
        self.isNewIDTaken = isNewIDTaken
    }
}

/// What is to be done about an operation.
public struct Decision: Sendable {
    /// The answer to give.
    public enum Verdict: Hashable, Sendable {
        /// Applied; the first posting holds the outcome.
        case applied(Receipt)
        /// Not applied. `recorded` is true when a repeat under its key must get the same answer: where no posting
        /// carries the key, the refusal itself is to be kept.
        case refused(Refusal, recorded: Bool)
        /// A repeat of an applied or refused operation.
        case replayed(Prior.Outcome)
    }

    /// What to append to the journals: the change, or what must be recorded about a refusal. None, one, or one for each
    /// of the two wallets of a transfer, the operation's wallet first.
    public let postings: [Posting]
    /// The answer to give.
    public let verdict: Verdict
}

/// Decides one operation: every business rule of the ledger, in the order of precedence
/// idempotency, wallet existence, wallet state, transfer state, version precondition, funds.
/// Nothing is changed: the caller writes the postings, all or none, and answers with the verdict.
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
    let rules = Rules(operation: operation, in: situation, at: now)
    do throws(Refusal) {
        let postings = try rules.postings(in: situation)
        return Decision(postings: postings, verdict: .applied(postings[0].receipt))
    } catch {
        return refuse(operation, because: error, by: rules, in: situation)
    }
}

/// The decision for a refused operation: what must still be recorded about it.
private func refuse(
    _ operation: Operation, because refusal: Refusal, by rules: Rules, in situation: Situation
) -> Decision {
    var postings: [Posting] = []
    var refusal = refusal
    if case .transferNotPending(let standing) = refusal, let release = rules.releaseOfExpired(standing, in: situation) {
        postings = release
        refusal = .transferNotPending(release[0].receipt)
    }
    // An opening is refused for its content alone: there is no state of its own it could depend on.
    let isOpening = if case .open = operation.command { true } else { false }
    let recorded = operation.key != nil && refusal.isStateDependent && !isOpening
    if recorded, case .insufficientFunds = refusal, let wallet = situation.wallet,
        let posting = rules.refusedCredit(in: wallet)
    {
        postings = [posting]
    }
    return Decision(postings: postings, verdict: .refused(refusal, recorded: recorded))
}
