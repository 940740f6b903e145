import Ledger
import LedgerStore
import Postgres

/// Compares a wallet's totals with its journal. Belongs to the thread of the audit.
final class TotalsAudit {
    /// Sums as the journal gives them; nil when they are beyond all bounds.
    private struct Day: Hashable {
        var debitCount: Int64 = 0
        var creditCount: Int64 = 0
        var debitAmount: Int128? = 0
        var creditAmount: Int128? = 0
    }

    private let connection: PostgresConnection
    private let parameters = PostgresParameters()
    private var days: [String: Day] = [:]
    private var world: Int128? = 0
    private var system: Int128? = 0

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
        world = 0
        system = 0
    }

    /// Goes on by entries.
    func step(_ records: [JournalRecord]) {
        for record in records {
            let amount = record.entry.settledAmount
            guard amount != 0 else { continue }
            var day = days[Self.day(record.entry.occurredAt)] ?? Day()
            if amount > 0 {
                day.debitCount += 1
                day.debitAmount = Self.sum(day.debitAmount, amount)
            } else {
                day.creditCount += 1
                day.creditAmount = Self.sum(day.creditAmount, -amount)
            }
            days[Self.day(record.entry.occurredAt)] = day
            for line in record.entry.lines(creation: record.creation) {
                switch line.account {
                case .wallet: continue
                case .world: world = Self.sum(world, line.amount)
                case .system: system = Self.sum(system, line.amount)
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
            if let sum, text != "\(sum)" {
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
                (journal.debitAmount.map { "\($0)" == amounts.0 } ?? true)
                && (journal.creditAmount.map { "\($0)" == amounts.1 } ?? true)
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

    private static func sum(_ total: Int128?, _ amount: Int128) -> Int128? {
        guard let (sum, isTooLarge) = total?.addingReportingOverflow(amount), !isTooLarge else { return nil }
        return sum
    }
}
