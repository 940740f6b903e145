import Foundation
import JSON
import TestSupport

/// Counts the money: derives every balance again from the journal's rows, and compares with what the tables, the
/// projections, the API and the clients' own records say. Its arithmetic is its own.
struct MoneyAudit {
    /// A journal row, as the table has it.
    struct Row {
        let wallet: String
        let version: Int
        let kind: Int
        let direction: Int
        let amount: Int
        let balance: Int
        let pendingDebit: Int
        let pendingCredit: Int
        let transfer: String?
        let counterparty: String?
        let key: String?
    }

    /// A wallet as something says it is.
    struct Sums: Equatable {
        var version = 0
        var balance = 0
        var pendingDebit = 0
        var pendingCredit = 0
    }

    let stack: WalletStack
    private(set) var findings: [String] = []
    private(set) var rows: [Row] = []

    init(_ stack: WalletStack) { self.stack = stack }

    /// Everything; nothing may be in flight.
    mutating func run(_ records: [MoneyRecord]) async throws {
        try await readJournal()
        let derived = walk()
        try await compareTables(derived)
        try await compareProjections()
        compareSides()
        let effects = records.flatMap(\.effects)
        compareRecords(effects)
        try await compareRefusals(effects)
        try await compareBatches(records)
        try await compareAPI(derived)
        try await compareWorld(derived)
    }

    mutating func find(_ text: String) { findings.append(text) }

    private mutating func readJournal() async throws {
        let texts = try await stack.rows(
            """
            SELECT wallet_id::text, version::text, kind::text, coalesce(direction, 0)::text, amount::text,
                balance::text, pending_debit::text, pending_credit::text, transfer_id::text, reference_id,
                counterparty::text
            FROM ledger.journal AS j ORDER BY j.wallet_id, j.version
            """)
        rows = texts.map { text in
            let number = { (column: Int) in Int(text[column] ?? "") ?? .min }
            return Row(
                wallet: text[0] ?? "", version: number(1), kind: number(2), direction: number(3), amount: number(4),
                balance: number(5), pendingDebit: number(6), pendingCredit: number(7), transfer: text[8],
                counterparty: text[10], key: text[9])
        }
    }

    /// The journal's rows one after the other; returns what each wallet must hold.
    private mutating func walk() -> [String: Sums] {
        var wallets: [String: Sums] = [:]
        var held: [String: Int] = [:]
        for row in rows {
            var sums = wallets[row.wallet] ?? Sums()
            sums.version += 1
            let transfer = "\(row.wallet) \(row.transfer ?? "")"
            let sign = row.direction == 1 ? 1 : -1
            switch row.kind {
            case 1: sums.balance += row.amount
            case 2:
                hold(&sums, row.direction, row.amount)
                if held.updateValue(row.amount, forKey: transfer) != nil { find("created twice: \(row)") }
            case 3: sums.balance += sign * row.amount
            case 4, 5, 6:
                guard let amount = held.removeValue(forKey: transfer) else {
                    find("resolves what is not pending: \(row)")
                    break
                }
                hold(&sums, row.direction, -amount)
                if row.kind == 4 { sums.balance += sign * row.amount }
                if row.amount > amount { find("more than was pending: \(row)") }
            case 7: break
            case 8: if held[transfer] != row.amount { find("extends what is not pending: \(row)") }
            case 9: if row.amount != 0 { find("changes a wallet by money: \(row)") }
            default: find("unknown kind: \(row)")
            }
            let stored = Sums(
                version: row.version, balance: row.balance, pendingDebit: row.pendingDebit,
                pendingCredit: row.pendingCredit)
            if stored != sums { find("\(row) is not \(sums)") }
            if sums.balance - sums.pendingCredit < 0 { find("overdrawn: \(row)") }
            wallets[row.wallet] = sums
        }
        return wallets
    }

    /// Of each change of a transfer between two wallets both have a row, with the money in opposite directions.
    private mutating func compareSides() {
        var sides: [String: Int] = [:]
        // A refused credit is an entry of the wallet alone that the money was to leave.
        for row in rows where row.kind != 7 {
            guard let other = row.counterparty else { continue }
            let wallets = [row.wallet, other].sorted().joined(separator: " ")
            sides["\(wallets) \(row.transfer ?? "") \(row.kind) \(row.amount)", default: 0] +=
                row.direction == 1 ? 1 : -1
        }
        for (change, sum) in sides where sum != 0 { find("told by one wallet only: \(change)") }
    }

    private func hold(_ sums: inout Sums, _ direction: Int, _ amount: Int) {
        if direction == 1 { sums.pendingDebit += amount } else { sums.pendingCredit += amount }
    }

    private mutating func compareTables(_ derived: [String: Sums]) async throws {
        let stored = try await stack.rows(
            """
            SELECT w.id::text, w.version::text, w.balance::text, w.pending_debit::text, w.pending_credit::text,
                coalesce(sum(t.amount) FILTER (WHERE t.direction = 1), 0)::text,
                coalesce(sum(t.amount) FILTER (WHERE t.direction = 2), 0)::text
            FROM ledger.wallets w LEFT JOIN ledger.transfers t ON t.wallet_id = w.id AND t.status = 1
            GROUP BY w.id
            """)
        if stored.count != derived.count { find("\(stored.count) wallets, \(derived.count) in the journal") }
        for text in stored {
            let number = { (column: Int) in Int(text[column] ?? "") ?? .min }
            let sums = Sums(
                version: number(1), balance: number(2), pendingDebit: number(3), pendingCredit: number(4))
            if derived[text[0] ?? ""] != sums { find("wallet \(text) is not \(derived[text[0] ?? ""] ?? Sums())") }
            if number(5) != sums.pendingDebit || number(6) != sums.pendingCredit { find("holds differ: \(text)") }
        }
        let twice = try await stack.count(
            """
            SELECT count(*)::text FROM (SELECT 1 FROM ledger.journal WHERE reference_id IS NOT NULL
                GROUP BY wallet_id, reference_id HAVING count(*) > 1) x
            """)
        if twice != 0 { find("\(twice) keys have more than one effect") }
    }

    private mutating func compareProjections() async throws {
        for (name, statement) in Self.differences {
            let count = try await stack.count("SELECT count(*)::text FROM (\(statement)) x")
            if count != 0 { find("\(name): \(count)") }
        }
    }

    /// Each row these return is a difference between the ledger and its projections.
    static let differences: [(name: String, statement: String)] = [
        ("wallets that are not projected", walletRows("ledger") + " EXCEPT " + walletRows("projection")),
        ("projected wallets that are not", walletRows("projection") + " EXCEPT " + walletRows("ledger")),
        ("transfers that are not projected", ledgerTransfers + " EXCEPT " + projectedTransfers),
        ("projected transfers that are not", projectedTransfers + " EXCEPT " + ledgerTransfers),
        (
            "wallets whose totals are behind",
            "SELECT 1 FROM ledger.wallets w LEFT JOIN projection.totals_wallets t ON t.wallet_id = w.id"
                + " WHERE t.version IS DISTINCT FROM w.version"
        ),
        ("dead letters", "SELECT 1 FROM projection.dead_letters"),
    ]

    private static func walletRows(_ schema: String) -> String {
        """
        SELECT id, version, status, asset, balance, pending_debit, pending_credit, overdraft_limit, owner_id, metadata,
            created_at, updated_at FROM \(schema).wallets
        """
    }

    private static let ledgerTransfers = """
        SELECT t.wallet_id, t.transfer_id, t.created_version, j.version, t.status, t.direction, t.amount, t.expires_at,
            t.counterparty, j.balance, j.pending_debit, j.pending_credit
        FROM ledger.transfers t JOIN ledger.journal j ON j.wallet_id = t.wallet_id
            AND j.version = coalesce(t.resolved_version, t.extended_version, t.created_version)
        """
    private static let projectedTransfers = """
        SELECT wallet_id, transfer_id, created_version, version, status, direction, amount, expires_at, counterparty,
            wallet_balance, wallet_pending_debit, wallet_pending_credit FROM projection.transfers
        """

    /// Whether the projections equal the ledger, nothing waits in the outbox, and nothing overdue is still pending.
    static func isSettled(_ stack: WalletStack) async throws -> Bool {
        let union = differences.map { "(SELECT 1 FROM (\($0.statement)) x LIMIT 1)" }.joined(separator: " UNION ALL ")
        let statement = """
            SELECT ((SELECT count(*) FROM (\(union)) d)
                + (SELECT count(*) FROM ledger.outbox WHERE published_at IS NULL)
                + (SELECT count(*) FROM ledger.expirations WHERE expires_at < now()))::text
            """
        return try await stack.count(statement) == 0
    }
}
