import Events
public import Ledger
import LedgerStore
public import Postgres
public import Runtime

/// Verifies wallets from their first journal entry on: the journal by itself, state and transfers against the journal,
/// the projections against both. Changes nothing.
public struct CompleteAudit: Sendable {
    /// Wallets whose ledger is read as of one moment.
    private static let page = 50

    private let ledger: PostgresConfiguration
    private let projection: PostgresConfiguration
    private let assets: AssetTable
    private let grace: Duration
    private let totals: Bool
    private let clock: Clock

    /// Reads `ledger` and `projection`. What is younger than `grace` may still be on its way to the projections.
    /// Without `totals` those are not looked at.
    public init(
        ledger: PostgresConfiguration, projection: PostgresConfiguration, assets: AssetTable,
        grace: Duration = .seconds(5), totals: Bool = true, clock: Clock = .system
    ) {
        self.ledger = ledger
        self.projection = projection
        self.assets = assets
        self.grace = grace
        self.totals = totals
        self.clock = clock
    }

    /// Audits one wallet. Nil when neither the ledger nor the projections know it.
    public func audit(_ wallet: WalletID) async throws -> AuditReport? {
        try await runOnOwnThread("audit") {
            let session = try session()
            var report = AuditReport()
            try session.audit([wallet], into: &report)
            if report.wallets == 0 {
                guard let stray = try session.view.wallet(wallet) else { return nil }
                try session.addStray(stray, to: &report)
            }
            return report
        }
    }

    /// Audits all wallets in id order. `progress` is told what was found so far, now and then; returning false ends
    /// the work.
    public func auditAll(_ progress: @escaping @Sendable (AuditReport) -> Bool) async throws -> AuditReport {
        try await runOnOwnThread("audit") {
            let session = try session()
            var report = AuditReport()
            var cursor: WalletID?
            while true {
                let ids = try session.journal.wallets(after: cursor, limit: Self.page).map(\.wallet.id)
                try session.audit(ids, into: &report)
                let isLast = ids.count < Self.page
                try session.findStrays(after: cursor, through: isLast ? nil : ids.last, known: Set(ids), &report)
                cursor = ids.last
                guard progress(report), !isLast else { break }
            }
            try session.finish(&report)
            return report
        }
    }

    private func session() throws -> CompleteAuditSession {
        try CompleteAuditSession(
            ledger: ledger, projection: projection, assets: assets, grace: grace, totals: totals, clock: clock)
    }
}

/// The connections of one complete audit; belongs to its thread.
private final class CompleteAuditSession {
    private static let piece = 1000

    let journal: JournalReader
    let view: ProjectionView
    private let ledger: PostgresConnection
    private let projection: PostgresConnection
    /// Keeps the statements that the view uses.
    private let writer: ProjectionWriter
    private let book: BookAudit
    private let totals: TotalsAudit?
    private let grace: Duration
    private let clock: Clock

    init(
        ledger: PostgresConfiguration, projection: PostgresConfiguration, assets: AssetTable, grace: Duration,
        totals: Bool, clock: Clock
    ) throws {
        self.ledger = PostgresConnection(configuration: ledger.keepingToIndexes)
        self.projection = PostgresConnection(configuration: projection.keepingToIndexes)
        self.grace = grace
        self.clock = clock
        journal = try JournalReader(connection: self.ledger, assets: assets)
        writer = try ProjectionWriter(connection: self.projection)
        view = ProjectionView(connection: self.projection, assets: assets)
        book = try BookAudit(connection: self.ledger, assets: assets)
        self.totals = totals ? try TotalsAudit(connection: self.projection) : nil
        try self.ledger.connect()
        try self.projection.connect()
    }

    /// Audits wallets, all of the ledger as of one moment.
    func audit(_ wallets: [WalletID], into report: inout AuditReport) throws {
        var ahead: [ProjectedWallet] = []
        var found = AuditReport()
        try ledger.transaction(.readOnlySnapshot) { _ in
            for id in wallets {
                guard let stored = try journal.wallet(id) else { continue }
                found.wallets += 1
                let projected = try view.wallet(id)
                try audit(stored, projected, &found)
                if let projected, projected.wallet.version > stored.wallet.version { ahead.append(projected) }
            }
        }
        // Now the ledger is asked anew: the projections may have seen what happened since.
        for projected in ahead {
            let known = try journal.wallet(projected.wallet.id)?.wallet.version ?? 0
            if projected.wallet.version > known {
                found.add(
                    Drift(
                        kind: .projectionAhead, walletID: projected.wallet.id, version: projected.wallet.version,
                        problem: "is projected at version \(projected.wallet.version), the ledger is at \(known)"))
            }
        }
        report.merge(found)
    }

    /// Reports projected wallets that the ledger does not know.
    func findStrays(
        after first: WalletID?, through last: WalletID?, known: Set<WalletID>, _ report: inout AuditReport
    ) throws {
        var cursor = first
        while true {
            let projected = try view.wallets(after: cursor, through: last, limit: Self.piece)
            for one in projected where !known.contains(one.wallet.id) { try addStray(one, to: &report) }
            cursor = projected.last?.wallet.id
            if projected.count < Self.piece { return }
        }
    }

    func addStray(_ stray: ProjectedWallet, to report: inout AuditReport) throws {
        guard try journal.wallet(stray.wallet.id) == nil else { return }
        report.add(
            Drift(
                kind: .projectionUnknown, walletID: stray.wallet.id, version: stray.wallet.version,
                problem: "is projected, but the ledger has no such wallet"))
    }

    private func audit(_ stored: StoredWallet, _ projected: ProjectedWallet?, _ report: inout AuditReport) throws {
        let wallet = stored.wallet
        for drift in Comparison.state(of: stored) { report.add(drift) }
        let horizon = Timestamp(microseconds: clock.wallMicroseconds() - grace.wholeNanoseconds / 1000)
        let counts = try walk(stored, horizon, &report)
        try auditTransfers(wallet, counts, &report)
        guard let newest = stored.newest else { return }
        let version = projected?.wallet.version ?? 0
        if let projected, version == newest.version {
            for drift in Comparison.projected(projected.wallet, newest, wallet) { report.add(drift) }
            let there = try view.transferCount(of: wallet.id, through: newest.version)
            if there > counts.created {
                report.add(
                    Drift(
                        kind: .projectionUnknown, walletID: wallet.id, version: newest.version,
                        problem: "\(there) transfers are projected, the journal created \(counts.created)"))
            }
        } else if version < newest.version, newest.occurredAt <= horizon {
            let what = projected == nil ? "is not projected" : "is projected at version \(version)"
            report.add(
                Drift(
                    kind: .projectionBehind, walletID: wallet.id, version: newest.version,
                    problem: "\(what), the journal is at \(newest.version)"))
        }
    }

    /// Walks over the whole journal and compares each transfer with its projection. Returns how many transfers were
    /// created and how many of them were resolved later.
    private func walk(
        _ stored: StoredWallet, _ horizon: Timestamp, _ report: inout AuditReport
    ) throws -> (created: Int, resolved: Int) {
        let wallet = stored.wallet
        var walk = JournalWalk(walletID: wallet.id)
        var counts = (created: 0, resolved: 0)
        book.begin(wallet)
        totals?.begin()
        while true {
            let records = try journal.records(of: wallet, after: walk.version, limit: Self.piece)
            for drift in try book.step(records, after: walk.version) { report.add(drift) }
            totals?.step(records)
            for record in records {
                for discrepancy in walk.step(record.entry, creation: record.creation) {
                    report.add(
                        Drift(
                            kind: .journal, walletID: wallet.id, version: discrepancy.version,
                            problem: discrepancy.problem))
                }
                switch record.entry.kind {
                case .pending, .posted, .refused: counts.created += 1
                case .completed, .reverted, .expired: counts.resolved += 1
                case .opened, .extended, .amended: break
                }
            }
            report.entries += records.count
            try compareTransfers(records, horizon, &report)
            if records.count < Self.piece { break }
        }
        for drift in try book.finish() { report.add(drift) }
        if let totals, let newest = stored.newest {
            for drift in try totals.finish(wallet, newest: newest, horizon: horizon) { report.add(drift) }
        }
        return counts
    }

    /// What can be said of all wallets together only.
    func finish(_ report: inout AuditReport) throws {
        guard let totals else { return }
        for drift in try totals.outside() { report.add(drift) }
    }

    private func compareTransfers(
        _ records: [JournalRecord], _ horizon: Timestamp, _ report: inout AuditReport
    ) throws {
        var newest: [ProjectedKey: Transfer] = [:]
        for record in records {
            guard let transfer = record.event.transfer, record.entry.occurredAt <= horizon else { continue }
            newest[ProjectedKey(wallet: transfer.walletID, transfer: transfer.id)] = transfer
        }
        let projected = try view.transfers(Array(newest.keys))
        for (key, transfer) in newest {
            if let there = projected[key], there.version >= transfer.version {
                guard there.version == transfer.version else { continue }
                for drift in Comparison.projected(there, transfer) { report.add(drift) }
            } else {
                let version = projected[key].map { "at version \($0.version)" } ?? "not"
                report.add(
                    Drift(
                        kind: .projectionBehind, walletID: key.wallet, version: transfer.version,
                        problem: "transfer \(key.transfer) is \(version) projected"))
            }
        }
    }

    /// Each row must say what the journal says, and there must be as many as the journal created and resolved: then
    /// the table and the journal say the same. What is pending must sum up to what the wallet holds.
    private func auditTransfers(
        _ wallet: Wallet, _ counts: (created: Int, resolved: Int), _ report: inout AuditReport
    ) throws {
        var cursor: TransferID?
        var rows = 0
        var resolved = 0
        var debits: Int128? = 0
        var credits: Int128? = 0
        while true {
            let transfers = try journal.transfers(of: wallet.id, after: cursor, limit: Self.piece)
            for row in transfers {
                for drift in Comparison.transfer(row, of: wallet.id) { report.add(drift) }
                if let version = row.resolvedVersion, version != row.createdVersion { resolved += 1 }
                guard row.status == TransferStatus.pending.rawValue else { continue }
                if row.direction == Direction.debit.rawValue {
                    debits = Self.sum(debits, row.amount)
                } else {
                    credits = Self.sum(credits, row.amount)
                }
            }
            rows += transfers.count
            cursor = transfers.last?.id
            if transfers.count < Self.piece { break }
        }
        report.transfers += rows
        for drift in Comparison.open(wallet, debits: debits, credits: credits) { report.add(drift) }
        guard rows != counts.created || resolved != counts.resolved else { return }
        report.add(
            Drift(
                kind: .transfers, walletID: wallet.id, version: wallet.version,
                problem: "has \(rows) transfers, \(resolved) of them resolved later; the journal created "
                    + "\(counts.created) and resolved \(counts.resolved)"))
    }

    /// Nil past the range of the type.
    private static func sum(_ total: Int128?, _ amount: Int128) -> Int128? {
        guard let (sum, isTooLarge) = total?.addingReportingOverflow(amount), !isTooLarge else { return nil }
        return sum
    }
}
