public import Observability
public import Runtime

/// A fixed number of connections, each with a thread of its own, behind one bounded queue.
///
/// Statements block their thread, never Swift's cooperative pool. A lost connection is made anew with growing pauses.
/// While no connection can be had, jobs fail at once with `.unavailable`; when the queue is full, with `.overloaded`.
public final class PostgresPool: Service {
    /// The name for logs and metrics.
    public let name: String
    /// The number of connections.
    public let size: Int
    /// How long a job may take, waiting included, unless it says otherwise.
    public let timeout: Duration

    private let configuration: PostgresConfiguration
    private let statements: [(name: String, sql: String)]
    private let capacity: Int
    private let logger: Logger
    private let metrics: PostgresPoolMetrics
    private let monitor: Monitor<PoolState>
    private let stopping = StopSignal()

    /// A pool that is not running yet; jobs given to it wait for `run()`.
    ///
    /// - Parameters:
    ///   - name: a label for logs and metrics, such as `reads`.
    ///   - configuration: where the connections lead.
    ///   - size: the number of connections and threads.
    ///   - capacity: how many jobs may wait.
    ///   - timeout: how long a job may take, waiting included.
    ///   - statements: prepared on every connection, SQL by name.
    ///   - logger: told of connections lost and made.
    ///   - metrics: where jobs and connections are counted.
    public init(
        name: String, configuration: PostgresConfiguration, size: Int, capacity: Int = 1024,
        timeout: Duration = .seconds(8), statements: [String: String] = [:], logger: Logger = .silent,
        metrics: MetricsRegistry = MetricsRegistry()
    ) {
        precondition(size > 0 && capacity > 0, "a pool needs a connection and a place to wait")
        self.name = name
        self.configuration = configuration
        self.size = size
        self.capacity = capacity
        self.timeout = timeout
        self.statements = statements.sorted { $0.key < $1.key }.map { (name: $0.key, sql: $0.value) }
        self.logger = logger.with(["pool": .string(name)])
        let monitor = Monitor(PoolState(size: size))
        self.monitor = monitor
        self.metrics = PostgresPoolMetrics(
            registry: metrics, pool: name,
            waiting: { monitor.withLock { Double($0.jobs.count) } },
            open: { monitor.withLock { Double($0.openConnections) } })
    }

    /// Whether at least one connection is open: what a readiness probe asks.
    public var isAvailable: Bool { monitor.withLock { $0.openConnections > 0 } }

    /// Runs a body with a connection on one of the pool's threads. A transaction the body leaves open is rolled back.
    ///
    /// - Parameters:
    ///   - timeout: how long it may take, waiting included; past it the error is `.deadlineExceeded`, and a statement
    ///     that is still running costs the connection.
    ///   - body: must not keep the connection or a result beyond its end.
    /// - Throws: what the body throws, or a `PostgresError` of kind `.unavailable`, `.overloaded`, `.stopped` or
    ///   `.deadlineExceeded`.
    public func withConnection<T: Sendable>(
        timeout: Duration? = nil, _ body: @escaping @Sendable (PostgresConnection) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let job = PoolJob(
                deadline: .after(timeout ?? self.timeout),
                run: { connection in
                    let result = Result { try body(connection) }
                    continuation.resume(with: result)
                    guard case .failure(let error) = result else { return nil }
                    return error
                },
                fail: { continuation.resume(throwing: $0) })
            submit(job)
        }
    }

    private func submit(_ job: PoolJob) {
        let refusal = monitor.withLock { state -> PostgresError? in
            if state.isStopping { return PostgresError(.stopped, .queue, "the pool \(name) has been stopped") }
            if state.isAway { return state.awayError(name) }
            guard state.jobs.count < capacity else {
                return PostgresError(.overloaded, .queue, "the pool \(name) has \(capacity) jobs waiting")
            }
            state.jobs.append(job)
            return nil
        }
        if let refusal {
            metrics.refused(refusal.kind)
            job.fail(refusal)
        } else {
            monitor.wakeOne()
        }
    }

    /// Opens the connections and works until `stop()`; then finishes what is queued.
    public func run() async throws {
        var threads: [OwnedThread] = []
        do {
            for slot in 0..<size {
                threads.append(try OwnedThread(name: "pg-\(name)-\(slot)") { [self] in work(slot) })
            }
        } catch {
            await stop()
            for thread in threads { await thread.waitUntilEnded() }
            failAll()
            throw error
        }
        // All threads may be held by statements: somebody else has to notice jobs whose time is up.
        while !threads.allSatisfy(\.hasEnded), !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(50))
            expire()
        }
        failAll()
    }

    /// Takes no more jobs; `run()` returns once the queued ones are done.
    public func stop() async {
        monitor.withLock { $0.isStopping = true }
        stopping.stop()
        monitor.wakeAll()
    }

    private func expire() {
        let now = Deadline.now
        let expired = monitor.withLock { $0.takeExpired(now) }
        for job in expired { fail(late: job) }
    }

    private func fail(late job: PoolJob) {
        metrics.refused(.deadlineExceeded)
        job.fail(PostgresError(.deadlineExceeded, .queue, "no connection of the pool \(name) was free in time"))
    }

    private func failAll() {
        let left = monitor.withLock { state in
            defer { state.jobs.removeAll() }
            return Array(state.jobs)
        }
        for job in left { job.fail(PostgresError(.stopped, .queue, "the pool \(name) has been stopped")) }
    }
}

// What a thread of the pool does.
extension PostgresPool {
    private enum Turn: Sendable {
        case job(PoolJob)
        case stop
    }

    private func work(_ slot: Int) {
        let connection = PostgresConnection(configuration: configuration)
        connection.registry = statements
        var backoff = Backoff(base: .milliseconds(50), maximum: .seconds(2), minimum: .milliseconds(10))
        defer { monitor.withLock { $0.slots[slot] = .ended } }
        while true {
            guard connection.isOpen || reconnect(connection, slot) == nil else {
                if stopping.wait(for: backoff.next()) { return }
                continue
            }
            backoff.reset()
            // The pause between two looks at an idle connection, whose end nobody else would notice.
            guard let turn = nextTurn(within: .seconds(2)) else {
                if !connection.isHealthy { lose(connection, slot) }
                continue
            }
            guard case .job(let job) = turn else { return }
            perform(job, on: connection, slot)
        }
    }

    private func nextTurn(within limit: Duration) -> Turn? {
        monitor.wait(for: limit) { state in
            if !state.jobs.isEmpty { return .job(state.jobs.removeFirst()) }
            return state.isStopping ? .stop : nil
        }
    }

    private func perform(_ job: PoolJob, on connection: PostgresConnection, _ slot: Int) {
        guard Deadline.now < job.deadline else { return fail(late: job) }
        connection.limit = job.deadline
        defer { connection.limit = nil }
        if !connection.isHealthy {
            // The server went away, and perhaps came back, while nobody used the connection.
            lose(connection, slot)
            if let error = reconnect(connection, slot) {
                guard Deadline.now < job.deadline else { return fail(late: job) }
                metrics.refused(.unavailable)
                job.fail(PostgresError(.unavailable, .queue, error.message, sqlState: error.sqlState))
                return
            }
        }
        let error = job.run(connection)
        connection.limit = nil
        metrics.finished(error)
        if connection.isInTransaction { connection.rollback() }
        let demoted = (error as? PostgresError)?.sqlState == .readOnlyTransaction
        if demoted || !connection.isHealthy { lose(connection, slot) }
    }

    private func lose(_ connection: PostgresConnection, _ slot: Int) {
        connection.close()
        metrics.lost.increment()
        logger.warning("a database connection was lost", ["slot": .int(slot)])
        monitor.withLock { $0.slots[slot] = .connecting }
    }

    /// The error if the connection cannot be made; the jobs that wait fail with it when no connection is left.
    private func reconnect(_ connection: PostgresConnection, _ slot: Int) -> PostgresError? {
        do throws(PostgresError) {
            try connection.connect()
        } catch {
            // A job in a hurry says nothing about the database.
            if let limit = connection.limit, limit <= .now { return error }
            metrics.connectFailures.increment()
            logger.warning(
                "cannot connect to the database",
                ["slot": .int(slot), "error": .describing(error), "database": .describing(configuration)])
            let abandoned = monitor.withLock { state in
                state.slots[slot] = .away
                state.lastError = error
                return state.isAway ? state.takeAll() : []
            }
            for job in abandoned {
                metrics.refused(.unavailable)
                job.fail(PostgresError(.unavailable, .queue, error.message, sqlState: error.sqlState))
            }
            return error
        }
        metrics.connects.increment()
        logger.info("connected to the database", ["slot": .int(slot)])
        monitor.withLock { $0.slots[slot] = .open }
        return nil
    }
}
