import Ledger

/// The kinds of operations whose latencies are reported apart.
public enum BenchOperationKind: Int, Sendable, CaseIterable {
    /// A pending transfer.
    case create
    /// A transfer completed at once.
    case post
    /// The completion of a pending transfer.
    case complete
    /// The reversal of a pending transfer.
    case revert

    /// The name in reports.
    public var name: String {
        switch self {
        case .create: "create"
        case .post: "post"
        case .complete: "complete"
        case .revert: "revert"
        }
    }
}

/// Money moved by one operation, in minor units, on the three sums of a wallet.
struct Effect: Equatable, Sendable {
    var balance: Int64 = 0
    var pendingDebit: Int64 = 0
    var pendingCredit: Int64 = 0

    static func += (left: inout Effect, right: Effect) {
        left.balance += right.balance
        left.pendingDebit += right.pendingDebit
        left.pendingCredit += right.pendingCredit
    }

    static func + (left: Effect, right: Effect) -> Effect {
        var sum = left
        sum += right
        return sum
    }

    /// The parts that lower a sum, and those that raise one.
    var lowering: Effect {
        Effect(balance: min(0, balance), pendingDebit: min(0, pendingDebit), pendingCredit: min(0, pendingCredit))
    }
    var raising: Effect {
        Effect(balance: max(0, balance), pendingDebit: max(0, pendingDebit), pendingCredit: max(0, pendingCredit))
    }
}

/// A transfer of the run, as one of its wallets has it.
struct BenchTransfer: Equatable, Sendable {
    let id: RawUUID
    /// Index of the wallet in the run.
    let wallet: Int32
    /// Index of the other wallet; nil when the money comes from outside or goes there.
    var counterparty: Int32?
    /// Minor units, 1 to 999.
    let amount: Int16
    /// Money into the wallet (debit) or out of it (credit).
    let isDebit: Bool

    /// The transfer as the other wallet has it; nil when there is none.
    var mirrored: BenchTransfer? {
        guard let counterparty else { return nil }
        return BenchTransfer(
            id: id, wallet: counterparty, counterparty: wallet, amount: amount, isDebit: !isDebit)
    }

    /// What an operation of that kind does to the wallet.
    func effect(of kind: BenchOperationKind) -> Effect {
        let amount = Int64(amount)
        switch (kind, isDebit) {
        case (.create, true): return Effect(pendingDebit: amount)
        case (.create, false): return Effect(pendingCredit: amount)
        case (.post, true): return Effect(balance: amount)
        case (.post, false): return Effect(balance: -amount)
        case (.complete, true): return Effect(balance: amount, pendingDebit: -amount)
        case (.complete, false): return Effect(balance: -amount, pendingCredit: -amount)
        case (.revert, true): return Effect(pendingDebit: -amount)
        case (.revert, false): return Effect(pendingCredit: -amount)
        }
    }
}

/// One thing that is asked of the service, alone or in a batch.
struct BenchOperation: Equatable, Sendable {
    let kind: BenchOperationKind
    /// Of one that has two wallets: as the wallet has it that the answer shows.
    let transfer: BenchTransfer

    /// Whether it makes a transfer, or is about one that is there.
    var isCreation: Bool { kind == .create || kind == .post }
}
