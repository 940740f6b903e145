/// An account of the double-entry book; each asset has its own.
public enum Account: Hashable, Sendable, CustomStringConvertible {
    /// A wallet's settled money.
    case wallet(WalletID)
    /// Everybody outside the ledger.
    case world
    /// The other side of what administrators set right.
    case system

    /// `wallet:<id>`, `world` or `system`.
    public var text: String {
        switch self {
        case .wallet(let id): "wallet:\(id.text)"
        case .world: "world"
        case .system: "system"
        }
    }

    /// The same as `text`.
    public var description: String { text }
}

/// One signed line of a booking.
public struct AccountLine: Hashable, Sendable {
    /// The account.
    public let account: Account
    /// By how much the account has more after it, in minor units; negative when it has less.
    public let amount: Int128

    /// A line out of its parts.
    public init(account: Account, amount: Int128) {
        self.account = account
        self.amount = amount
    }
}

extension Entry {
    /// By how much it changed the wallet's settled money, in minor units.
    public var settledAmount: Int128 {
        switch (kind, direction) {
        case (.opened, _), (.posted, .debit), (.completed, .debit): amount
        case (.posted, .credit), (.completed, .credit): -amount
        case (.posted, nil), (.completed, nil), (.pending, _), (.reverted, _), (.expired, _), (.refused, _),
            (.extended, _), (.amended, _):
            0
        }
    }

    /// What it books: the wallet's own line, then that of the account on the other side. They sum up to zero; there are
    /// none when nothing was settled. `creation` is the first entry of its transfer; it may be the entry itself.
    ///
    /// Both wallets of a transfer have an entry, and each tells the whole booking. Sums over many entries therefore
    /// take the wallet's own line of every entry, and the other one only where its account is no wallet.
    public func lines(creation: Entry?) -> [AccountLine] {
        lines(purpose: creation?.purpose)
    }

    func lines(purpose: TransferPurpose?) -> [AccountLine] {
        let amount = settledAmount
        guard amount != 0 else { return [] }
        let other: Account =
            if let counterparty { .wallet(counterparty) } else if purpose == .adjustment { .system } else { .world }
        return [AccountLine(account: .wallet(walletID), amount: amount), AccountLine(account: other, amount: -amount)]
    }
}

extension Posting {
    /// What it books; see `Entry.lines(creation:)`.
    public var lines: [AccountLine] { entry.lines(purpose: transfer?.purpose) }
}
