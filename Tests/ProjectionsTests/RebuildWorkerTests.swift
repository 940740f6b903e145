import Ledger
import Postgres
import Runtime
import TestSupport
import Testing

@testable import Projections

/// Rebuilds of all projections that administrators ask for.
@Suite struct RebuildWorkerTests {
    private static func worker(_ path: EventPath, rate: Int = 10_000_000, page: Int = 3) throws -> RebuildWorker {
        var configuration = RebuildConfiguration()
        configuration.rate = rate
        configuration.page = page
        configuration.poll = .milliseconds(20)
        return path.start(
            RebuildWorker(
                configuration: configuration, ledger: try path.database.configuration(),
                projection: try path.projectionDatabase.configuration(), assets: AssetTable(), logger: path.logger,
                metrics: path.metrics))
    }

    private static func jobs(_ path: EventPath) throws -> RebuildJobs {
        RebuildJobs(
            pool: path.start(
                PostgresPool(
                    name: "jobs", configuration: try path.projectionDatabase.configuration().keepingToIndexes, size: 2,
                    statements: RebuildJobs.statements, logger: path.logger, metrics: path.metrics)))
    }

    private static func ends(_ id: RawUUID, _ jobs: RebuildJobs) async throws -> RebuildJob {
        var last: RebuildJob?
        try await eventually(within: .seconds(60), "the rebuild ends") {
            last = try await jobs.newest(limit: 9).first { $0.id == id }
            return last?.finishedAt != nil
        }
        return try #require(last)
    }

    private static func id(_ number: UInt128) -> RawUUID { RawUUID(bits: number) }

    @Test func allIsBuiltAnewOnceAndOnlyOneJobIsOpen() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(10)
            try await path.traffic(wallets, rounds: 8)
            try await path.projectAll()
            let rows = try path.projectedRows()
            let stray = "ffffffff-0000-4000-8000-000000000001"
            try path.executeOnProjections(
                """
                INSERT INTO projection.wallets SELECT (p.w).* FROM (
                    SELECT jsonb_populate_record(w, '{"id": "\(stray)"}') AS w
                    FROM projection.wallets w WHERE id = '\(wallets[2])') p;
                INSERT INTO projection.totals_wallets VALUES ('\(stray)', 3, 0, 0, 'EUR');
                UPDATE projection.wallets SET balance = balance + 1 WHERE id <> '\(stray)';
                UPDATE projection.transfers SET status = 3, version = version + 5;
                UPDATE projection.totals_daily SET debit_count = 7;
                DELETE FROM projection.wallets WHERE id = '\(wallets[3])';
                """)
            let jobs = try Self.jobs(path)
            let asked = try await jobs.ask(id: Self.id(1), by: "ann")
            #expect(asked.state == .waiting && asked.requestedBy == "ann" && asked.walletsTotal == nil)
            // Asked again before it is done.
            #expect(try await jobs.ask(id: Self.id(2), by: "bob") == asked)
            for _ in 0..<2 { _ = try Self.worker(path) }
            let done = try await Self.ends(Self.id(1), jobs)
            #expect(done.state == .done && done.problem == nil && done.discrepancies == 0)
            #expect(done.walletsDone == 10 && done.walletsTotal == 10 && done.strays == 1)
            #expect(done.entries == Int64(try path.number("SELECT count(*) FROM ledger.journal")))
            #expect(try path.projectedRows() == rows)
            let audit = try await path.audit(totals: true)
            #expect(audit.isClean, "\(audit.drifts)")
            #expect(path.count("wallet_projection_rebuilt_wallets_total") == 10)
            #expect(try await jobs.ask(id: Self.id(3), by: "bob").id == Self.id(3))
            #expect(try await Self.ends(Self.id(3), jobs).state == .done)
            #expect(try await jobs.newest(limit: 9).map(\.id) == [Self.id(3), Self.id(1)])
        }
    }

    @Test func anotherWorkerGoesOnWhereOneStopped() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(12)
            try await path.projectAll()
            let rows = try path.projectedRows()
            try path.executeOnProjections("UPDATE projection.wallets SET balance = balance + 1")
            let jobs = try Self.jobs(path)
            _ = try await jobs.ask(id: Self.id(1), by: "ann")
            // Two wallets a second: far from done when it is told to stop.
            let first = try Self.worker(path, rate: 2, page: 1)
            try await eventually("one wallet is done") { try await jobs.newest(limit: 1)[0].walletsDone > 0 }
            try await path.stop(first)
            let left = try await jobs.newest(limit: 1)[0]
            #expect(left.state == .running && left.walletsDone < 12)
            let before = path.count("wallet_projection_rebuilt_wallets_total")
            _ = try Self.worker(path)
            let done = try await Self.ends(Self.id(1), jobs)
            #expect(done.walletsDone == 12 && done.walletsTotal == 12)
            let again = path.count("wallet_projection_rebuilt_wallets_total") - before
            #expect(again == wallets.count - Int(left.walletsDone))
            #expect(try path.projectedRows() == rows)
        }
    }

    /// The worker's session ends, and with it the lock on the job: as if its process had died.
    @Test func aLostSessionSetsTheJobFree() async throws {
        try await EventPath.run { path in
            _ = try await path.openMany(12)
            let jobs = try Self.jobs(path)
            _ = try await jobs.ask(id: Self.id(1), by: "ann")
            let slow = try Self.worker(path, rate: 2, page: 1)
            try await eventually("one wallet is done") { try await jobs.newest(limit: 1)[0].walletsDone > 0 }
            _ = try Self.worker(path)
            try path.executeOnProjections(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            let done = try await Self.ends(Self.id(1), jobs)
            #expect(done.state == .done && done.walletsDone == 12 && done.entries == 12)
            try await path.stop(slow)
            #expect(try await jobs.newest(limit: 1)[0] == done)
        }
    }

    @Test func whatTheJournalContradictsIsTold() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(3)
            try path.execute(
                """
                ALTER TABLE ledger.journal DISABLE TRIGGER journal_keeps_rows;
                UPDATE ledger.journal SET balance = balance + 1 WHERE wallet_id = '\(wallets[1])';
                """)
            let jobs = try Self.jobs(path)
            _ = try await jobs.ask(id: Self.id(1), by: "ann")
            _ = try Self.worker(path)
            let done = try await Self.ends(Self.id(1), jobs)
            #expect(done.state == .done && done.discrepancies > 0)
            #expect(done.problem?.contains("\(wallets[1])") == true)
        }
    }

    @Test func aGapInOneJournalDoesNotEndTheJob() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(6).sorted()
            try await path.traffic(wallets, rounds: 4)
            try path.execute(
                """
                ALTER TABLE ledger.journal DISABLE TRIGGER journal_keeps_rows;
                DELETE FROM ledger.journal WHERE wallet_id = '\(wallets[1])' AND version = 3;
                """)
            let jobs = try Self.jobs(path)
            _ = try await jobs.ask(id: Self.id(1), by: "ann")
            _ = try Self.worker(path)
            let done = try await Self.ends(Self.id(1), jobs)
            #expect(done.state == .done && done.walletsDone == 6)
            #expect(done.discrepancies > 0 && done.problem?.contains("\(wallets[1])") == true)
            let counted = """
                SELECT count(*) FROM ledger.wallets w JOIN projection.totals_wallets t ON t.wallet_id = w.id
                WHERE t.version = w.version
                """
            #expect(try path.number(counted) == 5)
        }
    }

    @Test func whatCannotBeReadEndsTheJob() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(3)
            try await path.projectAll()
            try path.executeOnProjections("UPDATE projection.wallets SET asset = 'ZZZ' WHERE id = '\(wallets[1])'")
            let jobs = try Self.jobs(path)
            _ = try await jobs.ask(id: Self.id(1), by: "ann")
            _ = try Self.worker(path)
            let failed = try await Self.ends(Self.id(1), jobs)
            #expect(failed.state == .failed && failed.problem?.contains("ZZZ") == true, "\(failed)")
            try path.executeOnProjections("UPDATE projection.wallets SET asset = 'EUR' WHERE id = '\(wallets[1])'")
            _ = try await jobs.ask(id: Self.id(2), by: "ann")
            #expect(try await Self.ends(Self.id(2), jobs).state == .done)
        }
    }

    @Test func withoutWalletsThereIsNothingToDo() async throws {
        try await EventPath.run { path in
            let jobs = try Self.jobs(path)
            _ = try await jobs.ask(id: Self.id(1), by: "ann")
            _ = try Self.worker(path)
            let done = try await Self.ends(Self.id(1), jobs)
            #expect(done.state == .done && done.walletsTotal == 0 && done.startedAt != nil)
        }
    }
}
