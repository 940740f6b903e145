import Events
import Ledger
import LedgerStore
import Postgres
import TestSupport
import Testing

/// Transfers between wallets, reversals, extensions and amendments against a real PostgreSQL.
@Suite struct TwoWalletTests {
    @Test func moneyGoesFromWalletToWallet() async throws {
        let fixture = try LedgerFixture()
        let (payer, payee) = (try await fixture.open(1000), try await fixture.open(50))
        let (held, paid) = (fixture.newTransferID(), fixture.newTransferID())
        let key = IdempotencyKey("hold")
        let hold = Ledger.Operation.between(payer.id, payee.id, 400, id: held, key: key, expiry: .after(seconds: 60))
        let first = try await fixture.submit(hold)
        #expect(first.receipt?.transfer?.counterparty == payee.id)
        #expect(try await fixture.submit(hold) == .replayed(.applied(try #require(first.receipt))))
        _ = try await fixture.submit(.between(payer.id, payee.id, 100, id: paid, atOnce: true))
        #expect(try fixture.stored(payer.id).wallet.available == 500)
        #expect(try fixture.stored(payee.id).wallet.pendingDebit == 400)
        // Through the other wallet's path, a later expiry first.
        let extended = try await fixture.submit(.extend(payee.id, held, seconds: 600))
        #expect(extended.receipt?.transfer?.status == .pending)
        #expect(try fixture.number("SELECT count(*) FROM ledger.expirations WHERE expires_at > now() + '5 min'") == 2)
        #expect(try fixture.number("SELECT count(*) FROM ledger.expirations") == 2)
        let done = try await fixture.submit(.complete(payee.id, held, cents: 300))
        #expect(done.receipt?.wallet.id == payee.id && done.receipt?.transfer?.completedAmount == 300)
        #expect(try fixture.number("SELECT count(*) FROM ledger.expirations") == 0)
        #expect(try fixture.stored(payer.id).wallet.balance == 600)
        #expect(try fixture.stored(payee.id).wallet.balance == 450)
        let late = try await fixture.submit(.revert(payer.id, held))
        guard case .refused(.transferNotPending, _) = late else { throw Unexpected(late) }
        #expect(try await fixture.submit(hold) == .replayed(.applied(try #require(first.receipt))))
        for wallet in [payer.id, payee.id] { try fixture.expectSoundBooks(of: wallet) }
        try await fixture.stop()
    }

    @Test func aReversalGivesBackInParts() async throws {
        let fixture = try LedgerFixture()
        let (payer, payee) = (try await fixture.open(1000), try await fixture.open())
        let (paid, back) = (fixture.newTransferID(), fixture.newTransferID())
        _ = try await fixture.submit(.between(payer.id, payee.id, 500, id: paid, atOnce: true))
        let key = IdempotencyKey("back")
        let part = Ledger.Operation.reverse(payer.id, paid, by: back, 200, key: key)
        let first = try await fixture.submit(part)
        #expect(first.receipt?.transfer?.reverses == paid && first.receipt?.wallet.balance == 700)
        #expect(try await fixture.submit(part) == .replayed(.applied(try #require(first.receipt))))
        // The id alone makes a repeat recognisable, too; with other content it is taken, in the other wallet as well.
        let byID = Ledger.Operation.reverse(payer.id, paid, by: back, 200)
        #expect(try await fixture.submit(byID) == .replayed(.applied(try #require(first.receipt))))
        let taken = Ledger.Operation.reverse(payee.id, paid, by: back, 1, hash: 77)
        #expect(try await fixture.submit(taken) == .refused(.transferExists, recorded: false))
        let tooMuch = Ledger.Operation.reverse(payee.id, paid, by: fixture.newTransferID(), 301, key: IdempotencyKey("more"))
        let refused = try await fixture.submit(tooMuch)
        let limit = Refusal.amountExceedsReversible(reversible: 300, asset: LedgerFixture.eur)
        #expect(refused == .refused(limit, recorded: true))
        _ = try await fixture.submit(.reverse(payee.id, paid, by: fixture.newTransferID(), nil))
        #expect(try await fixture.submit(tooMuch) == .replayed(.refused(limit)))
        #expect(try fixture.number("SELECT sum(reversed_amount)::int8 FROM ledger.transfers") == 1000)
        #expect(try fixture.stored(payer.id).wallet.balance == 1000)
        #expect(try fixture.stored(payee.id).wallet.balance == 0)
        for wallet in [payer.id, payee.id] { try fixture.expectSoundBooks(of: wallet) }
        try await fixture.stop()
    }

    @Test func whoCannotPayRefusesTheReversalForGood() async throws {
        let fixture = try LedgerFixture()
        let (payer, payee) = (try await fixture.open(1000), try await fixture.open())
        let paid = fixture.newTransferID()
        _ = try await fixture.submit(.between(payer.id, payee.id, 500, id: paid, atOnce: true))
        _ = try await fixture.submit(.transfer(payee.id, .credit, 450, id: fixture.newTransferID(), atOnce: true))
        let back = Ledger.Operation.reverse(payer.id, paid, by: fixture.newTransferID(), 100, key: IdempotencyKey("back"))
        let poor = Refusal.insufficientFunds(available: 50, amount: 100, asset: LedgerFixture.eur)
        #expect(try await fixture.submit(back) == .refused(poor, recorded: true))
        _ = try await fixture.submit(.transfer(payee.id, .debit, 450, id: fixture.newTransferID(), atOnce: true))
        #expect(try await fixture.submit(back) == .replayed(.refused(poor)))
        #expect(try fixture.number("SELECT count(*) FROM ledger.refusals") == 1)
        try await fixture.stop()
    }

    @Test func amendmentsAreJournalledAndStored() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(100)
        let key = IdempotencyKey("freeze")
        let freeze = Ledger.Operation.amend(
            wallet.id, status: .frozen, metadata: .set(#"{"a":1}"#), limit: 500, key: key)
        let first = try await fixture.submit(freeze)
        let stored = try fixture.stored(wallet.id)
        #expect(stored.wallet.status == .frozen && stored.wallet.overdraftLimit == 500)
        #expect(stored.wallet.metadata == #"{"a":1}"# && stored.newest?.actor == "clerk")
        #expect(try await fixture.submit(freeze) == .replayed(.applied(try #require(first.receipt))))
        let pay = Ledger.Operation.transfer(
            wallet.id, .credit, 550, id: fixture.newTransferID(), atOnce: true, key: IdempotencyKey("pay"))
        #expect(try await fixture.submit(pay) == .refused(.walletNotActive(.frozen), recorded: true))
        _ = try await fixture.submit(.amend(wallet.id, status: .active))
        _ = try await fixture.submit(
            .transfer(wallet.id, .credit, 550, id: fixture.newTransferID(), atOnce: true))
        #expect(try fixture.stored(wallet.id).wallet.balance == -450)
        #expect(try await fixture.submit(pay) == .replayed(.refused(.walletNotActive(.frozen))))
        #expect(try await fixture.submit(freeze) == .replayed(.applied(try #require(first.receipt))))
        try fixture.expectSoundBooks(of: wallet.id)
        try await fixture.stop()
    }

    /// Two processes with several lanes each: whatever waits for whom, nothing is lost, and nobody waits in a circle.
    @Test func crosswiseTransfersFromTwoProcesses() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        var bounds = LedgerFixture.patientBounds
        bounds.lanes = 2
        let one = try LedgerFixture(bounds: bounds)
        let two = try LedgerFixture(database: one.database, bounds: bounds)
        var wallets: [WalletID] = []
        for _ in 0..<8 { wallets.append(try await one.open(10_000).id) }
        var works: [(LedgerFixture, [Ledger.Operation])] = []
        var transfers: [(WalletID, TransferID)] = []
        for round in 0..<16 {
            let fixture = round % 2 == 0 ? one : two
            var operations: [Ledger.Operation] = []
            for _ in 0..<150 {
                let (from, to) = random.pair(of: wallets)
                let id = one.newTransferID()
                switch random.next(below: 6) {
                case 0, 1: operations.append(.between(from, to, 1 + random.next(below: 300), id: id, atOnce: true))
                case 2, 3:
                    operations.append(.between(from, to, 1 + random.next(below: 300), id: id))
                    transfers.append((random.next(below: 2) == 0 ? from : to, id))
                case 4 where !transfers.isEmpty:
                    let (wallet, id) = transfers[random.next(below: transfers.count)]
                    operations.append(.complete(wallet, id))
                default:
                    guard !transfers.isEmpty else { continue }
                    let (wallet, original) = transfers[random.next(below: transfers.count)]
                    operations.append(.reverse(wallet, original, by: id, nil))
                }
            }
            works.append((fixture, operations))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (fixture, operations) in works {
                group.addTask {
                    let outcomes = try await fixture.writer.submitAll(operations, origin: .none)
                    for outcome in outcomes { _ = try outcome.get() }
                }
            }
            try await group.waitForAll()
        }
        #expect(try one.number("SELECT sum(balance)::int8 FROM ledger.wallets") == 80_000, "seed \(seed)")
        #expect(
            try one.number(
                "SELECT count(*) FROM (SELECT transfer_id FROM ledger.transfers WHERE counterparty IS NOT NULL "
                    + "AND status <> 3 GROUP BY transfer_id HAVING count(*) <> 2) odd") == 0)
        for wallet in wallets { try one.expectSoundBooks(of: wallet) }
        #expect(try one.number("SELECT deadlocks::int8 FROM pg_stat_database WHERE datname = current_database()") == 0)
        try await two.stop()
        try await one.stop()
    }
}
