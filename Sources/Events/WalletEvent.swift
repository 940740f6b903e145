public import Ledger

/// The request that caused an event, for following it through the systems.
public struct EventOrigin: Hashable, Sendable {
    /// The request's correlation id.
    public let correlationID: String?
    /// The request's W3C trace context.
    public let traceParent: String?

    /// An origin out of its parts.
    public init(correlationID: String?, traceParent: String?) {
        self.correlationID = correlationID
        self.traceParent = traceParent
    }

    /// For work that no request caused.
    public static let none = EventOrigin(correlationID: nil, traceParent: nil)
}

/// The types of event, as CloudEvents `type`.
public enum EventType: String, Sendable, CaseIterable {
    /// A wallet exists.
    case walletCreated = "wallet.created.v1"
    /// The wallet takes no part in transfers for the time being.
    case walletFrozen = "wallet.frozen.v1"
    /// The wallet takes part in transfers again.
    case walletUnfrozen = "wallet.unfrozen.v1"
    /// The wallet will never take part in anything again.
    case walletClosed = "wallet.closed.v1"
    /// The wallet's metadata or overdraft limit was set, its status was not changed.
    case walletAmended = "wallet.amended.v1"
    /// A transfer was recorded and waits for its resolution.
    case transferPending = "wallet.transfer.pending.v1"
    /// A pending transfer's expiry was moved.
    case transferExtended = "wallet.transfer.extended.v1"
    /// A transfer settled.
    case transferCompleted = "wallet.transfer.completed.v1"
    /// A transfer that gives back what a completed one moved, or a part of it, settled.
    case transferReversed = "wallet.transfer.reversed.v1"
    /// A transfer will never settle: it was refused or reverted.
    case transferFailed = "wallet.transfer.failed.v1"
    /// A transfer will never settle: it was still pending at its expiry.
    case transferExpired = "wallet.transfer.expired.v1"

    /// The type of event that a journal entry gives. `statusBefore` is the wallet's status before it, where known.
    public init(_ entry: Entry, statusBefore: WalletStatus? = nil) {
        switch entry.kind {
        case .opened: self = .walletCreated
        case .amended: self = EventType(amendedTo: entry.status, from: statusBefore ?? entry.status)
        case .pending: self = .transferPending
        case .extended: self = .transferExtended
        case .posted: self = entry.purpose == .reversal ? .transferReversed : .transferCompleted
        case .completed: self = .transferCompleted
        case .reverted, .refused: self = .transferFailed
        case .expired: self = .transferExpired
        }
    }

    private init(amendedTo status: WalletStatus, from before: WalletStatus) {
        switch status {
        case before: self = .walletAmended
        case .active: self = .walletUnfrozen
        case .frozen: self = .walletFrozen
        case .closed: self = .walletClosed
        }
    }

    /// Whether it tells of the wallet alone.
    public var isOfWallet: Bool {
        switch self {
        case .walletCreated, .walletFrozen, .walletUnfrozen, .walletClosed, .walletAmended: true
        case .transferPending, .transferExtended, .transferCompleted, .transferReversed, .transferFailed,
            .transferExpired:
            false
        }
    }
}

/// One change of a wallet: CloudEvents 1.0, `id` `<wallet id>:<version>`, `subject` the wallet id. A class for the same
/// reason as `Entry`.
public final class WalletEvent: Hashable, Sendable {
    /// What happened.
    public let type: EventType
    /// The wallet and the transfer after the change.
    public let receipt: Receipt
    /// The transfer that a reversal gives back, after it; nil for all other events.
    public let related: Transfer?
    /// The request behind it.
    public let origin: EventOrigin

    /// An event out of its parts.
    public init(
        type: EventType, wallet: Wallet, transfer: Transfer?, related: Transfer? = nil, origin: EventOrigin
    ) {
        self.type = type
        receipt = Receipt(wallet: wallet, transfer: transfer)
        self.related = related
        self.origin = origin
    }

    /// The event of a posting. `statusBefore` is the wallet's status before it, where known.
    public init(_ posting: Posting, statusBefore: WalletStatus? = nil, origin: EventOrigin) {
        type = EventType(posting.entry, statusBefore: statusBefore)
        receipt = posting.receipt
        related = posting.related
        self.origin = origin
    }

    /// The wallet after the change.
    @inlinable public var wallet: Wallet { receipt.wallet }
    /// The transfer after the change; nil for events without one.
    @inlinable public var transfer: Transfer? { receipt.transfer }

    /// Whether all parts are equal.
    public static func == (left: WalletEvent, right: WalletEvent) -> Bool {
        left === right
            || (left.type == right.type && left.receipt == right.receipt && left.related == right.related
                && left.origin == right.origin)
    }

    /// Hashes what names the event.
    public func hash(into hasher: inout Hasher) { hasher.combine(receipt) }
}
