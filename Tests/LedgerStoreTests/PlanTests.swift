import Ledger
import Postgres
import TestSupport
import Testing

@testable import LedgerStore

/// No read of a list walks over a large table, and none sorts more than it answers.
@Suite struct PlanTests {
    /// 20,000 wallets of ten entries, and one of 20,000 whose oldest transfer is its only pending one.
    private static func filled() throws -> TestDatabase {
        let database = try LedgerFixture.migrated()
        let connection = try database.connect()
        defer { connection.close() }
        try connection.execute(
            """
            INSERT INTO ledger.wallets (id, created_at, updated_at, version, status, asset, balance, pending_debit,
                pending_credit, overdraft_limit, owner_id, chain)
            SELECT lpad(to_hex(n), 32, '0')::uuid, now(), now(), 10, 1, 'EUR', 10, 0, 0, 0, 'owner' || n / 5,
                sha256('x') FROM generate_series(1, 20001) n;
            INSERT INTO ledger.journal (wallet_id, version, occurred_at, transfer_id, kind, status, direction, purpose,
                amount, balance, pending_debit, pending_credit, overdraft_limit, chain)
            SELECT lpad(to_hex(n), 32, '0')::uuid, v, now() - (20000 - v) * interval '1 s',
                CASE WHEN v > 1 THEN lpad(to_hex(n::int8 * 100000 + v), 32, '1')::uuid END,
                CASE WHEN v = 1 THEN 1 WHEN v = 2 AND n > 20000 THEN 2 ELSE 3 END, 1,
                CASE WHEN v > 1 THEN v % 2 + 1 END, CASE WHEN v > 1 THEN 1 END, 1, v, 0, 0, 0, sha256('x')
            FROM generate_series(1, 20001) n, generate_series(1, CASE WHEN n > 20000 THEN 20000 ELSE 10 END) v;
            INSERT INTO ledger.transfers (wallet_id, transfer_id, created_version, resolved_version, status, direction,
                amount)
            SELECT wallet_id, transfer_id, version, CASE WHEN kind = 3 THEN version END,
                CASE WHEN kind = 3 THEN 2 ELSE 1 END, direction, 1 FROM ledger.journal WHERE version > 1;
            INSERT INTO ledger.expirations
            SELECT now() + n * interval '1 s', gen_random_uuid(), gen_random_uuid() FROM generate_series(1, 20000) n;
            INSERT INTO ledger.outbox (id, created_at, next_attempt_at, published_at, attempts, event_count, messages)
            SELECT lpad(to_hex(n), 32, '0')::uuid, now(), now(), CASE WHEN n < 20000 THEN now() END, 1, 1, 'x'
            FROM generate_series(1, 20020) n;
            INSERT INTO ledger.dead_letters (stream, stream_sequence, stored_at, subject, event_index, attempts, reason,
                payload)
            SELECT 'USERS', n, now(), 's', 0, 1, 'r', 'x' FROM generate_series(1, 20000) n;
            ANALYZE;
            """)
        return database
    }

    private static let few = "'00000000-0000-0000-0000-000000000010'"
    private static let many = "'00000000-0000-0000-0000-000000004e21'"

    private static func expect(
        _ name: String, _ sql: String?, _ arguments: String, on connection: PostgresConnection, rows: Int = 500
    ) throws {
        let plan = try QueryPlan(of: try #require(sql, "\(name)"), arguments, on: connection)
        #expect(plan.sequentialScans.isEmpty, "\(name)(\(arguments)): \(plan)")
        #expect(plan.rowsRead <= rows, "\(name)(\(arguments)): \(plan)")
        #expect(plan.largestSort <= 100, "\(name)(\(arguments)): \(plan)")
    }

    @Test func listsFindTheirRowsByKey() async throws {
        let database = try Self.filled()
        defer { database.drop() }
        let connection = PostgresConnection(configuration: try database.configuration().keepingToIndexes)
        try connection.connect()
        defer { connection.close() }
        let (few, many) = (Self.few, Self.many)
        let calls: [(String, String)] = [
            ("history_newest_first", "\(many), 15000, 0, 50"), ("history_oldest_first", "\(many), 15000, 0, 50"),
            ("history_version_at", "\(many), now() - interval '5000 s'"), ("history_entry", "\(few), 3"),
            ("history_transfer_entries", "\(few), \(few)"), ("history_last_event", ""),
            ("history_wallets_of_owner", "'owner7', \(few), 50"),
            ("ledger_transfers", "\(few), 0, 9, NULL, NULL, 50"),
            ("ledger_transfers", "\(many), 0, 15000, NULL, NULL, 50"),
            ("ledger_transfers", "\(many), 14990, 15000, NULL, NULL, 50"),
            ("ledger_transfers", "\(many), 0, 15000, 2, NULL, 50"),
            ("ledger_transfers", "\(many), 0, 15000, NULL, 1, 50"),
        ]
        for (name, arguments) in calls {
            try Self.expect(name, LedgerReader.statements[name], arguments, on: connection)
        }
        // What is rare in a wallet is looked for in all of its transfers, and nowhere else.
        try Self.expect(
            "ledger_transfers", LedgerReader.statements["ledger_transfers"], "\(many), 0, 20001, 1, NULL, 50",
            on: connection, rows: 100_000)
    }

    @Test func operatorsAndExpiryFindTheirRowsByKey() async throws {
        let database = try Self.filled()
        defer { database.drop() }
        let connection = PostgresConnection(configuration: try database.configuration().keepingToIndexes)
        try connection.connect()
        defer { connection.close() }
        let outbox = OutboxAdministration.statements
        // Rows are counted up to a bound; here it is 100.
        try Self.expect("outbox_statistics", outbox["outbox_statistics"], "100", on: connection)
        try Self.expect("outbox_retry", outbox["outbox_retry"], "50", on: connection)
        try Self.expect(
            "outbox_resend", outbox["outbox_resend"], "now() - interval '1 h', now() + interval '1 h', \(Self.few), 50",
            on: connection)
        try Self.expect(
            "due_expirations", Expirer.statements["due_expirations"],
            "now() + interval '1 h', now(), \(Self.few), "
                + "\(Self.few), 50", on: connection)
        // Operators' commands work without the settings of the service.
        let plain = try database.connect()
        defer { plain.close() }
        try Self.expect("letters", DeadLetterTable.provisioning.listing, "100, 50", on: plain)
    }
}
