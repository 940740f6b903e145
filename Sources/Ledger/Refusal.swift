/// Why an operation was not applied: a closed list, in the order of precedence for any one command.
public enum Refusal: Error, Hashable, Sendable {
    /// The idempotency key belongs to an operation with other content.
    case idempotencyKeyReused
    /// No such wallet.
    case walletNotFound
    /// More decimals than the asset has, which are `scale`.
    case amountPrecision(scale: Int)
    /// The expiry asked for is not in the future.
    case expiryInPast
    /// A wallet with this id exists with other content.
    case walletExists
    /// The wallet is frozen or closed.
    case walletNotActive(WalletStatus)
    /// No such transfer in this wallet.
    case transferNotFound
    /// A transfer with this id exists with other content.
    case transferExists
    /// Only a pending transfer can be resolved; the transfer as it stands.
    case transferNotPending(Receipt)
    /// The wallet has moved on from the version the client named; it is at `current`.
    case versionMismatch(current: Int64)
    /// A partial completion above the pending amount, in minor units.
    case amountExceedsPending(pending: Int128, asset: Asset)
    /// A credit above what is available; both in minor units.
    case insufficientFunds(available: Int128, amount: Int128, asset: Asset)
    /// A sum would leave the range of money. When the amount alone does so in the asset's scale, it is said where
    /// `amountPrecision` would be.
    case amountOutOfRange

    /// Whether the refusal depended on the wallet's state, so that a repeat under the same key gets it again.
    public var isStateDependent: Bool {
        switch self {
        case .idempotencyKeyReused, .walletNotFound, .walletExists, .amountPrecision, .expiryInPast: false
        case .walletNotActive, .transferNotFound, .transferExists, .transferNotPending, .versionMismatch,
            .amountExceedsPending, .amountOutOfRange, .insufficientFunds:
            true
        }
    }
}

/// What an operation left behind: the wallet, and the transfer where there is one.
public struct Receipt: Hashable, Sendable {
    /// The wallet as the operation left it.
    public let wallet: Wallet
    /// The transfer as the operation left it.
    public let transfer: Transfer?

    /// A receipt out of its parts.
    public init(wallet: Wallet, transfer: Transfer?) {
        self.wallet = wallet
        self.transfer = transfer
    }

    /// The receipt of a posting.
    public init(_ posting: Posting) {
        wallet = posting.wallet
        transfer = posting.transfer
    }
}
