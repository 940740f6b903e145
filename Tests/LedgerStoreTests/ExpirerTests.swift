import Ledger
import LedgerStore
import Observability
import Postgres
import Runtime
import Synchronization
import TestSupport
import Testing

/// Pending transfers that run out are released exactly once.
@Suite struct ExpirerTests {
    /// A worker: its own pool, write path and expirer on one database, and a clock that can be set.
    private final class Worker: Sendable {
        let metrics = MetricsRegistry()
        private let services: [any Service]
        private let running = Mutex<[Task<Void, any Error>]>([])

        init(_ database: TestDatabase, clock: Clock) throws {
            let configuration = try database.configuration()
            let pool = PostgresPool(
                name: "expiry", configuration: configuration, size: 2, statements: Expirer.statements)
            var bounds = LedgerWriterConfiguration()
            bounds.clockSkewMax = .seconds(3600)
            let writer = LedgerWriter(
                configuration: bounds, database: configuration, assets: AssetTable(), clock: clock, logger: .silent,
                metrics: metrics)
            let expirer = Expirer(
                pool: pool, writer: writer, poll: .milliseconds(20), concurrency: 16, clock: clock, logger: .silent,
                metrics: metrics)
            services = [pool, writer, expirer]
            for service in services { running.withLock { $0.append(Task { try await service.run() }) } }
        }

        func stop() async throws {
            for (service, task) in zip(services, running.withLock { $0 }).reversed() {
                await service.stop()
                try await task.value
            }
        }

        func count(_ name: String) -> Int { metrics.counter(name, "").current }
    }

    private final class SettableTime: Sendable {
        private let ahead = Atomic<Int64>(0)
        func advance(seconds: Int64) { ahead.add(seconds * 1_000_000, ordering: .relaxed) }
        var clock: Clock {
            Clock(
                wallMicroseconds: { Clock.system.wallMicroseconds() + self.ahead.load(ordering: .relaxed) },
                monotonicNanoseconds: Clock.system.monotonicNanoseconds)
        }
    }

    @Test func twoWorkersReleaseEachTransferOnce() async throws {
        let fixture = try await runOnOwnThread("fixture") { try LedgerFixture() }
        var wallets: [WalletID] = []
        for _ in 0..<10 {
            let wallet = try await fixture.open(100_000).id
            wallets.append(wallet)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<60 {
                    let expiry: TransferOrder.Expiry = number < 50 ? .after(seconds: 60) : .after(seconds: 3600)
                    let direction: Direction = number % 2 == 0 ? .credit : .debit
                    group.addTask {
                        _ = try await fixture.submit(
                            .transfer(wallet, direction, 7, id: fixture.newTransferID(), expiry: expiry))
                    }
                }
                try await group.waitForAll()
            }
        }
        let time = SettableTime()
        let workers = try (0..<2).map { _ in try Worker(fixture.database, clock: time.clock) }
        #expect(try fixture.number("SELECT count(*) FROM ledger.expirations") == 600)
        time.advance(seconds: 120)
        try await eventually("what ran out is released") {
            try fixture.number("SELECT count(*) FROM ledger.expirations") == 100
        }
        try await eventually("the lag is over") {
            workers[0].metrics.gauge("wallet_expiry_lag_seconds", "").current == 0
        }
        for worker in workers { try await worker.stop() }
        #expect(workers.reduce(0) { $0 + $1.count("wallet_expired_transfers_total") } == 500)
        #expect(workers.allSatisfy { $0.count("wallet_expiry_stale_rows_total") == 0 })
        #expect(try fixture.number("SELECT count(*) FROM ledger.journal WHERE kind = 6") == 500)
        #expect(try fixture.number("SELECT count(*) FROM ledger.transfers WHERE status = 1") == 100)
        for wallet in wallets {
            #expect(try fixture.audit(wallet).problems.isEmpty)
            #expect(try fixture.stored(wallet).wallet.balance == 100_000)
        }
        try await fixture.stop()
    }

    /// Each side of a transfer between wallets has a row of its own, and each expirer may begin at either side.
    @Test func aTransferBetweenWalletsExpiresOnceOnBothSides() async throws {
        let fixture = try await runOnOwnThread("fixture") { try LedgerFixture() }
        var wallets: [WalletID] = []
        for _ in 0..<6 { wallets.append(try await fixture.open(100_000).id) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<120 {
                // Crosswise: each wallet pays and is paid.
                let (from, to) = (wallets[number % 6], wallets[(number + 1 + number / 6 % 5) % 6])
                let expiry: TransferOrder.Expiry = number < 100 ? .after(seconds: 60) : .after(seconds: 3600)
                group.addTask {
                    _ = try await fixture.submit(.between(from, to, 7, id: fixture.newTransferID(), expiry: expiry))
                }
            }
            try await group.waitForAll()
        }
        #expect(try fixture.number("SELECT count(*) FROM ledger.expirations") == 240)
        let time = SettableTime()
        let workers = try (0..<2).map { _ in try Worker(fixture.database, clock: time.clock) }
        time.advance(seconds: 120)
        try await eventually("what ran out is released") {
            try fixture.number("SELECT count(*) FROM ledger.expirations") == 40
        }
        for worker in workers { try await worker.stop() }
        #expect(workers.reduce(0) { $0 + $1.count("wallet_expired_transfers_total") } == 100)
        #expect(workers.allSatisfy { $0.count("wallet_expiry_stale_rows_total") == 0 })
        // Both journals have the release, in opposite directions, and once.
        #expect(
            try fixture.number(
                """
                SELECT count(*) FROM (
                    SELECT transfer_id FROM ledger.journal WHERE kind = 6 GROUP BY transfer_id
                    HAVING count(*) = 2 AND count(DISTINCT wallet_id) = 2 AND sum(direction) = 3) once
                """) == 100)
        #expect(try fixture.number("SELECT count(*) FROM ledger.journal WHERE kind = 6") == 200)
        #expect(try fixture.number("SELECT count(*) FROM ledger.transfers WHERE status = 3") == 200)
        for wallet in wallets {
            let stored = try fixture.stored(wallet).wallet
            #expect(stored.balance == 100_000)
            try fixture.expectSoundBooks(of: wallet)
        }
        // The holds that are left are those of the 20 transfers that run for an hour.
        #expect(try fixture.number("SELECT sum(pending_credit)::int8 FROM ledger.wallets") == 140)
        #expect(try fixture.number("SELECT sum(pending_debit)::int8 FROM ledger.wallets") == 140)
        try await fixture.stop()
    }

    @Test func aResolvedTransferIsNotExpiredAndAStaleRowIsRemoved() async throws {
        let fixture = try await runOnOwnThread("fixture") { try LedgerFixture() }
        let wallet = try await fixture.open(1000).id
        let transfer = fixture.newTransferID()
        _ = try await fixture.submit(.transfer(wallet, .credit, 100, id: transfer, expiry: .after(seconds: 60)))
        let connection = try fixture.database.connect()
        try connection.execute("CREATE TABLE kept AS SELECT * FROM ledger.expirations")
        _ = try await fixture.submit(.complete(wallet, transfer))
        #expect(try fixture.number("SELECT count(*) FROM ledger.expirations") == 0)
        // What must not be: a row for a settled transfer, and one for a transfer that never was.
        try connection.execute("INSERT INTO ledger.expirations SELECT * FROM kept")
        try connection.execute(
            "INSERT INTO ledger.expirations SELECT expires_at, wallet_id, gen_random_uuid() FROM kept")
        let time = SettableTime()
        time.advance(seconds: 120)
        let worker = try Worker(fixture.database, clock: time.clock)
        try await eventually("the rows are removed") {
            try fixture.number("SELECT count(*) FROM ledger.expirations") == 0
        }
        try await eventually("and counted") { worker.count("wallet_expiry_stale_rows_total") == 2 }
        try await worker.stop()
        #expect(worker.count("wallet_expired_transfers_total") == 0)
        #expect(try fixture.stored(wallet).wallet.balance == 900)
        try await fixture.stop()
    }
}
