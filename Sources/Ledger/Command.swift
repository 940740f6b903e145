/// What is asked of a wallet.
public enum Command: Hashable, Sendable {
    /// Create the wallet.
    case open(Opening)
    /// Create a transfer.
    case transfer(TransferOrder)
    /// Settle a pending transfer: all of it, or the given sum and release the rest.
    case complete(TransferID, amount: DecimalAmount?)
    /// Release a pending transfer.
    case revert(TransferID, note: String?)
    /// Release a pending transfer whose expiry has come.
    case expire(TransferID)
    /// Move a pending transfer's expiry to a later moment.
    case extend(TransferID, expiry: TransferOrder.Expiry)
    /// Give back what a completed transfer moved, or a part of it, by a transfer of its own.
    case reverse(ReversalOrder)
    /// Change the wallet itself.
    case amend(Amendment)

    /// The transfer the command is about, for a reversal the original; nil when it is about the wallet itself.
    public var transferID: TransferID? {
        switch self {
        case .open, .amend: nil
        case .transfer(let order): order.id
        case .complete(let id, _), .revert(let id, _), .expire(let id), .extend(let id, _): id
        case .reverse(let order): order.original
        }
    }

    /// The transfer the command creates, and whether the client chose its id; nil for the others.
    public var newTransfer: (id: TransferID, hasClientID: Bool)? {
        switch self {
        case .transfer(let order): (order.id, order.hasClientID)
        case .reverse(let order): (order.id, order.hasClientID)
        case .open, .complete, .revert, .expire, .extend, .amend: nil
        }
    }
}

/// The parts of a new wallet.
public struct Opening: Hashable, Sendable {
    /// Who it belongs to.
    public let ownerID: String?
    /// What it holds.
    public let asset: Asset
    /// What it starts with; may be zero.
    public let initialBalance: DecimalAmount?
    /// The client's JSON object in canonical form.
    public let metadata: String?
    /// Whether the client chose the wallet's id, so that the id alone makes a repeat recognisable.
    public let hasClientID: Bool

    /// An opening out of its parts.
    public init(ownerID: String?, asset: Asset, initialBalance: DecimalAmount?, metadata: String?, hasClientID: Bool) {
        self.ownerID = ownerID
        self.asset = asset
        self.initialBalance = initialBalance
        self.metadata = metadata
        self.hasClientID = hasClientID
    }
}

/// The parts of a new transfer.
public struct TransferOrder: Hashable, Sendable {
    /// When a pending transfer runs out.
    public enum Expiry: Hashable, Sendable {
        /// Never.
        case never
        /// At a moment.
        case at(Timestamp)
        /// Seconds after the transfer is recorded.
        case after(seconds: Int64)
    }

    /// Its id.
    public let id: TransferID
    /// Whether the client chose the id, so that the id alone makes a repeat recognisable.
    public let hasClientID: Bool
    /// Which way the money moves, as seen from the operation's wallet.
    public let direction: Direction
    /// The sum.
    public let amount: DecimalAmount
    /// Settle at once instead of leaving it pending. An adjustment always does.
    public let settlesAtOnce: Bool
    /// When it runs out.
    public let expiry: Expiry
    /// The client's words about it.
    public let description: String?
    /// The client's JSON object in canonical form.
    public let metadata: String?
    /// The other wallet, which gets the same transfer in the other direction; nil for the world outside.
    public let counterparty: WalletID?
    /// `transfer` or `adjustment`.
    public let purpose: TransferPurpose
    /// An adjustment's reason.
    public let note: String?

    /// An order out of its parts.
    public init(
        id: TransferID, hasClientID: Bool, direction: Direction, amount: DecimalAmount, settlesAtOnce: Bool,
        expiry: Expiry, description: String?, metadata: String?, counterparty: WalletID? = nil,
        purpose: TransferPurpose = .transfer, note: String? = nil
    ) {
        self.id = id
        self.hasClientID = hasClientID
        self.direction = direction
        self.amount = amount
        self.settlesAtOnce = settlesAtOnce || purpose == .adjustment
        self.expiry = expiry
        self.description = description
        self.metadata = metadata
        self.counterparty = counterparty
        self.purpose = purpose
        self.note = note
    }
}

/// The parts of a reversal.
public struct ReversalOrder: Hashable, Sendable {
    /// The completed transfer.
    public let original: TransferID
    /// The id of the transfer that gives its money back.
    public let id: TransferID
    /// Whether the client chose `id`, so that the id alone makes a repeat recognisable.
    public let hasClientID: Bool
    /// The sum; nil for all that is left.
    public let amount: DecimalAmount?
    /// The client's words about it.
    public let description: String?
    /// The client's JSON object in canonical form.
    public let metadata: String?
    /// Its reason.
    public let note: String?

    /// An order out of its parts.
    public init(
        original: TransferID, id: TransferID, hasClientID: Bool, amount: DecimalAmount?, description: String?,
        metadata: String?, note: String?
    ) {
        self.original = original
        self.id = id
        self.hasClientID = hasClientID
        self.amount = amount
        self.description = description
        self.metadata = metadata
        self.note = note
    }
}

/// What is to be changed about a wallet; nil leaves a thing as it is.
public struct Amendment: Hashable, Sendable {
    /// What is to become of the wallet's metadata.
    public enum MetadataChange: Hashable, Sendable {
        /// Replace it by this JSON object in canonical form.
        case set(String)
        /// Remove it.
        case remove
    }

    /// The new status. Only an empty wallet can be closed, and a closed one never changes again.
    public let status: WalletStatus?
    /// The change of the metadata.
    public let metadata: MetadataChange?
    /// The new overdraft limit; may be zero.
    public let overdraftLimit: DecimalAmount?
    /// The reason.
    public let note: String?

    /// An amendment out of its parts.
    public init(status: WalletStatus?, metadata: MetadataChange?, overdraftLimit: DecimalAmount?, note: String?) {
        self.status = status
        self.metadata = metadata
        self.overdraftLimit = overdraftLimit
        self.note = note
    }
}
