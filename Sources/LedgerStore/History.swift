public import Ledger

/// A journal entry with what is needed to understand it.
public struct StatementLine: Sendable {
    /// The entry, with the wallet's balances after it.
    public let entry: Entry
    /// The first entry of its transfer, which may be the same; nil for entries without a transfer.
    public let creation: Entry?

    /// A line out of its parts.
    public init(entry: Entry, creation: Entry?) {
        self.entry = entry
        self.creation = creation
    }

    /// What it books; the sum is zero, and there are none when nothing was settled.
    public var lines: [AccountLine] { entry.lines(creation: creation) }
}

/// A part of a wallet's journal.
public struct WalletStatement: Sendable {
    /// The wallet as it is now.
    public let wallet: Wallet
    /// The entries in the order that was asked for.
    public let lines: [StatementLine]
}

/// Which entries of a wallet's journal to list.
public struct StatementQuery: Hashable, Sendable {
    /// Only entries with a lower version: where the last page ended, newest first.
    public var before: Int64?
    /// Only entries with a higher version: where the last page ended, oldest first.
    public var after: Int64?
    /// Only entries made at this moment or later.
    public var from: Timestamp?
    /// Only entries made before this moment.
    public var to: Timestamp?
    /// Whether the oldest comes first; the newest does otherwise.
    public var oldestFirst = false
    /// How many at most.
    public var limit: Int

    /// The whole journal, newest first, up to `limit`.
    public init(limit: Int) {
        self.limit = limit
    }
}

/// A wallet as it was.
public struct PastWallet: Sendable {
    /// The wallet as it is now.
    public let wallet: Wallet
    /// The wallet as its journal left it then; nil when it did not exist yet, or has not come so far. Balances, version,
    /// status, overdraft limit and `updatedAt` are those of then, everything else is that of now.
    public let then: Wallet?
}

/// A wallet's balances as stored and as its journal's amounts sum up to.
public struct BalanceAudit: Sendable {
    /// The wallet as stored.
    public let wallet: Wallet
    /// Settled money out of the amounts alone; nil when they do not sum up to any money.
    public let balance: Int128?
    /// Announced money out of the amounts alone.
    public let pendingDebit: Int128?
    /// Reserved money out of the amounts alone.
    public let pendingCredit: Int128?
    /// How many entries were walked over.
    public let entries: Int64
    /// Entries that do not follow from those before them, up to `discrepanciesMax`.
    public let discrepancies: [JournalWalk.Discrepancy]

    /// How many discrepancies are kept.
    public static let discrepanciesMax = 100

    /// Whether stored and derived agree.
    public var isClean: Bool {
        discrepancies.isEmpty && entries == wallet.version && balance == wallet.balance
            && pendingDebit == wallet.pendingDebit && pendingCredit == wallet.pendingCredit
    }
}

/// A transfer as the journal of one of its wallets has it.
public struct TransferSide: Sendable {
    /// The transfer, and the wallet as its newest entry left it.
    public let receipt: Receipt
    /// The entry that created the transfer and the one that resolved it later. Changes of a hold's expiry book nothing
    /// and are in the wallet's statement only.
    public let entries: [StatementLine]
}

/// A transfer as the journals of all its wallets have it.
public struct TransferDetails: Sendable {
    /// One side, or two for a transfer between wallets: first the one whose wallet the money leaves.
    public let sides: [TransferSide]

    /// What it booked on all accounts: each wallet's own lines, and those of accounts that are no wallets. The sum is
    /// zero.
    public var lines: [AccountLine] {
        sides.flatMap { side in
            side.entries.flatMap { line in
                line.lines.enumerated().compactMap { place, accountLine in
                    if place == 0 { return accountLine }
                    if case .wallet = accountLine.account { return nil }
                    return accountLine
                }
            }
        }
    }
}

/// Re-derives a wallet's balances from the amounts of its journal alone.
struct BalanceDerivation {
    private(set) var balance: Int128? = 0
    private(set) var pendingDebit: Int128? = 0
    private(set) var pendingCredit: Int128? = 0

    /// Goes on by one entry. `creation` is the first entry of its transfer.
    mutating func add(_ entry: Entry, creation: Entry?) {
        balance = Self.sum(balance, entry.settledAmount)
        let held: Int128
        switch entry.kind {
        case .pending: held = entry.amount
        case .completed, .reverted, .expired: held = -(creation?.amount ?? 0)
        case .opened, .posted, .refused, .extended, .amended: return
        }
        switch entry.direction {
        case .debit: pendingDebit = Self.sum(pendingDebit, held)
        case .credit: pendingCredit = Self.sum(pendingCredit, held)
        case nil: break
        }
    }

    private static func sum(_ total: Int128?, _ amount: Int128) -> Int128? { total.flatMap { Money.sum($0, amount) } }
}
