/// Walks a wallet's journal in order and re-derives every balance from the amounts alone.
public struct JournalWalk: Sendable {
    /// A journal row that does not follow from the rows before it.
    public struct Discrepancy: Hashable, Sendable, CustomStringConvertible {
        /// The wallet.
        public let walletID: WalletID
        /// The version of the row.
        public let version: Int64
        /// What is wrong, with the stored and the derived value.
        public let problem: String

        /// A discrepancy out of its parts.
        public init(walletID: WalletID, version: Int64, problem: String) {
            self.walletID = walletID
            self.version = version
            self.problem = problem
        }

        /// One line for a log or a report.
        public var description: String { "wallet \(walletID) version \(version): \(problem)" }
    }

    /// The wallet.
    public let walletID: WalletID
    /// The version of the last row walked over; 0 before the first.
    public private(set) var version: Int64
    /// Settled money, derived.
    public private(set) var balance: Int128
    /// Announced money, derived.
    public private(set) var pendingDebit: Int128
    /// Reserved money, derived.
    public private(set) var pendingCredit: Int128
    /// The overdraft limit in force.
    public private(set) var overdraftLimit: Int128
    /// The wallet's status.
    public private(set) var status: WalletStatus

    /// Begins before the first row of a wallet's journal.
    public init(walletID: WalletID) {
        self.walletID = walletID
        version = 0
        balance = 0
        pendingDebit = 0
        pendingCredit = 0
        overdraftLimit = 0
        status = .active
    }

    /// Begins after a row that was walked over before.
    public init(after entry: Entry) {
        walletID = entry.walletID
        version = entry.version
        balance = entry.balance
        pendingDebit = entry.pendingDebit
        pendingCredit = entry.pendingCredit
        overdraftLimit = entry.overdraftLimit
        status = entry.status
    }

    /// Goes on by one row. `creation` is the first row of its transfer; it may be the row itself.
    /// After a discrepancy the walk goes on from what the row says, so that one fault is told once.
    public mutating func step(_ entry: Entry, creation: Entry?) -> [Discrepancy] {
        var problems: [String] = []
        if entry.walletID != walletID { problems.append("belongs to wallet \(entry.walletID)") }
        if entry.version != version &+ 1 { problems.append("follows version \(version)") }
        apply(entry, creation: creation, &problems)
        compare("balance", stored: entry.balance, derived: balance, &problems)
        compare("pending debit", stored: entry.pendingDebit, derived: pendingDebit, &problems)
        compare("pending credit", stored: entry.pendingCredit, derived: pendingCredit, &problems)
        checkStanding(entry, &problems)
        self = JournalWalk(after: entry)
        return problems.map { Discrepancy(walletID: entry.walletID, version: entry.version, problem: $0) }
    }

    private mutating func apply(_ entry: Entry, creation: Entry?, _ problems: inout [String]) {
        let held = creation?.amount ?? 0
        switch (entry.kind, entry.direction) {
        case (.opened, _):
            Self.add(entry.amount, to: &balance, &problems)
        case (.pending, .debit):
            Self.add(entry.amount, to: &pendingDebit, &problems)
        case (.pending, .credit):
            Self.add(entry.amount, to: &pendingCredit, &problems)
        case (.posted, .debit):
            Self.add(entry.amount, to: &balance, &problems)
        case (.posted, .credit):
            Self.take(entry.amount, from: &balance, &problems)
        case (.completed, .debit):
            Self.take(held, from: &pendingDebit, &problems)
            Self.add(entry.amount, to: &balance, &problems)
        case (.completed, .credit):
            Self.take(held, from: &pendingCredit, &problems)
            Self.take(entry.amount, from: &balance, &problems)
        case (.reverted, .debit), (.expired, .debit):
            Self.take(held, from: &pendingDebit, &problems)
        case (.reverted, .credit), (.expired, .credit):
            Self.take(held, from: &pendingCredit, &problems)
        case (.extended, .debit), (.extended, .credit), (.refused, _), (.amended, _):
            break
        case (.pending, nil), (.posted, nil), (.completed, nil), (.reverted, nil), (.expired, nil), (.extended, nil):
            problems.append("has no direction")
        }
        switch entry.kind {
        case .completed, .reverted, .expired, .extended:
            guard let creation, creation.kind == .pending, creation.transferID == entry.transferID else {
                problems.append("is about a transfer that was never pending")
                return
            }
            if entry.direction != creation.direction { problems.append("has another direction than its transfer") }
            if entry.kind == .completed {
                if entry.amount > creation.amount {
                    problems.append("settles more than the pending \(creation.amount)")
                }
            } else if entry.amount != creation.amount {
                problems.append("tells of \(entry.amount), not of the pending \(creation.amount)")
            }
        case .amended:
            if entry.amount != 0 || entry.transferID != nil || entry.direction != nil {
                problems.append("amends the wallet and moves money")
            }
        case .opened, .pending, .posted, .refused:
            break
        }
    }

    /// Only amendments change status and overdraft limit, and nothing follows the closing of a wallet.
    private func checkStanding(_ entry: Entry, _ problems: inout [String]) {
        if status == .closed { problems.append("follows the closing of the wallet") }
        if entry.kind == .amended {
            let isEmpty = entry.balance == 0 && entry.pendingDebit == 0 && entry.pendingCredit == 0
            if entry.status == .closed, !isEmpty { problems.append("closes a wallet that is not empty") }
            return
        }
        if entry.status != status {
            problems.append("changes the status from \(status.word) to \(entry.status.word)")
        }
        compare("overdraft limit", stored: entry.overdraftLimit, derived: overdraftLimit, &problems)
    }

    // Stored values may be anything: a sum beyond the type's range is one more thing to tell of.

    private static func add(_ amount: Int128, to sum: inout Int128, _ problems: inout [String]) {
        let (result, isTooLarge) = sum.addingReportingOverflow(amount)
        if isTooLarge { problems.append("\(sum) and \(amount) minor units add up beyond all bounds") }
        sum = result
    }

    private static func take(_ amount: Int128, from sum: inout Int128, _ problems: inout [String]) {
        let (result, isTooLarge) = sum.subtractingReportingOverflow(amount)
        if isTooLarge { problems.append("\(sum) less \(amount) minor units is beyond all bounds") }
        sum = result
    }

    private func compare(_ what: String, stored: Int128, derived: Int128, _ problems: inout [String]) {
        if stored != derived { problems.append("\(what) is stored as \(stored) and derived as \(derived) minor units") }
    }
}
