import Ledger
import Observability
import Postgres
import Runtime
import TestSupport
import Testing

@testable import LedgerStore

/// The rows of wallets and transfers come back from the journal.
@Suite struct StateRebuilderTests {
    private static func rows(_ fixture: LedgerFixture) throws -> [[String?]] {
        let connection = try fixture.database.connect()
        defer { connection.close() }
        return try connection.textRows("SELECT to_jsonb(w)::text FROM ledger.wallets w ORDER BY id")
            + connection.textRows("SELECT to_jsonb(t)::text FROM ledger.transfers t ORDER BY wallet_id, transfer_id")
            + connection.textRows("SELECT to_jsonb(e)::text FROM ledger.expirations e ORDER BY wallet_id, transfer_id")
    }

    private static func traffic(_ fixture: LedgerFixture) async throws -> [WalletID] {
        var wallets: [WalletID] = []
        for number in 0..<4 { wallets.append(try await fixture.open(1000 + number).id) }
        for (number, wallet) in wallets.enumerated() {
            let holds = (0..<3).map { _ in fixture.newTransferID() }
            for hold in holds {
                _ = try await fixture.submit(.transfer(wallet, .credit, 10, id: hold, expiry: .after(seconds: 3600)))
            }
            _ = try await fixture.submit(.complete(wallet, holds[0], cents: 4))
            _ = try await fixture.submit(.revert(wallet, holds[1]))
            let other = wallets[(number + 1) % 4]
            let order = TransferOrder(
                id: fixture.newTransferID(), hasClientID: true, direction: .credit, amount: DecimalAmount(cents: 30),
                settlesAtOnce: true, expiry: .never, description: nil, metadata: nil, counterparty: other)
            let reversal = ReversalOrder(
                original: order.id, id: fixture.newTransferID(), hasClientID: true, amount: DecimalAmount(cents: 7),
                description: nil, metadata: nil, note: nil)
            for command in [
                Command.transfer(order), .reverse(reversal), .extend(holds[2], expiry: .after(seconds: 7200)),
            ] {
                let verdict = try await fixture.submit(
                    Ledger.Operation(
                        walletID: wallet, command: command, key: nil, contentHash: 1, expectedVersion: nil))
                guard case .applied = verdict else { throw Unexpected(verdict) }
            }
        }
        return wallets
    }

    @Test func whatWasSpoiledIsToldAndThenRepaired() async throws {
        let fixture = try LedgerFixture()
        let wallets = try await Self.traffic(fixture)
        let right = try Self.rows(fixture)
        let rebuilder = StateRebuilder(ledger: try fixture.database.configuration(), assets: AssetTable())
        let clean = try await rebuilder.rebuildAll(repair: true) { _ in true }
        #expect(clean.wallets == 4 && clean.differing == 0 && clean.contradictions.isEmpty, "\(clean.differences)")
        #expect(try Self.rows(fixture) == right)
        let connection = try fixture.database.connect()
        defer { connection.close() }
        try connection.execute(
            """
            UPDATE ledger.wallets SET balance = balance + 1, version = version + 3, status = 2
                WHERE id = '\(wallets[0])';
            UPDATE ledger.wallets SET chain = sha256('x') WHERE id = '\(wallets[1])';
            DELETE FROM ledger.transfers WHERE wallet_id = '\(wallets[2])' AND status = 1;
            UPDATE ledger.transfers SET reversed_amount = 0 WHERE wallet_id = '\(wallets[3])';
            DELETE FROM ledger.expirations WHERE wallet_id = '\(wallets[3])';
            """)
        let spoiled = try Self.rows(fixture)
        let told = try await rebuilder.rebuildAll(repair: false) { _ in true }
        #expect(told.differing == 4 && told.repaired == 0 && told.differences.count == 6, "\(told.differences)")
        #expect(try Self.rows(fixture) == spoiled)
        #expect(try await rebuilder.rebuild(wallets[0], repair: true)?.repaired == 1)
        #expect(try await rebuilder.rebuildAll(repair: true) { _ in true }.repaired == 3)
        #expect(try Self.rows(fixture) == right)
        #expect(try await rebuilder.rebuild(fixture.newWalletID(), repair: true) == nil)
        try connection.execute(
            """
            ALTER TABLE ledger.journal DISABLE TRIGGER journal_keeps_rows;
            UPDATE ledger.journal SET balance = balance + 1 WHERE wallet_id = '\(wallets[0])' AND version = 3;
            """)
        let contradicted = try await rebuilder.rebuildAll(repair: true) { _ in true }
        #expect(contradicted.repaired == 0 && !contradicted.contradictions.isEmpty)
        try await fixture.stop()
        fixture.database.drop()
    }

    /// The version of an extension is stored, whatever else its batch did to the transfer.
    @Test func anExtensionThatItsOwnBatchResolvesIsNoDifference() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(1000).id
        let (stored, fresh) = (fixture.newTransferID(), fixture.newTransferID())
        let create = { (id: TransferID) in
            Ledger.Operation.transfer(wallet, .credit, 10, id: id, expiry: .after(seconds: 60))
        }
        let extend = { (id: TransferID, seconds: Int64) in
            Ledger.Operation(
                walletID: wallet, command: .extend(id, expiry: .after(seconds: seconds)), key: nil, contentHash: 1,
                expectedVersion: nil)
        }
        for operations in [
            [create(stored), extend(stored, 120)],
            [extend(stored, 180), .complete(wallet, stored)],
            [create(fresh), extend(fresh, 120), .complete(wallet, fresh)],
        ] {
            let verdict = try await fixture.submitAtomically(operations)
            guard case .applied = verdict else { throw UnexpectedBatch(verdict) }
        }
        let rebuilder = StateRebuilder(ledger: try fixture.database.configuration(), assets: AssetTable())
        let report = try await rebuilder.rebuildAll(repair: false) { _ in true }
        #expect(report.wallets == 1 && report.differing == 0, "\(report.differences)")
        try await fixture.stop()
        fixture.database.drop()
    }

    /// To compare, nobody is kept from writing, and nobody who writes is waited for.
    @Test func comparingTakesNoLocks() async throws {
        let fixture = try LedgerFixture()
        let wallets = try await Self.traffic(fixture)
        let lock = try fixture.database.connect()
        try lock.execute(
            """
            BEGIN; SELECT FROM ledger.wallets FOR UPDATE; SELECT FROM ledger.transfers FOR UPDATE
            """)
        var configuration = try fixture.database.configuration()
        configuration.lockTimeout = .milliseconds(100)
        let rebuilder = StateRebuilder(ledger: configuration, assets: AssetTable())
        let report = try await rebuilder.rebuildAll(repair: true) { _ in true }
        #expect(report.wallets == wallets.count && report.differing == 0, "\(report.differences)")
        try lock.execute("COMMIT")
        try await fixture.stop()
        fixture.database.drop()
    }

    @Test func theOutboxIsCountedAndSentAgain() async throws {
        let fixture = try LedgerFixture()
        _ = try await Self.traffic(fixture)
        let pool = PostgresPool(
            name: "outbox", configuration: try fixture.database.configuration().keepingToIndexes, size: 1,
            statements: OutboxAdministration.statements, logger: .silent, metrics: fixture.metrics)
        let running = Task { try await pool.run() }
        let outbox = OutboxAdministration(pool: pool)
        let before = try await outbox.statistics()
        #expect(before.pending == (try fixture.number("SELECT count(*) FROM ledger.outbox")))
        #expect(before.pendingEvents == (try fixture.number("SELECT count(*) FROM ledger.journal")))
        #expect(before.failing == 0 && before.published == 0 && before.lastError == nil)
        let connection = try fixture.database.connect()
        defer { connection.close() }
        try connection.execute(
            """
            UPDATE ledger.outbox SET last_error = 'no stream', next_attempt_at = now() + interval '1 hour', attempts = 3
            """)
        #expect(try await outbox.statistics().attemptsMax == 3)
        #expect(try await outbox.retry() == before.pending)
        #expect(try await outbox.retry() == 0)
        try connection.execute("UPDATE ledger.outbox SET published_at = now(), last_error = NULL")
        #expect(try await outbox.statistics().published == before.pending)
        #expect(try await outbox.resend(from: .earliest, to: Timestamp(microseconds: 0)) == 0)
        #expect(try await outbox.resend(from: .earliest, to: .latest) == before.pending)
        #expect(try fixture.number("SELECT count(*) FROM ledger.outbox WHERE drive = 1") == before.pending)
        await pool.stop()
        try await running.value
        try await fixture.stop()
        fixture.database.drop()
    }
}
