import Ledger
import LedgerStore
import Postgres
import TestSupport
import Testing

/// Operations that are applied all or none.
@Suite struct AtomicBatchTests {
    /// Sends a refused batch twice: the repeat must get the first answer.
    private func refusedTwice(
        _ fixture: LedgerFixture, _ operations: [Ledger.Operation], key: String
    ) async throws -> (index: Int, refusal: Refusal) {
        let first = try await fixture.submitAtomically(operations, key: key)
        guard case .refused(let index, let refusal, isReplay: false) = first else { throw UnexpectedBatch(first) }
        let again = try await fixture.submitAtomically(operations, key: key)
        #expect(again == .refused(index: index, refusal, isReplay: true))
        return (index, refusal)
    }

    @Test func aRefusalOutlivesTheWalletThatWasDroppedWithIt() async throws {
        let fixture = try LedgerFixture()
        let wallet = fixture.newWalletID()
        let (index, refusal) = try await refusedTwice(
            fixture,
            [
                .open(wallet, key: IdempotencyKey("a#0")),
                .transfer(wallet, .credit, 1000, id: fixture.newTransferID(), key: IdempotencyKey("a#1")),
            ], key: "a")
        #expect(index == 1)
        #expect(refusal == .insufficientFunds(available: 0, amount: 1000, asset: LedgerFixture.eur))
        #expect(try fixture.number("SELECT count(*) FROM ledger.wallets") == 0)
        // Codes that say nothing of an asset need none.
        let missing = try await refusedTwice(
            fixture,
            [
                .open(wallet, key: IdempotencyKey("b#0")),
                .complete(wallet, fixture.newTransferID(), key: IdempotencyKey("b#1")),
            ], key: "b")
        #expect(missing.index == 1 && missing.refusal == .transferNotFound)
        try await fixture.stop()
    }

    /// The answer tells how the transfer stands, not how the dropped batch would have left it; and so does a repeat.
    @Test func aTransferThatTheBatchItselfResolvesIsNotToldAsResolved() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(1000)
        let posted = fixture.newTransferID()
        let settled = try await refusedTwice(
            fixture,
            [
                .transfer(wallet.id, .debit, 100, id: posted, atOnce: true, key: IdempotencyKey("a#0")),
                .complete(wallet.id, posted, key: IdempotencyKey("a#1")),
            ], key: "a")
        guard case .transferNotPending(let standing) = settled.refusal else { throw UnexpectedRefusal(settled.refusal) }
        #expect(standing.transfer == nil)

        let held = fixture.newTransferID()
        _ = try await fixture.submit(
            .transfer(wallet.id, .credit, 300, id: held, expiry: .after(seconds: 3600), key: IdempotencyKey("hold")))
        let twice = try await refusedTwice(
            fixture,
            [
                .complete(wallet.id, held, cents: 200, key: IdempotencyKey("b#0")),
                .complete(wallet.id, held, key: IdempotencyKey("b#1"), hash: 7),
            ], key: "b")
        guard case .transferNotPending(let completed) = twice.refusal else { throw UnexpectedRefusal(twice.refusal) }
        #expect(completed.transfer?.status == .pending)
        #expect(try fixture.stored(wallet.id).wallet.pendingCredit == 300)
        try await fixture.stop()
    }

    @Test func anOpeningRefusedForItsContentIsNotRecorded() async throws {
        let fixture = try LedgerFixture()
        let wallet = fixture.newWalletID()
        let huge = Ledger.Operation(
            walletID: wallet,
            command: .open(
                Opening(
                    ownerID: nil, asset: LedgerFixture.eur,
                    initialBalance: try DecimalAmount(text: Array(String(repeating: "9", count: 37).utf8)),
                    metadata: nil, hasClientID: true)),
            key: IdempotencyKey("huge#0"), contentHash: 1, expectedVersion: nil)
        let verdict = try await fixture.submitAtomically([huge], key: "huge")
        #expect(verdict == .refused(index: 0, .amountOutOfRange, isReplay: false))
        #expect(try fixture.number("SELECT count(*) FROM ledger.batches") == 0)
        try await fixture.stop()
    }

    @Test func anUnreadableOutcomeFailsItsOwnBatchAlone() async throws {
        var bounds = LedgerFixture.patientBounds
        bounds.lanes = 1
        let fixture = try LedgerFixture(bounds: bounds)
        let (wallet, held) = try await (fixture.open(1000), fixture.open(1000))
        let key = IdempotencyKey("broken")
        let connection = try fixture.database.connect()
        try connection.execute(
            """
            INSERT INTO ledger.batches (key_digest, content_hash, created_at, reference_id, outcome)
            VALUES ('\(RawUUID(bits: key.digest))', '\(RawUUID(bits: 1))', now(), 'broken', 'no outcome at all')
            """)
        // While the lane waits for a wallet, the two pieces of work gather into one transaction.
        try connection.execute("BEGIN; SELECT FROM ledger.wallets WHERE id = '\(held.id)' FOR UPDATE")
        async let blocked = fixture.submit(.transfer(held.id, .debit, 1, id: fixture.newTransferID()))
        try await eventually("the lane to wait") { try fixture.isWaitingForLock }
        async let neighbour = fixture.submit(
            .transfer(wallet.id, .debit, 1, id: fixture.newTransferID(), atOnce: true))
        async let broken = fixture.submitAtomically(
            [.transfer(wallet.id, .debit, 5, id: fixture.newTransferID(), key: IdempotencyKey("broken#0"))],
            key: "broken")
        try await eventually("both in the queue") { fixture.queueDepth == 2 }
        try connection.execute("COMMIT")
        _ = try await blocked
        guard case .applied = try await neighbour else { throw UnexpectedRefusal(.transferNotFound) }
        do {
            let verdict = try await broken
            Issue.record("an unreadable outcome gave \(verdict)")
        } catch {
            #expect(error is LedgerStoreError)
        }
        #expect(fixture.counter("wallet_batch_splits_total") == 0)
        #expect(try fixture.stored(wallet.id).wallet.balance == 1001)
        try await fixture.stop()
    }

    @Test func aKeyThatIsThereAlreadyIsNotWrittenAgain() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(100)
        let key = IdempotencyKey("known")
        // The batch counts as accepted, but what it was accepted with is not in the journal.
        try fixture.database.connect().execute(
            """
            INSERT INTO ledger.batches (key_digest, content_hash, created_at, reference_id)
            VALUES ('\(RawUUID(bits: key.digest))', '\(RawUUID(bits: 1))', now(), 'known')
            """)
        let verdict = try await fixture.submitAtomically(
            [.transfer(wallet.id, .credit, 500, id: fixture.newTransferID(), key: IdempotencyKey("known#0"))],
            key: "known")
        let refusal = Refusal.insufficientFunds(available: 100, amount: 500, asset: LedgerFixture.eur)
        #expect(verdict == .refused(index: 0, refusal, isReplay: false))
        try await fixture.stop()
    }

    @Test func aReversalsIdIsCheckedInTheOtherWalletOfATransferOfTheSameBatch() async throws {
        let fixture = try LedgerFixture()
        let (payer, payee) = try await (fixture.open(1000), fixture.open(1000))
        let (original, taken) = (fixture.newTransferID(), fixture.newTransferID())
        _ = try await fixture.submit(.transfer(payee.id, .debit, 7, id: taken, atOnce: true))
        for (name, side) in [("payer", payer.id), ("payee", payee.id)] {
            let verdict = try await fixture.submitAtomically(
                [
                    .between(
                        payer.id, payee.id, 100, id: original, atOnce: true, key: IdempotencyKey(name + "#0")),
                    .reverse(side, original, by: taken, nil, key: IdempotencyKey(name + "#1")),
                ], key: name)
            #expect(verdict == .refused(index: 1, .transferExists, isReplay: false))
        }
        #expect(try fixture.stored(payer.id).wallet.balance == 1000)
        try await fixture.stop()
    }
}

struct UnexpectedBatch: Error, CustomStringConvertible {
    let description: String
    init(_ verdict: AtomicVerdict) { description = "unexpected verdict \(verdict)" }
}

struct UnexpectedRefusal: Error, CustomStringConvertible {
    let description: String
    init(_ refusal: Refusal) { description = "unexpected refusal \(refusal)" }
}
