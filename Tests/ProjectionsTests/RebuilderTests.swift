import Ledger
import Postgres
import TestSupport
import Testing

@testable import Projections

@Suite struct RebuilderTests {
    private static func rebuilder(_ path: EventPath) throws -> Rebuilder {
        Rebuilder(
            ledger: try path.database.configuration(), projection: try path.projectionDatabase.configuration(),
            assets: AssetTable())
    }

    @Test func aRebuildGivesWhatTheEventsGave() async throws {
        try await EventPath.run { path in
            _ = try await path.startRelay()
            let projector = try await path.startProjector()
            let wallets = try await path.openMany(10)
            try await path.traffic(wallets, rounds: 8)
            try await path.expectBooksToAgree()
            try await path.stop(projector)
            let rows = try path.projectedRows()
            let stray = "00000000-0000-4000-8000-000000000001"
            let scar = "00000000-0000-4000-8000-000000000002"
            try path.executeOnProjections(
                """
                INSERT INTO projection.transfers SELECT (p.t).* FROM (
                    SELECT jsonb_populate_record(t, '{"wallet_id": "\(stray)"}') AS t FROM projection.transfers t
                    WHERE wallet_id = '\(wallets[2])'
                    UNION ALL
                    SELECT * FROM (SELECT jsonb_populate_record(t, '{"transfer_id": "\(scar)"}')
                    FROM projection.transfers t WHERE wallet_id = '\(wallets[4])' LIMIT 1) one) p;
                INSERT INTO projection.wallets SELECT (p.w).* FROM (
                    SELECT jsonb_populate_record(w, '{"id": "\(stray)"}') AS w
                    FROM projection.wallets w WHERE id = '\(wallets[2])') p;
                UPDATE projection.wallets SET balance = balance + 1, version = version + 5
                    WHERE id NOT IN ('\(wallets[5])', '\(stray)');
                UPDATE projection.transfers SET status = 3, version = version + 5
                    WHERE wallet_id NOT IN ('\(wallets[5])', '\(stray)');
                UPDATE projection.wallets SET balance = balance + 1 WHERE id = '\(wallets[5])';
                UPDATE projection.transfers SET status = 3, amount = amount + 1 WHERE wallet_id = '\(wallets[5])';
                DELETE FROM projection.wallets WHERE id = '\(wallets[3])';
                """)
            let report = try await Self.rebuilder(path).rebuildAll { _ in true }
            #expect(report.wallets == 10 && report.strays == 1 && report.discrepancies.isEmpty)
            #expect(report.entries == (try path.number("SELECT count(*) FROM ledger.journal")))
            #expect(try path.projectedRows() == rows)
            #expect(
                try path.projectedNumber("SELECT count(*) FROM projection.wallets WHERE audited_version <> version")
                    == 0)
            #expect(try await Self.rebuilder(path).rebuild(wallets[1])?.wallets == 1)
            #expect(try await Self.rebuilder(path).rebuild(WalletID(RawUUID(bits: 1))) == nil)
            #expect(try path.projectedRows() == rows)
        }
    }

    @Test func rebuildsBesideTrafficLoseNothing() async throws {
        try await EventPath.run { path in
            _ = try await path.startRelay()
            for _ in 0..<2 { _ = try await path.startProjector(eventsPerTransaction: 10) }
            let wallets = try await path.openMany(4)
            let rebuilder = try Self.rebuilder(path)
            async let traffic: Void = path.traffic(wallets, rounds: 60)
            for round in 0..<15 {
                _ = try await rebuilder.rebuild(wallets[round % 4])
                _ = try await rebuilder.rebuildAll { _ in true }
            }
            try await traffic
            try await path.expectBooksToAgree()
            #expect(path.count("wallet_projection_dead_letters_total") == 0)
        }
    }
}
