import Ledger
import Postgres
import TestSupport
import Testing

@testable import LedgerStore

/// No read of a list walks over a large table.
@Suite struct PlanTests {
    @Test func listsFindTheirRowsByKey() async throws {
        let database = try LedgerFixture.migrated()
        defer { database.drop() }
        let connection = PostgresConnection(configuration: try database.configuration().keepingToIndexes)
        try connection.connect()
        defer { connection.close() }
        try connection.execute(
            """
            INSERT INTO ledger.wallets (id, created_at, updated_at, version, status, asset, balance, pending_debit,
                pending_credit, overdraft_limit, owner_id, chain)
            SELECT lpad(to_hex(n), 32, '0')::uuid, now(), now(), 10, 1, 'EUR', 10, 0, 0, 0, 'owner' || n / 5,
                sha256('x') FROM generate_series(1, 20000) n;
            INSERT INTO ledger.journal (wallet_id, version, occurred_at, transfer_id, kind, status, direction, purpose,
                amount, balance, pending_debit, pending_credit, overdraft_limit, chain)
            SELECT lpad(to_hex(n), 32, '0')::uuid, v, now(), CASE WHEN v > 1 THEN lpad(to_hex(n * 10 + v), 32, '1')::uuid
                END, CASE WHEN v > 1 THEN 3 ELSE 1 END, 1, CASE WHEN v > 1 THEN 1 END, CASE WHEN v > 1 THEN 1 END,
                1, v, 0, 0, 0, sha256('x') FROM generate_series(1, 20000) n, generate_series(1, 10) v;
            INSERT INTO ledger.transfers (wallet_id, transfer_id, created_version, resolved_version, status, direction,
                amount)
            SELECT wallet_id, transfer_id, version, version, 2, 1, 1 FROM ledger.journal WHERE version > 1;
            ANALYZE;
            """)
        let wallet = "'00000000-0000-0000-0000-000000000010'"
        let calls: [(String, String)] = [
            ("history_newest_first", "\(wallet), 9, 0, 50"), ("history_oldest_first", "\(wallet), 9, 0, 50"),
            ("history_version_at", "\(wallet), now()"), ("history_entry", "\(wallet), 3"),
            ("history_transfer_entries", "\(wallet), \(wallet)"),
            ("history_wallets_of_owner", "'owner7', \(wallet), 50"),
            ("ledger_transfers", "\(wallet), 9, NULL, NULL, NULL, NULL, 50"),
        ]
        for (name, arguments) in calls {
            let sql = try #require(LedgerReader.statements[name])
            try connection.execute("PREPARE \(name) AS \(sql)")
            let plan = try connection.query(sql: "EXPLAIN EXECUTE \(name)(\(arguments))")
            let text = try (0..<plan.rowCount).map { try plan.text($0, 0) }.joined(separator: "\n")
            #expect(!text.contains("Seq Scan"), "\(name): \(text)")
            #expect(text.contains("Index"), "\(name): \(text)")
        }
    }
}
