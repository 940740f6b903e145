/// A command with everything that decides about it. A class for the same reason as `Entry`: it is handed from the
/// request to the lane and back by reference.
public final class Operation: Hashable, Sendable {
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
    /// Who asks, if known.
    public let actor: String?

    /// An operation out of its parts.
    public init(
        walletID: WalletID, command: Command, key: IdempotencyKey?, contentHash: UInt128?, expectedVersion: Int64?,
        actor: String? = nil
    ) {
        self.walletID = walletID
        self.command = command
        self.key = key
        self.contentHash = contentHash
        self.expectedVersion = expectedVersion
        self.actor = actor
    }

    /// Whether all parts are equal.
    public static func == (left: Operation, right: Operation) -> Bool {
        left === right
            || (left.walletID == right.walletID && left.command == right.command && left.key == right.key
                && left.contentHash == right.contentHash && left.expectedVersion == right.expectedVersion
                && left.actor == right.actor)
    }

    /// Hashes what names the operation.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(walletID)
        hasher.combine(command)
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

    /// The outcome that `entry` recorded, exactly as it was answered then. `creation` is the first entry of its
    /// transfer, where it has one; `wallet` gives what entries do not: owner and asset, and metadata for an answer
    /// about a transfer, which shows none.
    /// Nil when the entries do not fit together.
    public init?(entry: Entry, creation: Entry?, wallet: Wallet) {
        let then = wallet.asLeft(by: entry)
        contentHash = entry.contentHash
        switch entry.kind {
        case .opened, .amended:
            outcome = .applied(Receipt(wallet: then, transfer: nil))
        case .refused:
            outcome = .refused(
                .insufficientFunds(available: then.available, amount: entry.amount, asset: wallet.asset))
        case .pending, .posted, .completed, .reverted, .expired, .extended:
            guard let creation, let transfer = Transfer(creation: creation, last: entry) else { return nil }
            outcome = .applied(Receipt(wallet: then, transfer: transfer))
        }
    }
}
