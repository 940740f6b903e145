public import Events
public import Ledger
public import Observability
public import Postgres
public import Runtime

/// The bounds of the write path.
public struct LedgerWriterConfiguration: Sendable {
    /// How many writers work side by side.
    public var lanes = 1
    /// How many operations one transaction takes at most.
    public var batchMax = 512
    /// How many operations each lane's queue holds at most.
    public var queueCapacity = 4096
    /// How long an operation may wait in the queue before it is refused.
    public var queueTimeout: Duration = .seconds(5)
    /// How long a lane with few operations waits for more; zero never waits.
    public var linger: Duration = .zero
    /// The number of operations that ends the waiting.
    public var lingerEnough = 1
    /// How long the outcome of a lost commit is looked for.
    public var lookUpTimeout: Duration = .seconds(10)
    /// How far this machine's clock and the database's may differ: expiries are decided by it.
    public var clockSkewMax: Duration = .seconds(5)
    /// How many partitions events are spread over.
    public var eventPartitions = 1
    /// How many events one message holds at most, 1 to 500.
    public var eventsPerMessage = 500

    /// The defaults.
    public init() {}
}

/// What the write path counts.
struct WriterMetrics: Sendable {
    let batchSize: Histogram
    let commitSeconds: Histogram
    let retries: Counter
    let splits: Counter
    let reconnects: Counter
    let lookups: Counter
    let unknownOutcomes: Counter
    let expiredInQueue: Counter
    let overloaded: Counter

    init(_ registry: MetricsRegistry) {
        batchSize = registry.histogram(
            "wallet_batch_operations", "Operations in each committed batch.", buckets: .counts)
        commitSeconds = registry.histogram(
            "wallet_batch_seconds", "Seconds from taking a batch to its durable commit.", buckets: .seconds)
        retries = registry.counter("wallet_batch_retries_total", "Batches tried again after a failed transaction.")
        splits = registry.counter("wallet_batch_splits_total", "Batches split to find the operation that spoils them.")
        reconnects = registry.counter("wallet_writer_reconnects_total", "Connections of writer lanes made anew.")
        lookups = registry.counter(
            "wallet_commit_lookups_total", "Commits looked up because their answer was lost.")
        unknownOutcomes = registry.counter(
            "wallet_outcome_unknown_total", "Operations answered with an unknown outcome.")
        expiredInQueue = registry.counter(
            "wallet_queue_expired_total", "Operations refused because they waited too long in the queue.")
        overloaded = registry.counter("wallet_queue_full_total", "Operations refused because the queue was full.")
    }
}

/// The write path: takes operations, commits them in groups, answers each after its commit is durable.
///
/// Operations of one wallet go to one lane, so that they share transactions instead of waiting for each other's locks.
public final class LedgerWriter: Service {
    /// The name for logs.
    public let name = "ledger-writer"
    private let lanes: [Lane]
    private let configuration: LedgerWriterConfiguration
    private let clock: Clock
    private let metrics: WriterMetrics

    /// Prepares the lanes; `run()` starts them.
    public init(
        configuration: LedgerWriterConfiguration, database: PostgresConfiguration, assets: AssetTable,
        clock: Clock = .system, logger: Logger, metrics registry: MetricsRegistry
    ) {
        self.configuration = configuration
        self.clock = clock
        let metrics = WriterMetrics(registry)
        self.metrics = metrics
        lanes = (0..<max(1, configuration.lanes)).map { number in
            Lane(
                configuration: configuration, database: database, assets: assets, clock: clock,
                logger: logger.with(["lane": .int(number)]), metrics: metrics)
        }
        let queues = lanes.map(\.queue)
        registry.gauge("wallet_queue_depth", "Operations waiting in the queues of the writer lanes.") {
            Double(queues.reduce(0) { $0 + $1.count })
        }
    }

    /// Runs the lanes until `stop()`; what is queued by then is still committed and answered.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, lane) in lanes.enumerated() {
                group.addTask { try await runOnOwnThread("lane-\(number)") { try lane.run() } }
            }
            do {
                try await group.waitForAll()
            } catch {
                // A lane that cannot run would take operations and never answer them.
                for lane in lanes { lane.abandon() }
                throw error
            }
        }
    }

    /// Why operations would be refused at the moment: a lane does not reach its database. Nil when all do.
    public var unavailability: String? {
        for lane in lanes {
            if let failure = lane.standing.failure { return failure }
        }
        return nil
    }

    /// Takes no further operations.
    public func stop() async {
        for lane in lanes { lane.queue.close() }
    }

    /// Does `operation` and returns what became of it once that is durable. `origin` goes into its events.
    /// Never returns before the outcome is known, unless it throws `outcomeUnknown`.
    public func submit(_ operation: Operation, origin: EventOrigin) async throws -> Decision.Verdict {
        let lane = lanes[Int(placement(of: operation) % UInt64(lanes.count))]
        let deadline = clock.monotonicNanoseconds() + UInt64(clamping: configuration.queueTimeout.wholeNanoseconds)
        let outcome: PendingOperation.Outcome = await withCheckedContinuation { continuation in
            let pending = PendingOperation(
                operation: operation, origin: origin, deadline: deadline, answer: continuation)
            guard lane.queue.tryPush(pending) else {
                metrics.overloaded.increment()
                continuation.resume(returning: .failure(.overloaded(retryAfterSeconds: 1)))
                return
            }
        }
        return try outcome.get()
    }

    /// Repeats of a creation under one key meet in one lane even though each brings another fresh wallet id.
    private func placement(of operation: Operation) -> UInt64 {
        if case .open = operation.command, let key = operation.key {
            return UInt64(truncatingIfNeeded: key.digest)
        }
        return operation.walletID.placement
    }
}
