/// What one journal entry did to its wallet.
public enum EntryKind: Int16, Sendable, CaseIterable {
    /// Created the wallet; `amount` is its initial balance.
    case opened = 1
    /// Created a pending transfer.
    case pending = 2
    /// Created a transfer that settled at once.
    case posted = 3
    /// Settled a pending transfer; `amount` is the settled sum.
    case completed = 4
    /// Released a pending transfer on request.
    case reverted = 5
    /// Released a pending transfer at its expiry.
    case expired = 6
    /// Recorded a refused credit that carried an idempotency key; no money moved.
    case refused = 7
    /// Moved a pending transfer's expiry; `amount` is the transfer's.
    case extended = 8
    /// Changed the wallet itself (status, metadata, overdraft limit) by order of an administrator; no money moved.
    case amended = 9

    /// Whether the entry is a transfer's first.
    public var createsTransfer: Bool { self == .pending || self == .posted || self == .refused }

    /// How the entry leaves its transfer; nil for entries without one.
    public var transferStanding: (status: TransferStatus, reason: FailureReason?)? {
        switch self {
        case .opened, .amended: nil
        case .pending, .extended: (.pending, nil)
        case .posted, .completed: (.completed, nil)
        case .reverted: (.failed, .reverted)
        case .expired: (.failed, .expired)
        case .refused: (.failed, .insufficientFunds)
        }
    }

    /// The word used in audits.
    public var word: String {
        switch self {
        case .opened: "opened"
        case .pending: "pending"
        case .posted: "posted"
        case .completed: "completed"
        case .reverted: "reverted"
        case .expired: "expired"
        case .refused: "refused"
        case .extended: "extended"
        case .amended: "amended"
        }
    }
}

/// An idempotency key: the client's text and its 128-bit digest, which the indexes use.
public struct IdempotencyKey: Hashable, Sendable {
    /// The text the client sent, 1 to 255 characters.
    public let reference: String
    /// The first 16 bytes of the text's SHA-256.
    public let digest: UInt128

    /// Takes the text and its digest.
    public init(reference: String, digest: UInt128) {
        self.reference = reference
        self.digest = digest
    }
}

/// One row of a wallet's append-only journal. All sums are minor units.
///
/// A class because it never changes and is large: it is handed on by reference, from the decision into the book, the
/// writes and the event.
public final class Entry: Hashable, Sendable {
    /// The wallet it belongs to.
    public let walletID: WalletID
    /// 1 for the first entry of a wallet, then one more for each.
    public let version: Int64
    /// What it did.
    public let kind: EntryKind
    /// The transfer it is about, if any.
    public let transferID: TransferID?
    /// The transfer's direction, if any.
    public let direction: Direction?
    /// The sum it is about; the kind says what it means.
    public let amount: Int128
    /// Settled money after it.
    public let balance: Int128
    /// Announced money after it.
    public let pendingDebit: Int128
    /// Reserved money after it.
    public let pendingCredit: Int128
    /// The overdraft limit in force.
    public let overdraftLimit: Int128
    /// The other wallet; nil for the asset's outside account.
    public let counterparty: WalletID?
    /// The idempotency key of the operation.
    public let key: IdempotencyKey?
    /// The first 16 bytes of the SHA-256 of the operation's content; nil when nothing can repeat it.
    public let contentHash: UInt128?
    /// Why it was made, in the words of whoever asked for it.
    public let note: String?
    /// The client's words about a transfer; on its first entry.
    public let description: String?
    /// The client's JSON object: a transfer's on its first entry, the wallet's on entries that open or amend it.
    public let metadata: String?
    /// The transfer's expiry in force after it. Entries that resolve a transfer may lack what its first one has.
    public let expiresAt: Timestamp?
    /// When it was made; never before the entry it follows.
    public let occurredAt: Timestamp
    /// The wallet's status after it.
    public let status: WalletStatus
    /// What the transfer is for; on its first entry.
    public let purpose: TransferPurpose?
    /// The transfer that this one reverses; on a reversal's entry.
    public let related: TransferID?
    /// Who asked for it, if known.
    public let actor: String?

    /// An entry out of its parts.
    public init(
        walletID: WalletID, version: Int64, kind: EntryKind, transferID: TransferID?, direction: Direction?,
        amount: Int128, balance: Int128, pendingDebit: Int128, pendingCredit: Int128, overdraftLimit: Int128,
        counterparty: WalletID?, key: IdempotencyKey?, contentHash: UInt128?, note: String?, description: String?,
        metadata: String?, expiresAt: Timestamp?, occurredAt: Timestamp, status: WalletStatus,
        purpose: TransferPurpose?, related: TransferID?, actor: String?
    ) {
        self.walletID = walletID
        self.version = version
        self.kind = kind
        self.transferID = transferID
        self.direction = direction
        self.amount = amount
        self.balance = balance
        self.pendingDebit = pendingDebit
        self.pendingCredit = pendingCredit
        self.overdraftLimit = overdraftLimit
        self.counterparty = counterparty
        self.key = key
        self.contentHash = contentHash
        self.note = note
        self.description = description
        self.metadata = metadata
        self.expiresAt = expiresAt
        self.occurredAt = occurredAt
        self.status = status
        self.purpose = purpose
        self.related = related
        self.actor = actor
    }

    /// Whether all fields are equal.
    public static func == (left: Entry, right: Entry) -> Bool {
        left === right || left.canonicalBytes == right.canonicalBytes
    }

    /// Hashes what names the entry.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(walletID)
        hasher.combine(version)
    }
}

/// One decided change: the entry to append and what it leaves behind. A class for the same reason as `Entry`.
public final class Posting: Hashable, Sendable {
    /// The journal row.
    public let entry: Entry
    /// The wallet and the transfer after it.
    public let receipt: Receipt
    /// The transfer that the entry's transfer reverses, after it; nil when the entry is no reversal.
    public let related: Transfer?

    /// The wallet after it.
    @inlinable public var wallet: Wallet { receipt.wallet }
    /// The transfer after it; nil when the entry has none.
    @inlinable public var transfer: Transfer? { receipt.transfer }

    /// A posting out of its parts.
    public init(entry: Entry, wallet: Wallet, transfer: Transfer?, related: Transfer? = nil) {
        self.entry = entry
        receipt = Receipt(wallet: wallet, transfer: transfer)
        self.related = related
    }

    /// Whether all parts are equal.
    public static func == (left: Posting, right: Posting) -> Bool {
        left === right
            || (left.entry == right.entry && left.receipt == right.receipt && left.related == right.related)
    }

    /// Hashes what names the entry.
    public func hash(into hasher: inout Hasher) { hasher.combine(entry) }
}
