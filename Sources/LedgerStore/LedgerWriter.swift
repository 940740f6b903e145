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
    public var batchMax = 2048
    /// How many operations each lane's queue holds at most, those in groups counted. A batch of the largest size fits
    /// even when all of it is for one lane; one that is larger than this bound is let into an empty queue only.
    public var queueCapacity = 16_384
    /// How many wallets, and how many pending transfers, each lane remembers; 0 has it read everything anew.
    public var memory = 16_384
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

    /// Whether a small event of its own tells of each change of a settled balance.
    public var tellsBalances = false

    /// The defaults.
    public init() {}
}

/// What the write path counts.
struct WriterMetrics: Sendable {
    let batchSize: Histogram
    let commitSeconds: Histogram
    let retries: Counter
    let splits: Counter
    let conflicts: Counter
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
        conflicts = registry.counter(
            "wallet_batch_conflicts_total",
            "Batches decided anew under locks, as another process had changed what the lane remembered.")
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
    /// How late a refusal of what waited too long may come.
    private static let expiryPace = Duration.milliseconds(200)

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
        let admissions = lanes.map(\.admission)
        registry.gauge("wallet_queue_depth", "Operations waiting in the queues of the writer lanes.") {
            Double(admissions.reduce(0) { $0 + $1.count })
        }
    }

    /// Runs the lanes until `stop()`; what is queued by then is still committed and answered.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, lane) in lanes.enumerated() {
                group.addTask {
                    do {
                        try await runOnOwnThread("lane-\(number)") { try lane.run() }
                    } catch {
                        // A lane that cannot run would take operations and never answer them.
                        lane.abandon()
                        throw error
                    }
                }
            }
            async let _ = expireQueued()
            do {
                while try await group.next() != nil {}
            } catch {
                // The others end with what they have; the process is of no use without all of them.
                for lane in lanes { lane.close() }
                throw error
            }
        }
    }

    /// Refuses what waits too long, until cancelled. A lane looks at deadlines, too, but only when it is not stuck.
    private func expireQueued() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.expiryPace)
            for lane in lanes { lane.expireQueued() }
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
        for lane in lanes { lane.close() }
    }

    /// Does `operation` and returns what became of it once that is durable. `origin` goes into its events.
    /// Never returns before the outcome is known, unless it throws `outcomeUnknown`.
    public func submit(_ operation: Operation, origin: EventOrigin) async throws -> Decision.Verdict {
        let lane = lanes[place(of: operation)]
        try admit(1, to: lane)
        let deadline = deadline
        let outcome: PendingOperation.Outcome = await withUnsafeContinuation { continuation in
            let pending = PendingOperation(
                operation: operation, origin: origin, deadline: deadline, answer: .alone(continuation))
            push([.operation(pending)], to: lane)
        }
        return try outcome.get()
    }

    /// Does operations, each for itself, and returns what became of them in their order once all of that is durable.
    /// Those of one wallet are done in their order, others may overtake each other. Either all are let into the queues,
    /// or none and it throws `overloaded`.
    public func submitAll(
        _ operations: [Operation], origin: EventOrigin
    ) async throws -> [Result<Decision.Verdict, LedgerStoreError>] {
        guard !operations.isEmpty else { return [] }
        let places = operations.map { place(of: $0) }
        var counts = Array(repeating: 0, count: lanes.count)
        for place in places { counts[place] += 1 }
        for (number, lane) in lanes.enumerated() where counts[number] > 0 {
            if lane.admission.take(counts[number]) { continue }
            for before in 0..<number where counts[before] > 0 { lanes[before].admission.giveBack(counts[before]) }
            metrics.overloaded.increment(by: operations.count)
            throw LedgerStoreError.overloaded(retryAfterSeconds: 1)
        }
        let deadline = deadline
        return await withUnsafeContinuation { continuation in
            let answers = BatchAnswers(count: operations.count, continuation)
            var work = counts.map { count in
                var work: [PendingWork] = []
                work.reserveCapacity(count)
                return work
            }
            for (index, operation) in operations.enumerated() {
                let pending = PendingOperation(
                    operation: operation, origin: origin, deadline: deadline,
                    answer: .member(answers, place: index))
                work[places[index]].append(.operation(pending))
            }
            for (number, lane) in lanes.enumerated() where counts[number] > 0 { push(work[number], to: lane) }
        }
    }

    /// Does operations all or none, in their order and in one transaction, and returns what became of them once that is
    /// durable. With `batch` a repeat of the whole finds the first answer; each operation then needs a key of its own,
    /// by which it is recognised. No operations at all only claim the batch's key: a repeat finds out whether its
    /// content is the same.
    public func submitAtomically(
        _ operations: [Operation], batch: BatchIdentity?, origin: EventOrigin
    ) async throws -> AtomicVerdict {
        if batch != nil, operations.contains(where: { $0.key == nil }) {
            throw LedgerStoreError.inconsistent("an operation of a batch with a key has none of its own")
        }
        let placement = batch.map { UInt64(truncatingIfNeeded: $0.key.digest) } ?? operations.first?.walletID.placement
        let lane = lanes[Int((placement ?? 0) % UInt64(lanes.count))]
        try admit(max(1, operations.count), to: lane)
        let deadline = deadline
        let outcome: PendingGroup.Outcome = await withUnsafeContinuation { continuation in
            let group = PendingGroup(
                operations: operations, identity: batch, origin: origin, deadline: deadline, answer: continuation)
            push([.group(group)], to: lane)
        }
        return try outcome.get()
    }

    private var deadline: UInt64 {
        clock.monotonicNanoseconds() + UInt64(clamping: configuration.queueTimeout.wholeNanoseconds)
    }

    private func admit(_ count: Int, to lane: Lane) throws {
        guard !lane.admission.take(count) else { return }
        metrics.overloaded.increment(by: count)
        throw LedgerStoreError.overloaded(retryAfterSeconds: 1)
    }

    /// Hands admitted work over; a lane that was stopped meanwhile refuses it.
    private func push(_ work: [PendingWork], to lane: Lane) {
        guard !lane.push(work) else { return }
        for work in work { work.fail(.overloaded(retryAfterSeconds: 1)) }
    }

    /// The lane of an operation. Repeats of a creation under one key meet in one lane even though each brings another
    /// fresh wallet id.
    private func place(of operation: Operation) -> Int {
        var placement = operation.walletID.placement
        if case .open(let opening) = operation.command, !opening.hasClientID, let key = operation.key {
            placement = UInt64(truncatingIfNeeded: key.digest)
        }
        return Int(placement % UInt64(lanes.count))
    }
}
