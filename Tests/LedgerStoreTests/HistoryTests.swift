import Ledger
import Observability
import Postgres
import Runtime
import TestSupport
import Testing

@testable import LedgerStore

/// What a wallet was and did, as the journal tells it.
@Suite struct HistoryTests {
    /// Runs a test with a write path and a reader.
    private static func run(_ body: (LedgerFixture, LedgerReader) async throws -> Void) async throws {
        let fixture = try LedgerFixture()
        let pool = PostgresPool(
            name: "reads", configuration: try fixture.database.configuration().keepingToIndexes, size: 2,
            statements: LedgerReader.statements, logger: .silent, metrics: fixture.metrics)
        let running = Task { try await pool.run() }
        do {
            try await body(fixture, LedgerReader(pool: pool, assets: AssetTable()))
        } catch {
            await pool.stop()
            try await fixture.stop()
            throw error
        }
        await pool.stop()
        try await running.value
        try await fixture.stop()
        fixture.database.drop()
    }

    @Test func itIsKnownSinceWhenAllEventsHaveLeft() async throws {
        try await Self.run { fixture, reader in
            #expect(try await reader.sinceLastEvent() == nil)
            let connection = try fixture.database.connect()
            defer { connection.close() }
            for _ in 0..<2 { _ = try await fixture.open(1) }
            #expect(try await reader.sinceLastEvent() == .zero)
            try connection.execute(
                "UPDATE ledger.outbox SET published_at = now() - interval '1 hour' WHERE id = "
                    + "(SELECT id FROM ledger.outbox LIMIT 1)")
            #expect(try await reader.sinceLastEvent() == .zero)
            try connection.execute(
                "UPDATE ledger.outbox SET published_at = now() - interval '50 s' WHERE published_at IS NULL")
            let since = try #require(try await reader.sinceLastEvent())
            #expect(since >= .seconds(50) && since < .seconds(3000))
        }
    }

    @Test func statementsPageBothWaysWithRunningBalances() async throws {
        try await Self.run { fixture, reader in
            let wallet = try await fixture.open(1000).id
            for cents in 1...9 {
                _ = try await fixture.submit(
                    .transfer(wallet, .debit, cents, id: fixture.newTransferID(), atOnce: true))
            }
            var query = StatementQuery(limit: 4)
            var newest: [Entry] = []
            while let page = try await reader.statement(of: wallet, query), let last = page.lines.last {
                newest += page.lines.map(\.entry)
                query.before = last.entry.version
                for line in page.lines { #expect(line.lines.reduce(0) { $0 + $1.amount } == 0) }
            }
            #expect(newest.map(\.version) == Array((1...10).reversed()))
            #expect(newest.first?.balance == 1045 && newest.last?.balance == 1000)
            query = StatementQuery(limit: 100)
            query.oldestFirst = true
            query.after = 3
            #expect(try await reader.statement(of: wallet, query)?.lines.map(\.entry.version) == Array(4...10))
            let moment = newest[5].occurredAt
            query = StatementQuery(limit: 100)
            query.from = moment
            let since = try await reader.statement(of: wallet, query)?.lines.map(\.entry.version)
            #expect(since == newest.filter { $0.occurredAt >= moment }.map(\.version))
            query.from = nil
            query.to = moment
            let until = try await reader.statement(of: wallet, query)?.lines.map(\.entry.version)
            #expect(until == newest.filter { $0.occurredAt < moment }.map(\.version))
            #expect(try await reader.statement(of: fixture.newWalletID(), query) == nil)
        }
    }

    @Test func pastBalancesAreThoseOfTheJournal() async throws {
        try await Self.run { fixture, reader in
            let wallet = try await fixture.open(1000).id
            for cents in 1...30 {
                _ = try await fixture.submit(
                    .transfer(wallet, .debit, cents, id: fixture.newTransferID(), atOnce: true))
            }
            let lines = try #require(try await reader.statement(of: wallet, StatementQuery(limit: 100))).lines
            for line in lines {
                let entry = line.entry
                let then = try await reader.wallet(wallet, version: entry.version)?.then
                #expect(then?.balance == entry.balance && then?.version == entry.version)
                let last = lines.map(\.entry).first { $0.occurredAt <= entry.occurredAt }
                #expect(try await reader.wallet(wallet, at: entry.occurredAt)?.then?.version == last?.version)
            }
            let opened = try #require(lines.last).entry.occurredAt
            let before = Timestamp(microseconds: opened.microseconds - 1)
            let early = try #require(try await reader.wallet(wallet, at: before))
            #expect(early.then == nil && early.wallet.version == 31)
            #expect(try await reader.wallet(wallet, version: 32)?.then == nil)
            #expect(try await reader.wallet(wallet, at: .latest)?.then?.version == 31)
            #expect(try await reader.wallet(fixture.newWalletID(), at: opened) == nil)
        }
    }

    @Test func balancesAreDerivedAgainInPieces() async throws {
        try await Self.run { fixture, reader in
            let wallet = try await fixture.open(1000).id
            for cents in 1...20 {
                let id = fixture.newTransferID()
                _ = try await fixture.submit(.transfer(wallet, cents % 2 == 0 ? .debit : .credit, cents, id: id))
                if cents % 3 == 0 { _ = try await fixture.submit(.complete(wallet, id)) }
                if cents % 3 == 1 { _ = try await fixture.submit(.revert(wallet, id)) }
            }
            let clean = try #require(try await reader.audit(wallet, piece: 4))
            #expect(clean.isClean && clean.entries == clean.wallet.version)
            let connection = try fixture.database.connect()
            defer { connection.close() }
            try connection.execute("UPDATE ledger.wallets SET balance = balance + 1")
            let broken = try #require(try await reader.audit(wallet, piece: 4))
            #expect(!broken.isClean && broken.balance == clean.balance && broken.discrepancies.isEmpty)
        }
    }

    @Test func transfersAreFoundWithBothSidesAndSumUpToZero() async throws {
        try await Self.run { fixture, reader in
            let (from, to) = (try await fixture.open(1000).id, try await fixture.open().id)
            let id = fixture.newTransferID()
            let order = TransferOrder(
                id: id, hasClientID: true, direction: .credit, amount: DecimalAmount(cents: 300), settlesAtOnce: false,
                expiry: .never, description: nil, metadata: nil, counterparty: to)
            _ = try await fixture.submit(
                Ledger.Operation(
                    walletID: from, command: .transfer(order), key: nil, contentHash: 1, expectedVersion: nil))
            _ = try await fixture.submit(.complete(to, id, cents: 200))
            for start in [from, to] {
                let found = try await reader.transfers(id, in: [start])
                let details = try #require(found.first)
                #expect(found.count == 1 && details.sides.map(\.receipt.wallet.id) == [from, to])
                #expect(details.sides.allSatisfy { $0.entries.map(\.entry.kind) == [.pending, .completed] })
                #expect(
                    details.lines == [
                        AccountLine(account: .wallet(from), amount: -200),
                        AccountLine(account: .wallet(to), amount: 200),
                    ])
            }
            #expect(try await reader.transfers(fixture.newTransferID(), in: [from, to]).isEmpty)
        }
    }
}
