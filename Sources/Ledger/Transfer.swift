/// Which way money moves. **Debit puts money into the wallet, credit takes it out.**
public enum Direction: Int16, Sendable, CaseIterable {
    /// Into the wallet.
    case debit = 1
    /// Out of the wallet.
    case credit = 2

    /// The word used in routes, answers and events.
    public var word: String { self == .debit ? "debit" : "credit" }

    /// The way back, and the way the same money moves for the other wallet.
    public var opposite: Direction { self == .debit ? .credit : .debit }

    /// The direction that `word` names.
    public init?(word: String) {
        guard let direction = Direction.allCases.first(where: { $0.word == word }) else { return nil }
        self = direction
    }
}

/// Where a transfer stands.
public enum TransferStatus: Int16, Sendable, CaseIterable {
    /// Recorded, not settled: completes, is reverted or expires.
    case pending = 1
    /// Settled.
    case completed = 2
    /// Will never settle; `FailureReason` says why.
    case failed = 3

    /// The word used in answers and events.
    public var word: String {
        switch self {
        case .pending: "pending"
        case .completed: "completed"
        case .failed: "failed"
        }
    }

    /// The status that `word` names.
    public init?(word: String) {
        guard let status = TransferStatus.allCases.first(where: { $0.word == word }) else { return nil }
        self = status
    }
}

/// Why a transfer failed.
public enum FailureReason: String, Sendable, CaseIterable {
    /// A client reverted it.
    case reverted
    /// It was still pending at its expiry.
    case expired
    /// A credit above what was available, recorded because it carried an idempotency key.
    case insufficientFunds = "insufficient_funds"
}

/// What a transfer is for.
public enum TransferPurpose: Int16, Sendable, CaseIterable {
    /// Moves money for a client.
    case transfer = 1
    /// Gives back what a completed transfer moved, or a part of it.
    case reversal = 2
    /// Sets a wallet right by order of an administrator; the system account is on its other side.
    case adjustment = 3

    /// The word used in answers and events.
    public var word: String {
        switch self {
        case .transfer: "transfer"
        case .reversal: "reversal"
        case .adjustment: "adjustment"
        }
    }

    /// The purpose that `word` names.
    public init?(word: String) {
        guard let purpose = TransferPurpose.allCases.first(where: { $0.word == word }) else { return nil }
        self = purpose
    }
}

/// A transfer as one entry of its wallet's journal left it. All sums are minor units.
public struct Transfer: Hashable, Sendable {
    /// Its name, unique within the wallet.
    public let id: TransferID
    /// The wallet whose journal holds it.
    public let walletID: WalletID
    /// Which way the money moves.
    public let direction: Direction
    /// The sum asked for.
    public let amount: Int128
    /// Where it stands.
    public var status: TransferStatus
    /// Why it failed; nil unless it failed.
    public var reason: FailureReason?
    /// The sum that was settled; nil unless completed. Less than `amount` after a partial completion.
    public var completedAmount: Int128?
    /// The idempotency key of its creation, if it had one.
    public let referenceID: String?
    /// The client's words about it.
    public let description: String?
    /// Why it was reverted, or why it was made, in the words of whoever asked for it.
    public var note: String?
    /// The other wallet; nil for the asset's outside account.
    public let counterparty: WalletID?
    /// When it expires if still pending.
    public var expiresAt: Timestamp?
    /// The client's JSON object in canonical form, if given.
    public let metadata: String?
    /// The wallet version of its creation.
    public let createdVersion: Int64
    /// When it was created.
    public let createdAt: Timestamp
    /// The wallet version of the newest entry about it: its own, or that of its newest reversal.
    public var version: Int64
    /// When it completed or failed.
    public var resolvedAt: Timestamp?
    /// What it is for.
    public let purpose: TransferPurpose
    /// The transfer it reverses; nil unless it is a reversal.
    public let reverses: TransferID?
    /// How much of `completedAmount` its reversals gave back.
    public var reversedAmount: Int128
    /// Who asked for it, if known.
    public let actor: String?

    /// The transfer that `creation` began and `last` left as it is; both may be the same entry.
    /// Its own entries do not tell of its reversals: `reversedAmount` is what they sum up to.
    /// Nil when the entries do not belong to one transfer.
    public init?(creation: Entry, last: Entry, reversedAmount: Int128 = 0) {
        guard let id = creation.transferID, let direction = creation.direction, creation.walletID == last.walletID,
            last.transferID == id, let standing = last.kind.transferStanding, creation.kind.createsTransfer
        else { return nil }
        self.id = id
        walletID = creation.walletID
        self.direction = direction
        amount = creation.amount
        status = standing.status
        reason = standing.reason
        completedAmount = standing.status == .completed ? last.amount : nil
        referenceID = creation.key?.reference
        description = creation.description
        note = last.note ?? creation.note
        counterparty = creation.counterparty
        expiresAt = last.expiresAt ?? creation.expiresAt
        metadata = creation.metadata
        createdVersion = creation.version
        createdAt = creation.occurredAt
        version = last.version
        resolvedAt = standing.status == .pending ? nil : last.occurredAt
        purpose = creation.purpose ?? .transfer
        reverses = creation.related
        self.reversedAmount = reversedAmount
        actor = creation.actor
    }

    /// A transfer out of its parts, as a projection keeps them.
    public init(
        id: TransferID, walletID: WalletID, direction: Direction, amount: Int128, status: TransferStatus,
        reason: FailureReason?, completedAmount: Int128?, referenceID: String?, description: String?, note: String?,
        counterparty: WalletID?, expiresAt: Timestamp?, metadata: String?, createdVersion: Int64,
        createdAt: Timestamp, version: Int64, resolvedAt: Timestamp?, purpose: TransferPurpose = .transfer,
        reverses: TransferID? = nil, reversedAmount: Int128 = 0, actor: String? = nil
    ) {
        self.id = id
        self.walletID = walletID
        self.direction = direction
        self.amount = amount
        self.status = status
        self.reason = reason
        self.completedAmount = completedAmount
        self.referenceID = referenceID
        self.description = description
        self.note = note
        self.counterparty = counterparty
        self.expiresAt = expiresAt
        self.metadata = metadata
        self.createdVersion = createdVersion
        self.createdAt = createdAt
        self.version = version
        self.resolvedAt = resolvedAt
        self.purpose = purpose
        self.reverses = reverses
        self.reversedAmount = reversedAmount
        self.actor = actor
    }

    /// What a reversal may still give back; zero unless completed.
    public var reversibleAmount: Int128 { (completedAmount ?? 0) - reversedAmount }
}
