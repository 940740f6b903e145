/// Why an operation was not applied: a closed list, in the order of precedence for any one command. What is said of
/// the wallet that the operation is about comes before what is said of its counterparty. Indirect, so that the verdicts
/// of the many operations that are applied are small.
public indirect enum Refusal: Error, Hashable, Sendable {
    /// The idempotency key belongs to an operation with other content.
    case idempotencyKeyReused
    /// A transfer from a wallet to itself.
    case selfTransfer
    /// No such wallet.
    case walletNotFound
    /// The other wallet of a transfer does not exist.
    case counterpartyNotFound
    /// The two wallets of a transfer hold different assets.
    case assetMismatch
    /// More decimals than the asset has, which are `scale`.
    case amountPrecision(scale: Int)
    /// The expiry asked for is not in the future.
    case expiryInPast
    /// A wallet with this id exists with other content.
    case walletExists
    /// The wallet is frozen or closed.
    case walletNotActive(WalletStatus)
    /// The other wallet of the transfer is frozen or closed.
    case counterpartyNotActive(WalletStatus)
    /// No such transfer in this wallet.
    case transferNotFound
    /// A transfer with this id exists with other content, in one of the wallets it is for.
    case transferExists
    /// Only a pending transfer can be resolved or extended; the transfer as it stands. Where an earlier operation of an
    /// atomic batch had resolved it, it is pending still; where one had made it, there is none.
    case transferNotPending(Receipt)
    /// Only a completed transfer can be reversed; where it stands instead.
    case transferNotCompleted(TransferStatus)
    /// Reversals and adjustments cannot be reversed.
    case transferNotReversible
    /// The wallet has moved on from the version the client named; it is at `current`.
    case versionMismatch(current: Int64)
    /// An extension to a moment that is not behind the present expiry, or of a transfer that never expires.
    case expiryNotLater
    /// A partial completion above the pending amount, in minor units.
    case amountExceedsPending(pending: Int128, asset: Asset)
    /// A reversal above what is left of the transfer, in minor units.
    case amountExceedsReversible(reversible: Int128, asset: Asset)
    /// A wallet that is to be closed still holds, expects or reserves money.
    case walletNotEmpty
    /// The overdraft limit asked for is below what is in use of the present one, in minor units.
    case overdraftInUse(used: Int128, asset: Asset)
    /// A credit above what is available in the wallet that has to pay; both in minor units.
    case insufficientFunds(available: Int128, amount: Int128, asset: Asset)
    /// A sum would leave the range of money. When the amount alone does so in the asset's scale, it is said where
    /// `amountPrecision` would be.
    case amountOutOfRange

    /// Whether the refusal depended on the state of wallets or transfers, so that a repeat under the same key gets it
    /// again.
    public var isStateDependent: Bool {
        switch self {
        case .idempotencyKeyReused, .selfTransfer, .walletNotFound, .counterpartyNotFound, .assetMismatch,
            .walletExists, .amountPrecision, .expiryInPast:
            false
        case .walletNotActive, .counterpartyNotActive, .transferNotFound, .transferExists, .transferNotPending,
            .transferNotCompleted, .transferNotReversible, .versionMismatch, .expiryNotLater, .amountExceedsPending,
            .amountExceedsReversible, .walletNotEmpty, .overdraftInUse, .amountOutOfRange, .insufficientFunds:
            true
        }
    }
}

/// What an operation left behind: the wallet, and the transfer where there is one. A class for the same reason as
/// `Entry`.
public final class Receipt: Hashable, Sendable {
    /// The wallet as the operation left it.
    public let wallet: Wallet
    /// The transfer as the operation left it.
    public let transfer: Transfer?

    /// A receipt out of its parts.
    public init(wallet: Wallet, transfer: Transfer?) {
        self.wallet = wallet
        self.transfer = transfer
    }

    /// Whether both parts are equal.
    public static func == (left: Receipt, right: Receipt) -> Bool {
        left === right || (left.wallet == right.wallet && left.transfer == right.transfer)
    }

    /// Hashes what names the state.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(wallet.id)
        hasher.combine(wallet.version)
    }
}
