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

    /// The transfer the command names; nil for opening a wallet.
    public var transferID: TransferID? {
        switch self {
        case .open: nil
        case .transfer(let order): order.id
        case .complete(let id, _), .revert(let id, _), .expire(let id): id
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
    /// Which way the money moves.
    public let direction: Direction
    /// The sum.
    public let amount: DecimalAmount
    /// Settle at once instead of leaving it pending.
    public let settlesAtOnce: Bool
    /// When it runs out.
    public let expiry: Expiry
    /// The client's words about it.
    public let description: String?
    /// The client's JSON object in canonical form.
    public let metadata: String?

    /// An order out of its parts.
    public init(
        id: TransferID, hasClientID: Bool, direction: Direction, amount: DecimalAmount, settlesAtOnce: Bool,
        expiry: Expiry, description: String?, metadata: String?
    ) {
        self.id = id
        self.hasClientID = hasClientID
        self.direction = direction
        self.amount = amount
        self.settlesAtOnce = settlesAtOnce
        self.expiry = expiry
        self.description = description
        self.metadata = metadata
    }
}

/// A command with everything that decides about it.
public struct Operation: Hashable, Sendable {
    /// The wallet it is about.
    public let walletID: WalletID
    /// What is asked.
    public let command: Command
    /// Makes a repeat recognisable.
    public let key: IdempotencyKey?
    /// The first 16 bytes of the SHA-256 of the content, without the key; nil when nothing can repeat it.
    public let contentHash: UInt128?
    /// The wallet version the client believes in.
    public let expectedVersion: Int64?

    /// An operation out of its parts.
    public init(
        walletID: WalletID, command: Command, key: IdempotencyKey?, contentHash: UInt128?, expectedVersion: Int64?
    ) {
        self.walletID = walletID
        self.command = command
        self.key = key
        self.contentHash = contentHash
        self.expectedVersion = expectedVersion
    }
}

/// The outcome of an earlier operation that this one may be a repeat of.
public struct Prior: Hashable, Sendable {
    /// How it ended.
    public enum Outcome: Hashable, Sendable {
        /// It was applied.
        case applied(Receipt)
        /// It was refused.
        case refused(Refusal)
    }

    /// What its content was.
    public let contentHash: UInt128?
    /// How it ended.
    public let outcome: Outcome

    /// A prior outcome out of its parts.
    public init(contentHash: UInt128?, outcome: Outcome) {
        self.contentHash = contentHash
        self.outcome = outcome
    }

    /// The outcome that `entry` recorded. `creation` is the first entry of its transfer, where it has one;
    /// `wallet` gives what never changes: owner and asset.
    /// Nil when the entries do not fit together.
    public init?(entry: Entry, creation: Entry?, wallet: Wallet) {
        let then = Wallet(
            id: wallet.id, ownerID: wallet.ownerID, asset: wallet.asset, balance: entry.balance,
            pendingDebit: entry.pendingDebit, pendingCredit: entry.pendingCredit,
            overdraftLimit: entry.overdraftLimit, version: entry.version,
            status: .active, metadata: entry.kind == .opened ? entry.metadata : wallet.metadata,
            createdAt: wallet.createdAt, updatedAt: entry.occurredAt)
        contentHash = entry.contentHash
        switch entry.kind {
        case .opened:
            outcome = .applied(Receipt(wallet: then, transfer: nil))
        case .refused:
            outcome = .refused(
                .insufficientFunds(available: then.available, amount: entry.amount, asset: wallet.asset))
        case .pending, .posted, .completed, .reverted, .expired:
            guard let creation, let transfer = Transfer(creation: creation, last: entry) else { return nil }
            outcome = .applied(Receipt(wallet: then, transfer: transfer))
        }
    }
}
