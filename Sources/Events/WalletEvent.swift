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
    /// The wallet's status, metadata or overdraft limit was changed.
    case walletAmended = "wallet.amended.v1"
    /// A transfer was recorded and waits for its resolution.
    case transferPending = "wallet.transfer.pending.v1"
    /// A transfer settled.
    case transferCompleted = "wallet.transfer.completed.v1"
    /// A transfer will never settle.
    case transferFailed = "wallet.transfer.failed.v1"

    /// The type of event that a journal entry of this kind gives.
    public init(_ kind: EntryKind) {
        switch kind {
        case .opened: self = .walletCreated
        case .amended: self = .walletAmended
        case .pending, .extended: self = .transferPending
        case .posted, .completed: self = .transferCompleted
        case .reverted, .expired, .refused: self = .transferFailed
        }
    }
}

/// One change of a wallet: CloudEvents 1.0, `id` `<wallet id>:<version>`, `subject` the wallet id.
public struct WalletEvent: Hashable, Sendable {
    /// What happened.
    public let type: EventType
    /// The wallet and the transfer after the change.
    public let receipt: Receipt
    /// The request behind it.
    public let origin: EventOrigin

    /// An event out of its parts.
    public init(type: EventType, wallet: Wallet, transfer: Transfer?, origin: EventOrigin) {
        self.type = type
        receipt = Receipt(wallet: wallet, transfer: transfer)
        self.origin = origin
    }

    /// The event of a posting.
    public init(_ posting: Posting, origin: EventOrigin) {
        type = EventType(posting.entry.kind)
        receipt = posting.receipt
        self.origin = origin
    }

    /// The wallet after the change.
    public var wallet: Wallet { receipt.wallet }
    /// The transfer after the change; nil for events without one.
    public var transfer: Transfer? { receipt.transfer }
}
