import Foundation
@testable import LedgerStore
import Postgres
import TestSupport
import Testing

@testable import Projections

/// No list of the projections walks over a large table, and none sorts more than it answers.
@Suite struct ProjectionPlanTests {
    /// 2,000 wallets of ten transfers, and one of 20,000 whose oldest transfer is its only pending one.
    private static func filled() throws -> TestDatabase {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let database = try TestDatabase(template: "projection") { configuration in
            let connection = PostgresConnection(configuration: configuration)
            try connection.connect()
            let folder = root.appending(path: "migrations/projection").path(percentEncoded: false)
            for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            where file.hasSuffix(".sql") {
                try connection.execute(try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8))
            }
        }
        let connection = try database.connect()
        defer { connection.close() }
        try connection.execute(
            """
            INSERT INTO projection.wallets (id, created_at, updated_at, version, status, asset, balance, pending_debit,
                pending_credit, overdraft_limit, owner_id)
            SELECT lpad(to_hex(n), 32, '0')::uuid, now(), now(), 10, 1, 'EUR', 10, 0, 0, 0, 'owner' || n / 5
            FROM generate_series(1, 20001) n;
            INSERT INTO projection.transfers (wallet_id, transfer_id, created_version, version, created_at, status,
                direction, purpose, amount, wallet_balance, wallet_pending_debit, wallet_pending_credit,
                wallet_overdraft_limit, reference_id)
            SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n::int8 * 100000 + v), 32, '1')::uuid, v, v,
                now() - (20001 - v) * interval '1 s', CASE WHEN n > 20000 AND v = 2 THEN 1 ELSE 2 END, v % 2 + 1, 1,
                1, v, 0, 0, 0, 'r' || v
            FROM generate_series(18001, 20001) n, generate_series(2, CASE WHEN n > 20000 THEN 20001 ELSE 11 END) v;
            INSERT INTO projection.totals_wallets SELECT id, 10, 0, 0, asset FROM projection.wallets;
            INSERT INTO projection.totals_daily
            SELECT id, '2026-01-01'::date + d, 1, 1, 1, 1 FROM projection.wallets, generate_series(1, 3) d;
            INSERT INTO projection.totals_daily
            SELECT '\(Self.many)', '2020-01-01'::date + d, 1, 1, 1, 1 FROM generate_series(1, 1000) d;
            INSERT INTO projection.outside_accounts
            SELECT 'A' || n, 'world', 1 FROM generate_series(1, 100) n;
            INSERT INTO projection.drift
            SELECT gen_random_uuid(), 1, 'journal', 'p', now(), now() FROM generate_series(1, 1000) n;
            INSERT INTO projection.dead_letters (stream, stream_sequence, stored_at, subject, event_index, reason,
                payload)
            SELECT 'S', n, now(), 's', 0, 'r', 'x' FROM generate_series(1, 20000) n;
            INSERT INTO projection.rebuilds (id, requested_at, requested_by, finished_at)
            SELECT gen_random_uuid(), now() - n * interval '1 h', 'ann', now() FROM generate_series(1, 5000) n;
            ANALYZE;
            """)
        return database
    }

    private static let few = "00000000-0000-0000-0000-000000004a10"
    private static let many = "00000000-0000-0000-0000-000000004e21"

    private static func expect(
        _ name: String, _ sql: String?, _ arguments: String, on connection: PostgresConnection, rows: Int = 500,
        sorted: Int = 100, scans: [String] = []
    ) throws {
        let plan = try QueryPlan(of: try #require(sql, "\(name)"), arguments, on: connection)
        #expect(plan.sequentialScans == scans, "\(name)(\(arguments)): \(plan)")
        #expect(plan.rowsRead <= rows, "\(name)(\(arguments)): \(plan)")
        #expect(plan.largestSort <= sorted, "\(name)(\(arguments)): \(plan)")
    }

    @Test func listsFindTheirRowsByKey() async throws {
        let database = try Self.filled()
        defer { database.drop() }
        let connection = PostgresConnection(configuration: try database.configuration().keepingToIndexes)
        try connection.connect()
        defer { connection.close() }
        let reader = ProjectionReader.statements
        let (few, many) = ("'\(Self.few)'", "'\(Self.many)'")
        let filters = [
            "NULL, NULL, NULL, NULL", "2, NULL, NULL, NULL", "NULL, 1, NULL, NULL", "2, 2, NULL, NULL",
            "NULL, NULL, now() - interval '60 s', NULL", "NULL, NULL, NULL, now() - interval '19000 s'",
            "NULL, NULL, now() - interval '9000 s', now() - interval '8990 s'",
        ]
        for filter in filters {
            for (wallet, before) in [(few, "9223372036854775807"), (many, "9223372036854775807"), (many, "9000")] {
                try Self.expect(
                    "projection_transfers", reader["projection_transfers"], "\(wallet), \(before), \(filter), 51",
                    on: connection)
            }
        }
        // What is rare in a wallet is looked for in all of its transfers, and nowhere else.
        try Self.expect(
            "projection_transfers", reader["projection_transfers"], "\(many), 20002, 1, NULL, NULL, NULL, 51",
            on: connection, rows: 50_000)
        for name in ["totals_by_day", "totals_by_month"] {
            // A wallet's days are summed up: as many rows as it has days.
            try Self.expect(name, reader[name], "\(few), NULL, NULL, NULL, 51", on: connection)
            try Self.expect(
                name, reader[name], "\(many), NULL, NULL, NULL, 51", on: connection, rows: 1100, sorted: 1100)
        }
        try Self.expect("wallets_of_transfer", reader["wallets_of_transfer"], few, on: connection)
        try Self.expect("outside_accounts", reader["outside_accounts"], "", on: connection)
        // The table holds no more than this list.
        try Self.expect(
            "drift_list", reader["drift_list"], "", on: connection, rows: 1000, sorted: 1000, scans: ["drift"])
        for (name, arguments) in [("rebuild_list", "20"), ("rebuild_current", few)] {
            try Self.expect(name, RebuildJobs.statements[name], arguments, on: connection)
        }
        let writer = ProjectionStatements.writer
        try Self.expect("projected_range", writer["projected_range"], "\(few), \(many), 50", on: connection)
        try Self.expect("projected_versions", writer["projected_versions"], "\(many), 700, \(few), 50", on: connection)
        let totals = TotalsStatements.projection["totals_versions"]
        try Self.expect("totals_versions", totals, "\(few), \(many), 50", on: connection)
        // Operators' commands work without the settings of the service.
        let plain = try database.connect()
        defer { plain.close() }
        try Self.expect("letters", DeadLetterTable.projection.listing, "100, 50", on: plain)
    }

    /// Times are turned into versions by halving; it must not matter which versions are there.
    @Test func transfersOfATimeAreThoseOfThatTime() async throws {
        let database = try Self.filled()
        defer { database.drop() }
        let connection = PostgresConnection(configuration: try database.configuration().keepingToIndexes)
        try connection.connect()
        defer { connection.close() }
        try connection.execute(
            """
            DELETE FROM projection.transfers WHERE wallet_id = '\(Self.many)' AND created_version % 7 IN (2, 3);
            UPDATE projection.transfers SET created_at = date_trunc('minute', created_at)
            WHERE wallet_id = '\(Self.many)';
            PREPARE listed AS \(try #require(ProjectionReader.statements["projection_transfers"]));
            """)
        let newest = "(SELECT max(created_at) FROM projection.transfers WHERE wallet_id = '\(Self.many)')"
        for _ in 0..<40 {
            let wallet = Bool.random() ? Self.many : Self.few
            let back = Bool.random() ? "\(Int.random(in: -2...335)) min" : "\(Int.random(in: -100...20_100)) s"
            let from = Bool.random() ? "NULL" : "\(newest) - interval '\(back)'"
            let to = ["NULL", "\(newest) - \(Int.random(in: -2...335)) * interval '1 min'"].randomElement() ?? ""
            try connection.execute(
                "CREATE TEMP TABLE span AS SELECT (\(from))::timestamptz AS a, (\(to))::timestamptz AS b")
            let edges = try connection.query(
                sql: "SELECT coalesce(quote_literal(a), 'NULL'), coalesce(quote_literal(b), 'NULL') FROM span")
            let call =
                "EXECUTE listed('\(wallet)', 9223372036854775807, NULL, NULL, \(try edges.text(0, 0)), "
                + "\(try edges.text(0, 1)), 30000)"
            let found = try connection.query(sql: call).rowCount
            let right = try connection.query(
                sql: """
                    SELECT count(*) FROM projection.transfers, span WHERE wallet_id = '\(wallet)'
                        AND (a IS NULL OR created_at >= a) AND (b IS NULL OR created_at < b)
                    """
            ).int(0, 0)
            #expect(found == right, "\(call)")
            try connection.execute("DROP TABLE span")
        }
    }

    /// A completion changes no column of an index: the new row stays on its page and no index hears of it. An index of
    /// what is pending would end that.
    @Test func completionsTouchNoIndex() async throws {
        let database = try Self.filled()
        defer { database.drop() }
        let connection = try database.connect()
        defer { connection.close() }
        try connection.execute("BEGIN")
        try connection.execute(
            """
            UPDATE projection.transfers SET status = 2, version = version + 1, resolved_at = now(), completed_amount = 1
            WHERE wallet_id = '\(Self.many)' AND created_version = 2
            """)
        let changed = try connection.query(
            sql: """
                SELECT pg_stat_get_xact_tuples_updated('projection.transfers'::regclass),
                    pg_stat_get_xact_tuples_hot_updated('projection.transfers'::regclass)
                """)
        #expect(try changed.int64(0, 0) == 1)
        #expect(try changed.int64(0, 1) == 1)
        connection.rollback()
    }
}
