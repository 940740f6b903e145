import Ledger
import LedgerStore
import Postgres
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
        let fixture = try fixture(proxy, database)
        let wallet = try await fixture.open(1000)
        proxy.when("lock_wallets", .toServer, forwards: true, then: .reset)
        let verdict = try await fixture.submit(
            .transfer(wallet.id, .credit, 10, id: fixture.newTransferID(), hasClientID: false))
        guard case .applied = verdict else { throw Unexpected(verdict) }
        #expect(try fixture.audit(wallet.id).rows == 2)
        try await fixture.stop()
    }

    @Test func whileTheDatabaseIsAwayWritesAreRefusedAndThenWorkAgain() async throws {
        let server = try PostgresServer(durable: true)
        defer { server.remove() }
        try server.start()
        let database = try LedgerFixture.migrated(on: server)
        let fixture = try LedgerFixture(database: database)
        let wallet = try await fixture.open(1000)
        let keyed = Ledger.Operation.transfer(
            wallet.id, .debit, 5, id: fixture.newTransferID(), atOnce: true, key: IdempotencyKey("once"))
        server.kill()
        // The session may still have looked alive, and then nobody knows whether the commit got through.
        do {
            _ = try await fixture.submit(keyed)
            Issue.record("applied without a database")
        } catch let error as LedgerStoreError {
            #expect(error == .unavailable || error == .outcomeUnknown)
        }
        await #expect(throws: LedgerStoreError.unavailable) {
            try await fixture.submit(.transfer(wallet.id, .debit, 1, id: fixture.newTransferID(), hasClientID: false))
        }
        try server.start()
        try await eventually("the writer to recover") {
            let verdict = try? await fixture.submit(
                .transfer(wallet.id, .debit, 1, id: fixture.newTransferID(), hasClientID: false, atOnce: true))
            if case .applied = verdict { return true }
            return false
        }
        _ = try await fixture.submit(keyed)
        #expect(try fixture.stored(wallet.id).wallet.balance == 1006)
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
