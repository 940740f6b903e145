/// Whether a wallet takes part in transfers.
public enum WalletStatus: Int16, Sendable, CaseIterable {
    /// Takes part.
    case active = 1
    /// Stopped for the time being.
    case frozen = 2
    /// Stopped for good.
    case closed = 3

    /// The word used in answers and events.
    public var word: String {
        switch self {
        case .active: "active"
        case .frozen: "frozen"
        case .closed: "closed"
        }
    }

    /// The status that `word` names.
    public init?(word: String) {
        guard let status = WalletStatus.allCases.first(where: { $0.word == word }) else { return nil }
        self = status
    }
}

/// A wallet as one entry of its journal left it. All sums are minor units.
public struct Wallet: Hashable, Sendable {
    /// Its name.
    public let id: WalletID
    /// Who it belongs to, if told.
    public let ownerID: String?
    /// What it holds.
    public let asset: Asset
    /// Settled money.
    public var balance: Int128
    /// Money announced by pending debits: it comes in when they complete.
    public var pendingDebit: Int128
    /// Money reserved by pending credits: it goes out when they complete.
    public var pendingCredit: Int128
    /// How far `available` may be stretched below zero.
    public var overdraftLimit: Int128
    /// The number of journal entries: the version of the newest one.
    public var version: Int64
    /// Whether it takes part in transfers.
    public var status: WalletStatus
    /// The client's JSON object in canonical form, if given.
    public var metadata: String?
    /// When it was created.
    public let createdAt: Timestamp
    /// When its newest entry was made.
    public var updatedAt: Timestamp

    /// A wallet out of its parts.
    public init(
        id: WalletID, ownerID: String?, asset: Asset, balance: Int128, pendingDebit: Int128, pendingCredit: Int128,
        overdraftLimit: Int128, version: Int64, status: WalletStatus, metadata: String?, createdAt: Timestamp,
        updatedAt: Timestamp
    ) {
        self.id = id
        self.ownerID = ownerID
        self.asset = asset
        self.balance = balance
        self.pendingDebit = pendingDebit
        self.pendingCredit = pendingCredit
        self.overdraftLimit = overdraftLimit
        self.version = version
        self.status = status
        self.metadata = metadata
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// What a credit may take: settled money less what is reserved, plus the overdraft limit; at most `Money.largest`,
    /// which no single amount exceeds.
    public var available: Int128 { Money.sum(balance - pendingCredit, overdraftLimit) ?? Money.largest }

    /// The wallet as `entry` of its journal left it. Metadata is told by entries that open or amend a wallet; after any
    /// other it is this wallet's.
    public func asLeft(by entry: Entry) -> Wallet {
        var then = self
        then.balance = entry.balance
        then.pendingDebit = entry.pendingDebit
        then.pendingCredit = entry.pendingCredit
        then.overdraftLimit = entry.overdraftLimit
        then.version = entry.version
        then.status = entry.status
        if entry.kind == .opened || entry.kind == .amended { then.metadata = entry.metadata }
        then.updatedAt = entry.occurredAt
        return then
    }
}
