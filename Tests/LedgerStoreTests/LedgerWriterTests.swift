import Events
import Ledger
import LedgerStore
import Observability
import Postgres
import TestSupport
import Testing

/// The write path against a real PostgreSQL.
@Suite struct LedgerWriterTests {
    @Test func transfersMoveMoneyAndAreJournalled() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(10_000)
        let debit = fixture.newTransferID()
        let credit = fixture.newTransferID()
        _ = try await fixture.submit(.transfer(wallet.id, .debit, 500, id: debit))
        _ = try await fixture.submit(.transfer(wallet.id, .credit, 2000, id: credit))
        var stored = try fixture.stored(wallet.id).wallet
        #expect(stored.balance == 10_000 && stored.pendingDebit == 500 && stored.pendingCredit == 2000)
        _ = try await fixture.submit(.complete(wallet.id, debit))
        _ = try await fixture.submit(.complete(wallet.id, credit, cents: 1500))
        stored = try fixture.stored(wallet.id).wallet
        #expect(stored.balance == 9000 && stored.pendingDebit == 0 && stored.pendingCredit == 0)
        #expect(stored.version == 5)
        let audit = try fixture.audit(wallet.id)
        #expect(audit.rows == 5 && audit.problems.isEmpty)
        #expect(try fixture.number("SELECT sum(event_count)::int8 FROM ledger.outbox") == 5)
        try await fixture.stop()
    }

    @Test func repeatsGetTheFirstAnswer() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(1000)
        let key = IdempotencyKey("order-1")
        let first = try await fixture.submit(
            .transfer(wallet.id, .credit, 400, id: fixture.newTransferID(), hasClientID: false, key: key))
        guard case .applied(let receipt) = first else { throw Unexpected(first) }
        let again = try await fixture.submit(
            .transfer(wallet.id, .credit, 400, id: fixture.newTransferID(), hasClientID: false, key: key))
        #expect(again == .replayed(.applied(receipt)))
        let other = try await fixture.submit(
            .transfer(wallet.id, .credit, 500, id: fixture.newTransferID(), hasClientID: false, key: key, hash: 9))
        #expect(other == .refused(.idempotencyKeyReused, recorded: false))
        #expect(try fixture.stored(wallet.id).wallet.pendingCredit == 400)

        let completion = IdempotencyKey("complete-1")
        let id = try #require(receipt.transfer?.id)
        let done = try await fixture.submit(.complete(wallet.id, id, key: completion))
        guard case .applied(let completed) = done else { throw Unexpected(done) }
        #expect(try await fixture.submit(.complete(wallet.id, id, key: completion)) == .replayed(.applied(completed)))
        // The key of the creation belongs to another route.
        let misused = try await fixture.submit(.complete(wallet.id, id, key: key))
        #expect(misused == .refused(.idempotencyKeyReused, recorded: false))
        try await fixture.stop()
    }

    @Test func stateDependentRefusalsAreRepeated() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(100)
        let key = IdempotencyKey("too-much")
        let order = Ledger.Operation.transfer(
            wallet.id, .credit, 500, id: fixture.newTransferID(), hasClientID: false, key: key)
        let refusal = Refusal.insufficientFunds(available: 100, amount: 500, asset: LedgerFixture.eur)
        #expect(try await fixture.submit(order) == .refused(refusal, recorded: true))
        // Money arrives; the repeat still gets its first answer, another key gets the money.
        let arrival = fixture.newTransferID()
        _ = try await fixture.submit(.transfer(wallet.id, .debit, 1000, id: arrival, atOnce: true))
        #expect(try await fixture.submit(order) == .replayed(.refused(refusal)))
        #expect(try fixture.number("SELECT count(*) FROM ledger.transfers WHERE status = 3") == 1)

        let late = IdempotencyKey("late")
        let resolved = try await fixture.submit(.revert(wallet.id, arrival, key: late))
        guard case .refused(.transferNotPending(let standing), recorded: true) = resolved else {
            throw Unexpected(resolved)
        }
        #expect(standing.transfer?.status == .completed)
        let repeated = try await fixture.submit(.revert(wallet.id, arrival, key: late))
        #expect(repeated == .replayed(.refused(.transferNotPending(standing))))

        let unknown = fixture.newTransferID()
        let missing = IdempotencyKey("missing")
        _ = try await fixture.submit(.complete(wallet.id, unknown, key: missing))
        let stillMissing = try await fixture.submit(.complete(wallet.id, unknown, key: missing))
        #expect(stillMissing == .replayed(.refused(.transferNotFound)))
        let stale = IdempotencyKey("stale")
        let conditional = Ledger.Operation.transfer(
            wallet.id, .debit, 1, id: fixture.newTransferID(), hasClientID: false, key: stale, expectedVersion: 77)
        let version = try fixture.stored(wallet.id).wallet.version
        #expect(try await fixture.submit(conditional) == .refused(.versionMismatch(current: version), recorded: true))
        #expect(try await fixture.submit(conditional) == .replayed(.refused(.versionMismatch(current: version))))
        #expect(try fixture.audit(wallet.id).problems.isEmpty)
        try await fixture.stop()
    }

    @Test func anIdAloneProtectsACreation() async throws {
        let fixture = try LedgerFixture()
        let id = fixture.newWalletID()
        let wallet = try await fixture.open(100, id: id)
        #expect(
            try await fixture.submit(.open(id, balance: 100))
                == .replayed(.applied(Receipt(wallet: wallet, transfer: nil))))
        #expect(try await fixture.submit(.open(id, balance: 200, hash: 5)) == .refused(.walletExists, recorded: false))
        let transfer = fixture.newTransferID()
        let first = try await fixture.submit(.transfer(id, .credit, 50, id: transfer))
        guard case .applied(let receipt) = first else { throw Unexpected(first) }
        _ = try await fixture.submit(.complete(id, transfer))
        // The repeat gets the creation's answer, not what became of the transfer since.
        #expect(try await fixture.submit(.transfer(id, .credit, 50, id: transfer)) == .replayed(.applied(receipt)))
        let other = try await fixture.submit(.transfer(id, .credit, 60, id: transfer, hash: 8))
        #expect(other == .refused(.transferExists, recorded: false))
        try await fixture.stop()
    }

    @Test func aKeyCreatesOneWalletHoweverOftenItIsSent() async throws {
        let fixture = try LedgerFixture()
        let second = try LedgerFixture(database: fixture.database)
        let key = IdempotencyKey("signup-7")
        let ids = try await withThrowingTaskGroup(of: WalletID.self) { group in
            for number in 0..<40 {
                group.addTask {
                    let side = number % 2 == 0 ? fixture : second
                    let verdict = try await side.submit(
                        .open(side.newWalletID(), balance: 5, key: key, hasClientID: false))
                    switch verdict {
                    case .applied(let receipt), .replayed(.applied(let receipt)): return receipt.wallet.id
                    default: throw Unexpected(verdict)
                    }
                }
            }
            return try await group.reduce(into: Set<WalletID>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(try fixture.number("SELECT count(*) FROM ledger.wallets") == 1)
        #expect(try fixture.number("SELECT count(*) FROM ledger.journal") == 1)
        try await fixture.stop()
        try await second.stop()
    }

    @Test func creditsRacingForTheLastMoneyNeverOverdraw() async throws {
        let fixture = try LedgerFixture()
        let second = try LedgerFixture(database: fixture.database)
        let wallet = try await fixture.open(1000)
        let applied = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<300 {
                group.addTask {
                    let side = number % 2 == 0 ? fixture : second
                    let verdict = try await side.submit(
                        .transfer(wallet.id, .credit, 10, id: side.newTransferID(), hasClientID: false, atOnce: true))
                    if case .applied = verdict { return 1 }
                    return 0
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(applied == 100)
        #expect(try fixture.stored(wallet.id).wallet.balance == 0)
        let audit = try fixture.audit(wallet.id)
        #expect(audit.rows == 101 && audit.problems.isEmpty)
        try await fixture.stop()
        try await second.stop()
    }

    @Test func ofCompleteAndRevertOneWins() async throws {
        let fixture = try LedgerFixture()
        let second = try LedgerFixture(database: fixture.database)
        let wallet = try await fixture.open(10_000)
        for _ in 0..<30 {
            let id = fixture.newTransferID()
            _ = try await fixture.submit(.transfer(wallet.id, .credit, 10, id: id))
            async let completed = fixture.submit(.complete(wallet.id, id))
            async let reverted = second.submit(.revert(wallet.id, id))
            let winners = try await [completed, reverted].filter { if case .applied = $0 { true } else { false } }
            #expect(winners.count == 1)
        }
        #expect(try fixture.audit(wallet.id).problems.isEmpty)
        try await fixture.stop()
        try await second.stop()
    }

    @Test func aPoisonedOperationHarmsNoNeighbour() async throws {
        let fixture = try LedgerFixture()
        let wallets = try await [fixture.open(1000), fixture.open(1000), fixture.open(1000)]
        let connection = try fixture.database.connect()
        // A rule that only the database knows: what the ledger decides for one wallet is refused at the insert.
        try connection.execute(
            "ALTER TABLE ledger.journal ADD CONSTRAINT poison CHECK (version = 1 OR wallet_id <> '\(wallets[1].id)')")
        let outcomes = await withTaskGroup(of: (Int, Bool).self) { group in
            for number in 0..<90 {
                group.addTask {
                    let verdict = try? await fixture.submit(
                        .transfer(wallets[number % 3].id, .debit, 1, id: fixture.newTransferID(), hasClientID: false))
                    if case .applied = verdict { return (number % 3, true) }
                    return (number % 3, false)
                }
            }
            return await group.reduce(into: [0: 0, 1: 0, 2: 0]) { counts, outcome in
                if outcome.1 { counts[outcome.0, default: 0] += 1 }
            }
        }
        #expect(outcomes == [0: 30, 1: 0, 2: 30])
        #expect(try fixture.stored(wallets[1].id).wallet.version == 1)
        try await fixture.stop()
    }

    @Test func aHoldPastItsExpiryIsReleasedByWhoeverMeetsIt() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(1000)
        let id = fixture.newTransferID()
        _ = try await fixture.submit(.transfer(wallet.id, .credit, 400, id: id, expiry: .after(seconds: 1)))
        #expect(try fixture.number("SELECT count(*) FROM ledger.expirations") == 1)
        try await eventually("the expiry") {
            try fixture.number("SELECT count(*) FROM ledger.expirations WHERE expires_at <= now()") == 1
        }
        let verdict = try await fixture.submit(.complete(wallet.id, id))
        guard case .refused(.transferNotPending(let standing), recorded: false) = verdict else {
            throw Unexpected(verdict)
        }
        #expect(standing.transfer?.reason == .expired)
        #expect(try fixture.stored(wallet.id).wallet.available == 1000)
        #expect(try fixture.number("SELECT count(*) FROM ledger.expirations") == 0)
        #expect(try fixture.audit(wallet.id).problems.isEmpty)
        try await fixture.stop()
    }

    @Test func theJournalRefusesChanges() async throws {
        let fixture = try LedgerFixture()
        _ = try await fixture.open(1000)
        let connection = try fixture.database.connect()
        for sql in ["UPDATE ledger.journal SET amount = 1", "DELETE FROM ledger.journal", "TRUNCATE ledger.journal"] {
            #expect(throws: PostgresError.self) { try connection.execute(sql) }
        }
        try await fixture.stop()
    }

    /// The role that `specification/service-role.sql` makes can do all work, and nothing to the journal.
    @Test func theServiceRoleCannotTouchTheJournal() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(1000)
        let role = "service_\(UInt64.random(in: 0...UInt64.max))"
        let owner = try fixture.database.connect()
        try owner.execute("CREATE ROLE \(role); SET wallet.role = '\(role)'")
        try owner.execute(try LedgerFixture.specification("service-role.sql"))
        var configuration = try fixture.database.configuration()
        configuration.settings.append(("role", role))
        let writer = LedgerWriter(
            configuration: LedgerFixture.patientBounds, database: configuration, assets: AssetTable(),
            logger: .silent, metrics: MetricsRegistry())
        let running = Task { try await writer.run() }
        let id = fixture.newTransferID()
        let works: [Ledger.Operation] = [
            .open(fixture.newWalletID(), key: IdempotencyKey("new")),
            .transfer(wallet.id, .credit, 5, id: id, expiry: .after(seconds: 60)), .complete(wallet.id, id),
            .complete(wallet.id, id, key: IdempotencyKey("twice")),
        ]
        for operation in works { _ = try await writer.submit(operation, origin: .none) }
        _ = try await writer.submitAtomically(
            [], batch: BatchIdentity(key: IdempotencyKey("all"), contentHash: 1), origin: .none)
        await writer.stop()
        try await running.value
        #expect(try fixture.stored(wallet.id).wallet.balance == 995)
        let service = PostgresConnection(configuration: configuration)
        try service.connect()
        for sql in [
            "UPDATE ledger.journal SET amount = 1", "DELETE FROM ledger.journal", "TRUNCATE ledger.journal",
            "ALTER TABLE ledger.journal DISABLE TRIGGER ALL",
        ] {
            let error = #expect(throws: PostgresError.self) { try service.execute(sql) }
            #expect(
                error.map {
                    "\($0)".contains("42501") || "\($0)".contains("denied")
                        || "\($0)".contains("owner")
                } == true, "\(sql)")
        }
        service.close()
        try owner.execute("DROP OWNED BY \(role); DROP ROLE \(role)")
        try await fixture.stop()
    }
}
