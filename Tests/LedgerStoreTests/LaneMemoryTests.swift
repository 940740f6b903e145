import Events
import Ledger
import LedgerStore
import Postgres
import TestSupport
import Testing

/// Two processes on one database, each with a memory of what it wrote: what one remembers, the other changes.
@Suite struct LaneMemoryTests {
    private struct Pair {
        let mine: LedgerFixture
        let theirs: LedgerFixture

        init(memory: Int = 16_384) throws {
            var bounds = LedgerFixture.patientBounds
            bounds.memory = memory
            mine = try LedgerFixture(bounds: bounds)
            theirs = try LedgerFixture(database: mine.database, bounds: bounds)
        }

        func debit(_ wallet: WalletID, _ cents: Int, by fixture: LedgerFixture) async throws {
            let verdict = try await fixture.submit(
                .transfer(wallet, .debit, cents, id: mine.newTransferID(), atOnce: true))
            guard case .applied = verdict else { throw Unexpected(verdict) }
        }

        func credit(_ wallet: WalletID, _ cents: Int, by fixture: LedgerFixture) async throws -> Decision.Verdict {
            try await fixture.submit(.transfer(wallet, .credit, cents, id: mine.newTransferID(), atOnce: true))
        }

        func stop() async throws {
            try await mine.stop()
            try await theirs.stop()
        }
    }

    @Test func moneyThatAnotherProcessPutInCanBeSpent() async throws {
        let pair = try Pair()
        let wallet = try await pair.mine.open(10)
        try await pair.debit(wallet.id, 100, by: pair.theirs)
        guard case .applied = try await pair.credit(wallet.id, 50, by: pair.mine) else {
            Issue.record("refused for what was remembered")
            return
        }
        try pair.mine.expectSoundBooks(of: wallet.id)
        try await pair.stop()
    }

    @Test func moneyThatAnotherProcessTookOutIsGone() async throws {
        let pair = try Pair()
        let wallet = try await pair.mine.open(100)
        guard case .applied = try await pair.credit(wallet.id, 80, by: pair.theirs) else {
            Issue.record("refused")
            return
        }
        guard case .refused(.insufficientFunds, _) = try await pair.credit(wallet.id, 50, by: pair.mine) else {
            Issue.record("money was spent twice")
            return
        }
        #expect(try pair.mine.stored(wallet.id).wallet.balance == 20)
        try pair.mine.expectSoundBooks(of: wallet.id)
        try await pair.stop()
    }

    /// The wallet is read anew, and what is remembered of its transfers is from before.
    @Test(arguments: [4, 16_384]) func aTransferThatAnotherProcessResolvedStaysResolved(memory: Int) async throws {
        let pair = try Pair(memory: memory)
        let wallet = try await pair.mine.open(100)
        let transfer = pair.mine.newTransferID()
        _ = try await pair.mine.submit(.transfer(wallet.id, .credit, 60, id: transfer))
        guard case .applied = try await pair.theirs.submit(.revert(wallet.id, transfer)) else {
            Issue.record("not reverted")
            return
        }
        for _ in 0..<8 { _ = try await pair.mine.open(1) }
        try await pair.debit(wallet.id, 5, by: pair.mine)
        guard case .refused(.transferNotPending, _) = try await pair.mine.submit(.complete(wallet.id, transfer)) else {
            Issue.record("resolved twice")
            return
        }
        #expect(try pair.mine.stored(wallet.id).wallet.balance == 105)
        try pair.mine.expectSoundBooks(of: wallet.id)
        try await pair.stop()
    }

    @Test func aKeyThatAnotherProcessUsedIsKnown() async throws {
        let pair = try Pair()
        let wallet = try await pair.mine.open(100)
        let operation = Ledger.Operation.transfer(
            wallet.id, .credit, 30, id: pair.mine.newTransferID(), hasClientID: false, atOnce: true,
            key: IdempotencyKey("once"))
        guard case .applied(let first) = try await pair.theirs.submit(operation) else {
            Issue.record("not applied")
            return
        }
        #expect(try await pair.mine.submit(operation) == .replayed(.applied(first)))
        #expect(try pair.mine.stored(wallet.id).wallet.balance == 70)
        try await pair.stop()
    }

    /// A stored refusal leaves the wallet as it was, so what is remembered of the wallet is still right.
    @Test func aRefusalThatAnotherProcessStoredIsKnown() async throws {
        let pair = try Pair()
        let wallet = try await pair.mine.open(100)
        let operation = Ledger.Operation.transfer(
            wallet.id, .debit, 30, id: pair.mine.newTransferID(), atOnce: true, key: IdempotencyKey("once"),
            expectedVersion: 2)
        guard case .refused(let refusal, recorded: true) = try await pair.theirs.submit(operation) else {
            Issue.record("not refused")
            return
        }
        try await pair.debit(wallet.id, 1, by: pair.mine)
        #expect(try await pair.mine.submit(operation) == .replayed(.refused(refusal)))
        #expect(try pair.mine.stored(wallet.id).wallet.balance == 101)
        try await pair.stop()
    }

    /// The row's version counts, not the wallet's: a repair does not raise the latter.
    @Test func aRowThatWasWrittenByHandIsReadAnew() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(100)
        let connection = try fixture.database.connect()
        try connection.execute("UPDATE ledger.wallets SET overdraft_limit = 50")
        connection.close()
        let verdict = try await fixture.submit(
            .transfer(wallet.id, .credit, 120, id: fixture.newTransferID(), atOnce: true))
        guard case .applied(let receipt) = verdict else { throw Unexpected(verdict) }
        #expect(receipt.wallet.balance == -20)
        try await fixture.stop()
    }

    /// A batch is learned while it is being committed, and must be unlearned when the database refuses it.
    @Test func aBatchThatFailedIsNotRemembered() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(100)
        let connection = try fixture.database.connect()
        try connection.execute("ALTER TABLE ledger.journal ADD CONSTRAINT poison CHECK (amount <> 13)")
        connection.close()
        let failed = fixture.newTransferID()
        await #expect(throws: LedgerStoreError.self) {
            try await fixture.submit(.transfer(wallet.id, .credit, 13, id: failed))
        }
        guard case .refused(.transferNotFound, _) = try await fixture.submit(.complete(wallet.id, failed)) else {
            Issue.record("what was never committed is remembered")
            return
        }
        let verdict = try await fixture.submit(
            .transfer(wallet.id, .debit, 5, id: fixture.newTransferID(), atOnce: true))
        guard case .applied(let receipt) = verdict else { throw Unexpected(verdict) }
        #expect(receipt.wallet.balance == 105 && receipt.wallet.version == 2 && receipt.wallet.pendingCredit == 0)
        #expect(fixture.counter("wallet_batch_conflicts_total") == 0)
        try fixture.expectSoundBooks(of: wallet.id)
        try await fixture.stop()
    }

    /// One transfer's row says something else than the journal: its resolution fails, and nobody else's.
    @Test func aHarmedTransferIsItsOwnTrouble() async throws {
        let fixture = try LedgerFixture()
        let (harmed, sound) = (try await fixture.open(100), try await fixture.open(100))
        let (first, second) = (fixture.newTransferID(), fixture.newTransferID())
        _ = try await fixture.submit(.transfer(harmed.id, .credit, 60, id: first))
        _ = try await fixture.submit(.transfer(sound.id, .credit, 60, id: second))
        let connection = try fixture.database.connect()
        try connection.execute(
            "UPDATE ledger.transfers SET status = 2, resolved_version = created_version WHERE transfer_id = '\(first)'")
        connection.close()
        let outcomes = try await fixture.writer.submitAll(
            [.complete(harmed.id, first), .complete(sound.id, second)], origin: .none)
        #expect(throws: LedgerStoreError.self) { _ = try outcomes[0].get() }
        guard case .applied = try outcomes[1].get() else {
            Issue.record("\(outcomes[1])")
            return
        }
        #expect(try fixture.stored(harmed.id).wallet.balance == 100)
        #expect(try fixture.stored(sound.id).wallet.balance == 40)
        try await fixture.stop()
    }

    @Test func withoutMemoryAllIsTheSame() async throws {
        let pair = try Pair(memory: 0)
        let wallet = try await pair.mine.open(100)
        let transfer = pair.mine.newTransferID()
        _ = try await pair.mine.submit(.transfer(wallet.id, .credit, 60, id: transfer))
        guard case .applied = try await pair.mine.submit(.complete(wallet.id, transfer)) else {
            Issue.record("not completed")
            return
        }
        #expect(try pair.mine.stored(wallet.id).wallet.balance == 40)
        try pair.mine.expectSoundBooks(of: wallet.id)
        try await pair.stop()
    }
}
