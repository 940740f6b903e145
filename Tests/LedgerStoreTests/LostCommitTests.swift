import Ledger
import LedgerStore
import Postgres
import Runtime
import TestSupport
import Testing

/// Connections that break around the COMMIT, and a database that goes away.
@Suite struct LostCommitTests {
    private func fixture(_ proxy: FaultProxy, _ database: TestDatabase) throws -> LedgerFixture {
        var bounds = LedgerFixture.patientBounds
        bounds.lanes = 1
        return try LedgerFixture(database: database, port: proxy.port, bounds: bounds)
    }

    /// The commit reaches the server or not; either way the answer is true and the money moves once.
    @Test(arguments: [true, false])
    func theOutcomeIsFoundOut(commitArrives: Bool) async throws {
        let database = try LedgerFixture.migrated()
        let proxy = try FaultProxy(upstream: database.server.port)
        let fixture = try fixture(proxy, database)
        let wallet = try await fixture.open(1000)
        for number in 0..<5 {
            proxy.when("COMMIT\0", .toServer, forwards: commitArrives, then: .close)
            let verdict = try await fixture.submit(
                .transfer(wallet.id, .credit, 10, id: fixture.newTransferID(), hasClientID: false, atOnce: true))
            guard case .applied = verdict else { throw Unexpected(verdict) }
            #expect(try fixture.stored(wallet.id).wallet.balance == Int128(1000 - 10 * (number + 1)))
        }
        #expect(proxy.fired == 5)
        let audit = try fixture.audit(wallet.id)
        #expect(audit.rows == 6 && audit.problems.isEmpty)
        try await fixture.stop()
    }

    @Test func aConnectionLostBeforeTheCommitIsTriedAgain() async throws {
        let database = try LedgerFixture.migrated()
        let proxy = try FaultProxy(upstream: database.server.port)
        var bounds = LedgerFixture.patientBounds
        // Two round trips: the first has no COMMIT in it.
        bounds.memory = 0
        let fixture = try LedgerFixture(database: database, port: proxy.port, bounds: bounds)
        let wallet = try await fixture.open(1000)
        proxy.when("lock_wallets", .toServer, forwards: true, then: .reset)
        let verdict = try await fixture.submit(
            .transfer(wallet.id, .credit, 10, id: fixture.newTransferID(), hasClientID: false))
        guard case .applied = verdict else { throw Unexpected(verdict) }
        #expect(proxy.fired == 1)
        #expect(try fixture.audit(wallet.id).rows == 2)
        try await fixture.stop()
    }

    /// The server has the whole batch and waits for a lock when its client goes. By the time it gets the lock, the
    /// batch has been given up, and a second attempt is on its way.
    @Test func aCommitThatComesTooLateDoesNotHappen() async throws {
        let database = try LedgerFixture.migrated()
        let proxy = try FaultProxy(upstream: database.server.port)
        let fixture = try fixture(proxy, database)
        let wallet = try await fixture.open(1000)
        let holder = try database.connect()
        try holder.execute("BEGIN; SELECT FROM ledger.wallets WHERE id = '\(wallet.id)' FOR UPDATE")
        let credit = Ledger.Operation.transfer(
            wallet.id, .credit, 10, id: fixture.newTransferID(), hasClientID: false, atOnce: true)
        async let verdict = fixture.submit(credit)
        func waiting() throws -> Int {
            try fixture.number(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        }
        try await eventually("the batch waits for the lock") { try waiting() == 1 }
        // Not reset: what the server has not read yet is still there for it.
        try await proxy.cut(.close)
        try await eventually("the second attempt waits, too") { try waiting() == 2 }
        try holder.execute("ROLLBACK")
        holder.close()
        guard case .applied = try await verdict else { throw Unexpected(try await verdict) }
        let abandoned = try fixture.number("SELECT count(*) FROM ledger.outbox WHERE last_error LIKE 'abandoned:%'")
        #expect(abandoned == 1)
        #expect(try fixture.stored(wallet.id).wallet.balance == 990)
        #expect(try fixture.audit(wallet.id).rows == 2)
        try await fixture.stop()
    }

    /// Past the time for which the outbox keeps its rows, one that is not there tells nothing.
    @Test(arguments: [true, false])
    func aLookUpThatComesTooLateDoesNotGuess(commitArrives: Bool) async throws {
        let database = try LedgerFixture.migrated()
        let proxy = try FaultProxy(upstream: database.server.port)
        var bounds = LedgerFixture.patientBounds
        bounds.clockSkewMax = .seconds(300)
        // By the server's clock, whatever this process sends was sent a minute ago.
        let late = Clock(
            wallMicroseconds: { Clock.system.wallMicroseconds() - 60_000_000 },
            monotonicNanoseconds: Clock.system.monotonicNanoseconds)
        let fixture = try LedgerFixture(database: database, port: proxy.port, bounds: bounds, clock: late)
        let wallet = try await fixture.open(1000)
        proxy.when("COMMIT\0", .toServer, forwards: commitArrives, then: .close)
        let credit = Ledger.Operation.transfer(wallet.id, .credit, 10, id: fixture.newTransferID(), atOnce: true)
        if commitArrives {
            let verdict = try await fixture.submit(credit)
            guard case .applied = verdict else { throw Unexpected(verdict) }
        } else {
            await #expect(throws: LedgerStoreError.outcomeUnknown) { try await fixture.submit(credit) }
        }
        #expect(proxy.fired == 1)
        #expect(try fixture.stored(wallet.id).wallet.balance == (commitArrives ? 990 : 1000))
        try await fixture.stop()
    }

    /// Nothing can be looked up: the answer is that the outcome is unknown, and the repeat finds it out.
    @Test(arguments: [true, false])
    func anOutcomeThatCannotBeFoundOutIsCalledUnknown(commitArrives: Bool) async throws {
        let database = try LedgerFixture.migrated()
        let proxy = try FaultProxy(upstream: database.server.port)
        var bounds = LedgerFixture.patientBounds
        bounds.lanes = 1
        bounds.lookUpTimeout = .milliseconds(200)
        let fixture = try LedgerFixture(database: database, port: proxy.port, bounds: bounds)
        let wallet = try await fixture.open(1000)
        let debit = Ledger.Operation.transfer(wallet.id, .debit, 1, id: fixture.newTransferID(), atOnce: true)
        // Nobody listens there.
        proxy.redirect(to: 1)
        proxy.when("COMMIT\0", .toServer, forwards: commitArrives, then: .close)
        await #expect(throws: LedgerStoreError.outcomeUnknown) { try await fixture.submit(debit) }
        proxy.redirect(to: database.server.port)
        let repeated = try await settled(debit, fixture)
        guard case (true, .replayed(.applied)) = (commitArrives, repeated) else {
            guard case (false, .applied) = (commitArrives, repeated) else { throw Unexpected(repeated) }
            return try await expectOneDebit(wallet.id, fixture)
        }
        try await expectOneDebit(wallet.id, fixture)
    }

    /// A refusal is stored and its commit lost: whoever asked first is not told that this is a repeat.
    @Test(arguments: [true, false])
    func aStoredRefusalWhoseCommitWasLostIsNoReplay(commitArrives: Bool) async throws {
        let database = try LedgerFixture.migrated()
        let proxy = try FaultProxy(upstream: database.server.port)
        let fixture = try fixture(proxy, database)
        let wallet = try await fixture.open(1000)
        let held = fixture.newTransferID()
        _ = try await fixture.submit(.transfer(wallet.id, .credit, 10, id: held))
        let tooMuch = Ledger.Operation.complete(wallet.id, held, cents: 11, key: IdempotencyKey("k"))
        proxy.when("COMMIT\0", .toServer, forwards: commitArrives, then: .close)
        let first = try await fixture.submit(tooMuch)
        guard case .refused(let refusal, recorded: true) = first else { throw Unexpected(first) }
        #expect(proxy.fired == 1)
        #expect(try await fixture.submit(tooMuch) == .replayed(.refused(refusal)))
        try await fixture.stop()
    }

    /// A server that is killed leaves its sessions alive for a moment: until they notice, one may still take a batch,
    /// commit it or die over it. Then the outcome is known, or it is called unknown; what is answered as not recorded
    /// never was.
    @Test func whileTheDatabaseIsAwayWritesAreRefusedAndThenWorkAgain() async throws {
        let server = try PostgresServer(durable: true)
        defer { server.remove() }
        try server.start()
        let database = try LedgerFixture.migrated(on: server)
        var bounds = LedgerFixture.patientBounds
        bounds.lookUpTimeout = .milliseconds(200)
        let fixture = try LedgerFixture(database: database, bounds: bounds)
        let wallet = try await fixture.open(1000)
        let debit = Ledger.Operation.transfer(wallet.id, .debit, 1, id: fixture.newTransferID(), atOnce: true)
        server.kill()
        var mayBeThere = false
        try await eventually("writes are refused") {
            do {
                _ = try await fixture.submit(debit)
                mayBeThere = true
                return false
            } catch LedgerStoreError.outcomeUnknown {
                mayBeThere = true
                return false
            } catch LedgerStoreError.unavailable {
                return true
            }
        }
        try server.start()
        let verdict = try await settled(debit, fixture)
        if case .replayed = verdict, !mayBeThere { throw Unexpected(verdict) }
        try await expectOneDebit(wallet.id, fixture)
    }

    /// Repeats an operation until it is answered.
    private func settled(_ operation: Ledger.Operation, _ fixture: LedgerFixture) async throws -> Decision.Verdict {
        var verdict: Decision.Verdict?
        try await eventually("the writer recovers") {
            verdict = try? await fixture.submit(operation)
            return verdict != nil
        }
        return try #require(verdict)
    }

    private func expectOneDebit(_ wallet: WalletID, _ fixture: LedgerFixture) async throws {
        #expect(try fixture.stored(wallet).wallet.balance == 1001)
        let audit = try fixture.audit(wallet)
        #expect(audit.rows == 2 && audit.problems.isEmpty)
        try await fixture.stop()
    }

    @Test func aFullQueueRefusesAtOnce() async throws {
        let database = try LedgerFixture.migrated()
        let proxy = try FaultProxy(upstream: database.server.port)
        var bounds = LedgerFixture.patientBounds
        bounds.lanes = 1
        bounds.batchMax = 1
        bounds.queueCapacity = 4
        let fixture = try LedgerFixture(database: database, port: proxy.port, bounds: bounds)
        let wallet = try await fixture.open(1000)
        proxy.stall()
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    do {
                        _ = try await fixture.submit(
                            .transfer(wallet.id, .debit, 1, id: fixture.newTransferID(), hasClientID: false))
                        return false
                    } catch LedgerStoreError.overloaded {
                        return true
                    } catch {
                        return false
                    }
                }
            }
            var refused = 0
            for await isRefused in group {
                if isRefused { refused += 1 }
                if refused == 40 { proxy.resume() }
            }
            return refused
        }
        #expect(refused >= 40)
        #expect(try fixture.audit(wallet.id).problems.isEmpty)
        try await fixture.stop()
    }
}
