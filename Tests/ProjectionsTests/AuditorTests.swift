import Ledger
import Observability
import Postgres
import Runtime
import TestSupport
import Testing

@testable import Projections

/// What the auditor mends, and what it only tells.
@Suite struct AuditorTests {
    private static func start(_ path: EventPath, grace: Duration = .zero) throws -> Auditor {
        var configuration = AuditorConfiguration()
        configuration.grace = grace
        configuration.chunk = 3
        configuration.shortestSweep = .milliseconds(50)
        return path.start(
            try Auditor(
                configuration: configuration, ledger: try path.database.configuration(),
                projection: try path.projectionDatabase.configuration(), assets: AssetTable(), logger: path.logger,
                metrics: path.metrics))
    }

    private static func projectAll(_ path: EventPath) async throws {
        let rebuilder = Rebuilder(
            ledger: try path.database.configuration(), projection: try path.projectionDatabase.configuration(),
            assets: AssetTable())
        let report = try await rebuilder.rebuildAll { _ in true }
        #expect(report.wallets > 0 && report.discrepancies.isEmpty)
    }

    private static func drift(_ path: EventPath, _ kind: DriftKind) -> Int {
        path.count("wallet_drift_total", ["kind": kind.rawValue])
    }

    /// Waits for the ends of sweeps that began from now on.
    private static func sweep(_ path: EventPath) async throws {
        let before = path.count("wallet_audit_sweeps_total")
        try await eventually("two sweeps end") { path.count("wallet_audit_sweeps_total") >= before + 2 }
    }

    @Test func emptyProjectionsAreFilledFromTheJournal() async throws {
        try await EventPath.run { path in
            try await path.traffic(try await path.openMany(8), rounds: 8)
            let hot = try await path.open(1_000_000)
            // More entries than are read at once.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<1300 {
                    group.addTask { try await path.transfer(hot, .debit, 1, atOnce: true) }
                }
                try await group.waitForAll()
            }
            _ = try Self.start(path)
            try await path.expectBooksToAgree()
            #expect(path.count("wallet_projection_healed_total", ["kind": "wallet"]) >= 9)
            #expect(
                path.count("wallet_projection_healed_total", ["kind": "transfer"])
                    == (try path.number("SELECT count(*) FROM ledger.transfers")))
            for kind in DriftKind.allCases { #expect(Self.drift(path, kind) == 0) }
            try await Self.sweep(path)
            #expect(
                try path.projectedNumber("SELECT count(*) FROM projection.wallets WHERE audited_version = version")
                    == 9)
        }
    }

    @Test func whatIsBehindOrMissingIsHealed() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(4)
            try await path.traffic(wallets, rounds: 4)
            try await Self.projectAll(path)
            let rows = try path.projectedRows()
            try path.executeOnProjections(
                """
                DELETE FROM projection.wallets WHERE id = '\(wallets[0])';
                UPDATE projection.wallets SET version = 1, balance = 7 WHERE id = '\(wallets[1])';
                UPDATE projection.wallets SET audited_version = 1 WHERE id IN ('\(wallets[2])', '\(wallets[3])');
                DELETE FROM projection.transfers WHERE wallet_id = '\(wallets[2])' AND created_version = 2;
                UPDATE projection.transfers SET version = 2, status = 1 WHERE wallet_id = '\(wallets[3])'
                    AND created_version = 2;
                """)
            #expect(try await !path.audit().isClean)
            _ = try Self.start(path)
            try await path.expectBooksToAgree()
            #expect(try path.projectedRows() == rows)
            for kind in DriftKind.allCases { #expect(Self.drift(path, kind) == 0) }
        }
    }

    @Test func whatIsYoungIsLeftToTheProjector() async throws {
        try await EventPath.run { path in
            try await path.traffic(try await path.openMany(4), rounds: 2)
            _ = try Self.start(path, grace: .seconds(3600))
            try await Self.sweep(path)
            #expect(try path.projectedNumber("SELECT count(*) FROM projection.wallets") == 0)
        }
    }

    @Test func driftIsToldOnceAndNeverMended() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(6)
            try await path.traffic(wallets, rounds: 4)
            try await Self.projectAll(path)
            try path.execute(
                """
                UPDATE ledger.wallets SET balance = balance + 1 WHERE id = '\(wallets[0])';
                ALTER TABLE ledger.journal DISABLE TRIGGER journal_keeps_rows;
                UPDATE ledger.journal SET balance = balance + 5 WHERE wallet_id = '\(wallets[1])' AND version = 3;
                UPDATE projection.wallets SET audited_version = 0 WHERE id = '\(wallets[1])';
                UPDATE projection.wallets SET balance = balance + 1 WHERE id = '\(wallets[2])';
                UPDATE projection.wallets SET version = version + 9 WHERE id = '\(wallets[3])';
                UPDATE projection.wallets SET audited_version = 1 WHERE id = '\(wallets[4])';
                UPDATE projection.transfers SET amount = amount + 1
                    WHERE wallet_id = '\(wallets[4])' AND created_version = version;
                UPDATE ledger.transfers SET amount = amount + 1 WHERE wallet_id = '\(wallets[5])' AND status = 2
                    AND created_version = 2;
                INSERT INTO projection.wallets SELECT (p.w).* FROM (
                    SELECT jsonb_populate_record(w, '{"id": "00000000-0000-4000-8000-000000000001"}') AS w
                    FROM projection.wallets w WHERE id = '\(wallets[2])') p;
                """)
            let rows = try path.projectedRows()
            _ = try Self.start(path)
            try await eventually("all is found") {
                Self.drift(path, .state) == 1 && Self.drift(path, .journal) == 2
                    && Self.drift(path, .projectionDiffers) >= 3 && Self.drift(path, .projectionAhead) == 1
                    && Self.drift(path, .projectionUnknown) == 1
            }
            let differing = Self.drift(path, .projectionDiffers)
            try await Self.sweep(path)
            // Counted once while it lasts, and left as it is.
            #expect(Self.drift(path, .state) == 1 && Self.drift(path, .projectionDiffers) == differing)
            #expect(try path.projectedRows() == rows)
            #expect(path.log.text.contains("the books disagree"))
            // And kept where other processes see it.
            let kept = try path.projectedNumber("SELECT count(DISTINCT wallet_id) FROM projection.drift")
            #expect(kept == 6)
            // Neither mark has passed what is wrong, so that every sweep finds it again.
            let journalFault = "id = '\(wallets[1])' AND audited_version = 2"
            let projectedFault = "id = '\(wallets[4])' AND audited_version < version"
            for condition in [journalFault, projectedFault] {
                #expect(
                    try path.projectedNumber("SELECT count(*) FROM projection.wallets WHERE \(condition)") == 1,
                    "\(condition)")
            }
            #expect(path.metrics.gauge("wallet_drift_wallets", "").current == 6)
            let report = try await path.audit()
            let kinds = Set(report.drifts.map(\.kind))
            #expect(kinds.isSuperset(of: [.state, .journal, .transfers, .projectionAhead, .projectionDiffers]))
            #expect(kinds.contains(.projectionUnknown))
        }
    }

    @Test func whatASweepFoundIsKeptUntilItIsWritten() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(2)
            try await Self.projectAll(path)
            try path.execute("UPDATE ledger.wallets SET balance = balance + 1 WHERE id = '\(wallets[0])'")
            try path.executeOnProjections("ALTER TABLE projection.drift ADD CONSTRAINT no_drift CHECK (kind = 'none')")
            _ = try Self.start(path)
            try await eventually("the sweep cannot end") { path.log.text.contains("auditing failed") }
            try path.executeOnProjections("ALTER TABLE projection.drift DROP CONSTRAINT no_drift")
            try await Self.sweep(path)
            #expect(path.log.text.contains("auditing works again"))
            #expect(try path.projectedNumber("SELECT count(*) FROM projection.drift") == 1)
            #expect(Self.drift(path, .state) == 1)
        }
    }

    @Test func aWishForAFullSweepIsHeard() async throws {
        try await EventPath.run { path in
            _ = try await path.openMany(3)
            let auditor = try Self.start(path)
            try await Self.sweep(path)
            auditor.requestFullSweep()
            try await eventually("it ends") { path.log.text.contains("full sweep ended") }
            let line = path.log.text.split(separator: "\n").first { $0.contains("full sweep ended") }
            #expect(line?.contains("\"took_ms\":") == true && line?.contains("seconds") == false)
        }
    }

    @Test func auditsOfOneWallet() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(2)
            try await path.traffic(wallets, rounds: 4)
            try await Self.projectAll(path)
            let audit = CompleteAudit(
                ledger: try path.database.configuration(), projection: try path.projectionDatabase.configuration(),
                assets: AssetTable(), grace: .zero, totals: false)
            let clean = try #require(try await audit.audit(wallets[0]))
            #expect(clean.isClean && clean.wallets == 1 && clean.transfers == 4 && clean.entries == 7)
            #expect(try await audit.audit(WalletID(RawUUID(bits: 1))) == nil)
            try path.execute("DELETE FROM ledger.transfers WHERE wallet_id = '\(wallets[1])' AND created_version = 2")
            let broken = try #require(try await audit.audit(wallets[1]))
            #expect(broken.drifts.contains { $0.kind == .transfers })
            #expect(try await audit.audit(wallets[0])?.isClean == true)
            try path.execute(
                "UPDATE ledger.transfers SET amount = amount + 1 WHERE wallet_id = '\(wallets[0])' AND status = 1")
            let wrong = try #require(try await audit.audit(wallets[0]))
            #expect(wrong.drifts.contains { $0.kind == .state && $0.problem.contains("open transfers sum up to") })
        }
    }
}
