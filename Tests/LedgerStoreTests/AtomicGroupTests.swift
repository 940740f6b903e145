import Events
import Ledger
import LedgerStore
import TestSupport
import Testing

/// Operations that are applied all or none, against a real PostgreSQL.
@Suite struct AtomicGroupTests {
    private static func identity(_ text: String, content: UInt128 = 5) -> BatchIdentity {
        BatchIdentity(key: IdempotencyKey(text), contentHash: content)
    }

    @Test func allAreAppliedInOneTransaction() async throws {
        let fixture = try LedgerFixture()
        let wallet = fixture.newWalletID()
        let other = try await fixture.open()
        var operations: [Ledger.Operation] = [.open(wallet, balance: 1000, key: IdempotencyKey("batch#0"))]
        for index in 1...999 {
            operations.append(
                .between(
                    wallet, other.id, 1, id: fixture.newTransferID(), atOnce: true,
                    key: IdempotencyKey("batch#\(index)")))
        }
        let before = try fixture.number("SELECT count(*) FROM ledger.outbox")
        let verdict = try await fixture.writer.submitAtomically(
            operations, batch: Self.identity("batch"), origin: .none)
        guard case .applied(let verdicts, isReplay: false) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(verdicts.count == 1000 && verdicts.allSatisfy { $0.receipt != nil })
        #expect(try fixture.number("SELECT count(*) FROM ledger.outbox") == before + 1)
        #expect(try fixture.stored(other.id).wallet.balance == 999)
        // The whole again gives each of the first answers.
        let again = try await fixture.writer.submitAtomically(
            operations, batch: Self.identity("batch"), origin: .none)
        let replayed = try verdicts.map { Decision.Verdict.replayed(.applied(try #require($0.receipt))) }
        #expect(again == .applied(replayed, isReplay: true))
        let misused = try await fixture.writer.submitAtomically(
            operations, batch: Self.identity("batch", content: 6), origin: .none)
        #expect(misused == .keyReused)
        for id in [wallet, other.id] { try fixture.expectSoundBooks(of: id) }
        try await fixture.stop()
    }

    @Test(arguments: [0, 1, 7, 19]) func aRefusalLeavesNothing(at index: Int) async throws {
        let fixture = try LedgerFixture()
        let (wallet, other) = (try await fixture.open(100), try await fixture.open())
        let pending = fixture.newTransferID()
        _ = try await fixture.submit(.transfer(wallet.id, .credit, 10, id: pending))
        let tables = ["wallets", "journal", "transfers", "refusals", "expirations", "wallet_keys"]
        func counts() throws -> [Int] {
            try tables.map { try fixture.number("SELECT count(*) FROM ledger.\($0)") }
                + [try fixture.number("SELECT coalesce(sum(event_count), 0) FROM ledger.outbox")]
        }
        let before = (try counts(), try fixture.stored(wallet.id).wallet)
        var operations: [Ledger.Operation] = []
        for place in 0..<20 {
            let id = fixture.newTransferID()
            switch place {
            case index: operations.append(.transfer(wallet.id, .credit, 9999, id: id, key: IdempotencyKey("x\(place)")))
            case 2: operations.append(.complete(wallet.id, pending, key: IdempotencyKey("x2")))
            case 3: operations.append(.open(fixture.newWalletID(), key: IdempotencyKey("x3")))
            case 4: operations.append(.amend(wallet.id, status: .active, key: IdempotencyKey("x4")))
            case 5:
                operations.append(
                    .between(wallet.id, other.id, 5, id: id, key: IdempotencyKey("x5"), expiry: .after(seconds: 90)))
            default:
                operations.append(
                    .transfer(wallet.id, .debit, 1, id: id, atOnce: true, key: IdempotencyKey("x\(place)")))
            }
        }
        let verdict = try await fixture.writer.submitAtomically(
            operations, batch: Self.identity("all"), origin: .none)
        guard case .refused(index: index, .insufficientFunds, isReplay: false) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(try counts() == before.0)
        #expect(try fixture.stored(wallet.id).wallet == before.1)
        // The stored refusal stands, whatever has become of the wallet; without the batch's key nothing is stored.
        _ = try await fixture.submit(.transfer(wallet.id, .debit, 99_999, id: fixture.newTransferID(), atOnce: true))
        let again = try await fixture.writer.submitAtomically(
            operations, batch: Self.identity("all"), origin: .none)
        guard case .refused(index: index, let refusal, isReplay: false) = verdict else { return }
        #expect(again == .refused(index: index, refusal, isReplay: true))
        guard case .applied = try await fixture.writer.submitAtomically(operations, batch: nil, origin: .none) else {
            Issue.record("the group is refused although it could be applied")
            return
        }
        try fixture.expectSoundBooks(of: wallet.id)
        try await fixture.stop()
    }

    /// A refused group and single operations share a transaction: each keeps its own outcome.
    @Test func aRefusedGroupLeavesItsNeighboursAlone() async throws {
        var bounds = LedgerFixture.patientBounds
        bounds.lanes = 1
        let fixture = try LedgerFixture(bounds: bounds)
        let wallet = try await fixture.open(1000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<60 {
                let id = fixture.newTransferID()
                let extra = fixture.newTransferID()
                group.addTask {
                    if round % 2 == 0 {
                        _ = try await fixture.submit(.transfer(wallet.id, .debit, 1, id: id, atOnce: true))
                    } else {
                        let verdict = try await fixture.writer.submitAtomically(
                            [
                                .transfer(wallet.id, .debit, 100, id: id, atOnce: true),
                                .transfer(wallet.id, .credit, 99_999, id: extra, atOnce: true),
                            ], batch: nil, origin: .none)
                        guard case .refused(index: 1, .insufficientFunds, _) = verdict else {
                            Issue.record("\(verdict)")
                            return
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try fixture.stored(wallet.id).wallet.balance == 1030)
        try fixture.expectSoundBooks(of: wallet.id)
        try await fixture.stop()
    }

    /// A batch larger than the queue's bound gets in when nothing waits, one that would crowd the queue does not.
    @Test func admissionCountsOperations() async throws {
        var bounds = LedgerFixture.patientBounds
        bounds.queueCapacity = 10
        bounds.lanes = 1
        let fixture = try LedgerFixture(bounds: bounds)
        let wallet = try await fixture.open()
        let operations = (0..<3000).map { _ in
            Ledger.Operation.transfer(wallet.id, .debit, 1, id: fixture.newTransferID(), atOnce: true)
        }
        let outcomes = try await fixture.writer.submitAll(operations, origin: .none)
        #expect(outcomes.count == 3000)
        let versions = try outcomes.map { try $0.get().receipt?.wallet.version }
        #expect(versions == (2...3001).map { Int64($0) })
        #expect(try fixture.stored(wallet.id).wallet.balance == 3000)
        try await fixture.stop()
        await #expect(throws: LedgerStoreError.self) {
            for outcome in try await fixture.writer.submitAll(operations, origin: .none) { _ = try outcome.get() }
        }
    }

    @Test func aBatchsKeyAloneCanBeClaimed() async throws {
        let fixture = try LedgerFixture()
        let first = try await fixture.writer.submitAtomically([], batch: Self.identity("claim"), origin: .none)
        #expect(first == .applied([], isReplay: false))
        let again = try await fixture.writer.submitAtomically([], batch: Self.identity("claim"), origin: .none)
        #expect(again == .applied([], isReplay: true))
        let other = try await fixture.writer.submitAtomically(
            [], batch: Self.identity("claim", content: 1), origin: .none)
        #expect(other == .keyReused)
        try await fixture.stop()
    }
}
