import Observability
import Postgres
import Runtime
import TestSupport
import Testing

@Suite struct PoolTests {
    /// Runs the pool around a body and stops it in order.
    private static func running<T: Sendable>(
        _ pool: PostgresPool, _ body: () async throws -> T
    ) async throws -> T {
        async let run: Void = pool.run()
        let result: Result<T, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        await pool.stop()
        try await run
        return try result.get()
    }

    private static func one(_ pool: PostgresPool, timeout: Duration? = nil) async throws -> Int {
        try await pool.withConnection(timeout: timeout) { try $0.query("one").int(0, 0) }
    }

    private static func pool(
        _ configuration: PostgresConfiguration, size: Int = 2, capacity: Int = 64, metrics: MetricsRegistry = .init()
    ) -> PostgresPool {
        var configuration = configuration
        configuration.connectTimeout = .seconds(5)
        return PostgresPool(
            name: "test", configuration: configuration, size: size, capacity: capacity, timeout: .seconds(30),
            statements: ["one": "SELECT 1"], metrics: metrics)
    }

    private static func kind(_ body: () async throws -> some Any) async -> PostgresError.Kind? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? PostgresError)?.kind
        }
    }

    @Test func jobsRunOnAllConnections() async throws {
        let pool = Self.pool(try TestDatabase().configuration(), size: 3)
        try await Self.running(pool) {
            let gate = StopSignal()
            let pids = try await withThrowingTaskGroup(of: Int32.self) { group in
                let arrived = Monitor(0)
                for _ in 0..<3 {
                    group.addTask {
                        try await pool.withConnection { connection in
                            // All three must be there at the same time.
                            let count = arrived.withLock { count in
                                count += 1
                                return count
                            }
                            if count == 3 { gate.stop() }
                            gate.wait(for: .seconds(20))
                            return connection.backendPID
                        }
                    }
                }
                return try await group.reduce(into: Set<Int32>()) { $0.insert($1) }
            }
            #expect(pids.count == 3)
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<50 { group.addTask { try await Self.one(pool) } }
                return try await group.reduce(0, +)
            }
            #expect(sum == 50)
        }
        #expect(await Self.kind { try await Self.one(pool) } == .stopped)
    }

    @Test func aTransactionLeftOpenIsRolledBack() async throws {
        let database = try TestDatabase()
        try database.connect().execute("CREATE TABLE t (id int)")
        let pool = Self.pool(try database.configuration(), size: 1)
        try await Self.running(pool) {
            try await pool.withConnection { try $0.execute("BEGIN; INSERT INTO t VALUES (1)") }
            let inside = try await pool.withConnection { $0.isInTransaction }
            #expect(!inside)
            let count = try await pool.withConnection { try $0.query(sql: "SELECT count(*) FROM t").int(0, 0) }
            #expect(count == 0)
        }
    }

    @Test func aFullQueueRefusesAndLateJobsFail() async throws {
        let metrics = MetricsRegistry()
        let pool = Self.pool(try TestDatabase().configuration(), size: 1, capacity: 2, metrics: metrics)
        try await Self.running(pool) {
            let started = StopSignal()
            let gate = StopSignal()
            async let first: Void = pool.withConnection { _ in
                started.stop()
                gate.wait(for: .seconds(20))
            }
            await started.wait()
            // The only thread is held, so both of these wait; one of them not for long.
            async let late = Self.kind { try await Self.one(pool, timeout: .milliseconds(20)) }
            #expect(await late == .deadlineExceeded)
            async let second = Self.one(pool)
            async let third = Self.one(pool)
            try await eventually { metrics.text().contains("jobs_waiting{pool=\"test\"} 2") }
            #expect(await Self.kind { try await Self.one(pool) } == .overloaded)
            gate.stop()
            try await first
            #expect(try await second + third == 2)
        }
    }

    @Test func aJobPastItsTimeCostsTheConnectionButNotThePool() async throws {
        let pool = Self.pool(try TestDatabase().configuration(), size: 1)
        try await Self.running(pool) {
            let kind = await Self.kind {
                try await pool.withConnection(timeout: .milliseconds(100)) { try $0.execute("SELECT pg_sleep(60)") }
            }
            #expect(kind == .deadlineExceeded)
            let one = try await Self.one(pool)
            #expect(one == 1)
        }
    }

    @Test func aKilledServerIsNoticedAndFoundAgain() async throws {
        let server = try PostgresServer()
        defer { server.remove() }
        let metrics = MetricsRegistry()
        let pool = Self.pool(try server.configuration(), metrics: metrics)
        try await Self.running(pool) {
            #expect(try await Self.one(pool) == 1)
            let running = StopSignal()
            async let interrupted = Self.kind {
                try await pool.withConnection { connection in
                    running.stop()
                    try connection.execute("SELECT pg_sleep(60)")
                }
            }
            await running.wait()
            server.kill()
            #expect(await interrupted == .connectionLost)
            try await eventually { await Self.kind { try await Self.one(pool) } == .unavailable }
            try await eventually { !pool.isAvailable }
            try server.start()
            try await eventually { await (try? Self.one(pool)) == 1 }
            #expect(pool.isAvailable)
            // Restarted while nobody looked: the next job must not suffer for it.
            try await eventually { metrics.text().contains("connections_open{pool=\"test\"} 2") }
            try server.restart()
            #expect(try await Self.one(pool) == 1)
        }
    }

    @Test func withoutADatabaseJobsFailAtOnceAndStoppingWorks() async throws {
        let proxy = try FaultProxy(upstream: 1)
        let pool = Self.pool(try PostgresConfiguration(url: "postgresql://x@127.0.0.1:\(proxy.port)/x"))
        try await Self.running(pool) {
            #expect(await Self.kind { try await Self.one(pool) } == .unavailable)
            #expect(!pool.isAvailable)
        }
    }

    @Test func aHungServerFailsJobsInTheirTime() async throws {
        let database = try TestDatabase()
        let proxy = try FaultProxy(upstream: database.server.port)
        let pool = Self.pool(try database.configuration(port: proxy.port), size: 1)
        try await Self.running(pool) {
            #expect(try await Self.one(pool) == 1)
            proxy.stall()
            let kinds = await withTaskGroup(of: PostgresError.Kind?.self) { group in
                for _ in 0..<4 {
                    group.addTask { await Self.kind { try await Self.one(pool, timeout: .milliseconds(150)) } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(kinds == Array(repeating: .deadlineExceeded, count: 4))
            proxy.resume()
            try await eventually { await (try? Self.one(pool)) == 1 }
        }
    }
}
