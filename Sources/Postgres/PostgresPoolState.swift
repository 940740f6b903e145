internal import Observability

/// A piece of work that waits for a connection.
struct PoolJob: Sendable {
    let deadline: Deadline
    /// Runs it and answers the caller; returns the error it ended with.
    let run: @Sendable (PostgresConnection) -> (any Error)?
    /// Answers the caller without running it.
    let fail: @Sendable (PostgresError) -> Void
}

/// First in, first out, in an array whose front is given up now and then.
struct PoolQueue: Sendable, Sequence {
    private var items: [PoolJob?] = []
    private var head = 0

    var count: Int { items.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ job: PoolJob) { items.append(job) }

    /// Only for a queue that is not empty.
    mutating func removeFirst() -> PoolJob {
        guard let job = items[head] else { preconditionFailure("a place before the head") }
        items[head] = nil
        head += 1
        if head == items.count || head > 256 {
            items.removeFirst(head)
            head = 0
        }
        return job
    }

    mutating func removeAll() {
        items.removeAll()
        head = 0
    }

    mutating func removeAll(where matches: (PoolJob) -> Bool) -> [PoolJob] {
        let removed = filter(matches)
        guard !removed.isEmpty else { return [] }
        items = items[head...].filter { $0.map { !matches($0) } ?? false }
        head = 0
        return removed
    }

    func makeIterator() -> some IteratorProtocol<PoolJob> { items[head...].lazy.compactMap(\.self).makeIterator() }
}

/// What the threads of a pool share.
struct PoolState: Sendable {
    enum Slot: Sendable {
        /// Not tried yet, or lost and being made anew for the first time.
        case connecting
        case open
        /// The last attempt failed.
        case away
        case ended
    }

    var jobs = PoolQueue()
    var slots: [Slot]
    var isStopping = false
    var lastError: PostgresError?

    init(size: Int) {
        slots = Array(repeating: .connecting, count: size)
    }

    var openConnections: Int { slots.count { $0 == .open } }

    /// Whether nobody can be expected to take a job soon.
    var isAway: Bool { slots.allSatisfy { $0 == .away || $0 == .ended } }

    func awayError(_ name: String) -> PostgresError {
        let reason = lastError?.message ?? "no connection"
        return PostgresError(
            .unavailable, .queue, "the pool \(name) has no connection: \(reason)", sqlState: lastError?.sqlState)
    }

    mutating func takeAll() -> [PoolJob] {
        defer { jobs.removeAll() }
        return Array(jobs)
    }

    mutating func takeExpired(_ now: Deadline) -> [PoolJob] { jobs.removeAll { $0.deadline < now } }
}

/// What a pool counts.
struct PostgresPoolMetrics: Sendable {
    let connects: Counter
    let connectFailures: Counter
    let lost: Counter
    private let done: Counter
    private let failed: Counter
    private let overloaded: Counter
    private let unavailable: Counter
    private let expired: Counter

    init(
        registry: MetricsRegistry, pool: String, waiting: @escaping @Sendable () -> Double,
        open: @escaping @Sendable () -> Double
    ) {
        func jobs(_ outcome: String) -> Counter {
            registry.counter(
                "wallet_postgres_jobs_total", "Jobs given to a connection pool, by outcome.",
                labels: ["pool": pool, "outcome": outcome])
        }
        done = jobs("done")
        failed = jobs("failed")
        overloaded = jobs("overloaded")
        unavailable = jobs("unavailable")
        expired = jobs("expired")
        connects = registry.counter(
            "wallet_postgres_connects_total", "Connections made.", labels: ["pool": pool])
        connectFailures = registry.counter(
            "wallet_postgres_connect_failures_total", "Attempts to connect that failed.", labels: ["pool": pool])
        lost = registry.counter(
            "wallet_postgres_connections_lost_total", "Connections lost or given up.", labels: ["pool": pool])
        registry.gauge(
            "wallet_postgres_jobs_waiting", "Jobs waiting for a connection.", labels: ["pool": pool], reading: waiting)
        registry.gauge(
            "wallet_postgres_connections_open", "Open connections.", labels: ["pool": pool], reading: open)
    }

    func finished(_ error: (any Error)?) { (error == nil ? done : failed).increment() }

    func refused(_ kind: PostgresError.Kind) {
        switch kind {
        case .overloaded: overloaded.increment()
        case .unavailable: unavailable.increment()
        case .deadlineExceeded: expired.increment()
        default: failed.increment()
        }
    }
}
