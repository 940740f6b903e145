import Ledger
import LedgerStore
import Postgres

/// Compares a wallet's totals with its journal. Belongs to the thread of the audit.
final class TotalsAudit {
    /// Sums as the journal gives them.
    private struct Day: Hashable {
        var debitCount: Int64 = 0
        var creditCount: Int64 = 0
        var debitAmount = MoneyTotal()
        var creditAmount = MoneyTotal()
    }

    private let connection: PostgresConnection
    private let parameters = PostgresParameters()
    private var days: [String: Day] = [:]
    private var world = MoneyTotal()
    private var system = MoneyTotal()

    private static let statements = [
        "totals_of", "totals_days_of",
    ]

    init(connection: PostgresConnection) throws {
        self.connection = connection
        for name in Self.statements {
            guard let sql = TotalsStatements.projection[name] else { continue }
            try connection.prepare(name, sql)
        }
        try connection.prepare("totals_audit_outside", TotalsStatements.outsideAudit)
    }

    /// Begins with a wallet.
    func begin() {
        days.removeAll()
        world = MoneyTotal()
        system = MoneyTotal()
    }

    /// Goes on by entries.
    func step(_ records: [JournalRecord]) {
        for record in records {
            let amount = record.entry.settledAmount
            guard amount != 0 else { continue }
            var day = days[Self.day(record.entry.occurredAt)] ?? Day()
            if amount > 0 {
                day.debitCount += 1
                day.debitAmount.add(amount)
            } else {
                day.creditCount += 1
                day.creditAmount.add(-amount)
            }
            days[Self.day(record.entry.occurredAt)] = day
            for line in record.entry.lines(creation: record.creation) {
                switch line.account {
                case .wallet: continue
                case .world: world.add(line.amount)
                case .system: system.add(line.amount)
                }
            }
        }
    }

    /// The end of a wallet whose newest entry is `newest`. What is younger than `horizon` may still be on its way.
    func finish(_ wallet: Wallet, newest: Entry, horizon: Timestamp) throws -> [Drift] {
        parameters.removeAll()
        parameters.append(uuid: wallet.id.uuid.bits)
        // As of one moment: a keeper may be at it.
        let (stored, counted) = try connection.transaction(.readOnlySnapshot) { connection in
            (try connection.query("totals_of", parameters), try connection.query("totals_days_of", parameters))
        }
        func drift(_ problem: String) -> Drift {
            Drift(kind: .totals, walletID: wallet.id, version: newest.version, problem: problem)
        }
        let version = stored.isEmpty ? 0 : try stored.int64(0, 0)
        if version < newest.version {
            guard newest.occurredAt <= horizon else { return [] }
            return [drift("totals are counted up to version \(version), the journal is at \(newest.version)")]
        }
        // More was counted since the journal was read.
        guard version == newest.version else { return [] }
        var drifts: [Drift] = []
        for (what, column, sum) in [("world", 1, world), ("system", 2, system)] {
            let text = try stored.text(0, column)
            if text != "\(sum)" {
                drifts.append(drift("the share of \(what) is \(text), in the journal \(sum) minor units"))
            }
        }
        var rest = days
        for row in 0..<counted.rowCount {
            let day = try counted.text(row, 0)
            let journal = rest.removeValue(forKey: day) ?? Day()
            let sameCounts =
                try counted.int64(row, 1) == journal.debitCount
                && counted.int64(row, 2) == journal.creditCount
            let amounts = (try counted.text(row, 3), try counted.text(row, 4))
            let sameAmounts =
                amounts.0 == "\(journal.debitAmount)" && amounts.1 == "\(journal.creditAmount)"
            if !sameCounts || !sameAmounts { drifts.append(drift("the totals of \(day) are not the journal's")) }
        }
        for day in rest.keys.sorted() { drifts.append(drift("the totals of \(day) are missing")) }
        return drifts
    }

    /// Whether the outside accounts hold what all wallets' entries booked on them.
    func outside() throws -> [Drift] {
        let result = try connection.query("totals_audit_outside")
        return try (0..<result.rowCount).map { row in
            let (asset, account) = (try result.text(row, 0), try result.text(row, 1))
            return Drift(
                kind: .totals, walletID: WalletID(RawUUID(bits: 0)), version: 0,
                problem: "the account \(account) of \(asset) holds \(try result.text(row, 2)) minor units, "
                    + "all wallets booked \(try result.text(row, 3)) on it")
        }
    }

    /// The day in UTC, as PostgreSQL writes it.
    private static func day(_ moment: Timestamp) -> String { String(moment.text.prefix(10)) }
}
