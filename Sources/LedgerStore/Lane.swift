import Events
import Ledger
import Observability
import Postgres
import Runtime

/// One writer: a bounded queue, a thread and a connection of its own. While one batch is on its way to the database,
/// the next one gathers in the queue.
final class Lane: Sendable {
    let admission: Admission
    private let queue: BoundedQueue<PendingWork>
    let standing = LaneStanding()
    private let configuration: LedgerWriterConfiguration
    private let database: PostgresConfiguration
    private let assets: AssetTable
    private let clock: Clock
    private let logger: Logger
    private let metrics: WriterMetrics

    init(
        configuration: LedgerWriterConfiguration, database: PostgresConfiguration, assets: AssetTable, clock: Clock,
        logger: Logger, metrics: WriterMetrics
    ) {
        admission = Admission(bound: configuration.queueCapacity)
        // The admission holds the bound: it counts operations, the queue does not.
        queue = BoundedQueue(capacity: .max)
        self.configuration = configuration
        self.database = database
        self.assets = assets
        self.clock = clock
        self.logger = logger
        self.metrics = metrics
    }

    /// Works until the queue is closed and empty. Blocks the calling thread.
    func run() throws {
        let session = try LaneSession(database: database, assets: assets)
        var committer = BatchCommitter(
            session: session, configuration: configuration, clock: clock, logger: logger, metrics: metrics,
            standing: standing)
        // Connected before the first request, so that it is not the one to wait.
        _ = committer.connect()
        while !queue.isFinished {
            let batch = queue.takeAll(
                max: configuration.batchMax, waitUpTo: .seconds(1), linger: configuration.linger,
                enough: configuration.lingerEnough)
            if batch.isEmpty {
                // A lane nobody writes through must find its way back too: a process that is not ready gets no work.
                _ = committer.connect()
                continue
            }
            var rest = batch[...]
            while !rest.isEmpty {
                // What is behind this portion still waits: it takes up room, and its time may run out.
                let portion = takePortion(of: &rest)
                admission.giveBack(portion.reduce(0) { $0 + $1.count })
                committer.commit(takeLive(portion))
            }
            // With less to do it would wait for company first.
            if queue.count < max(1, configuration.lingerEnough) { committer.giveAnswers() }
        }
        committer.giveAnswers()
        session.connection.close()
    }

    /// Appends work for which `admission` gave room; false when the queue is closed.
    func push(_ work: [PendingWork]) -> Bool {
        if queue.tryPush(contentsOf: work) { return true }
        admission.giveBack(work.reduce(0) { $0 + $1.count })
        return false
    }

    /// Takes no further work.
    func close() { queue.close() }

    /// Closes the queue and refuses what is in it, for a lane whose thread does not run.
    func abandon() {
        queue.close()
        while true {
            let left = queue.takeAll(max: configuration.batchMax, waitUpTo: .zero)
            if left.isEmpty { return }
            admission.giveBack(left.reduce(0) { $0 + $1.count })
            for work in left { work.fail(.unavailable) }
        }
    }

    /// As much as one transaction takes. A group goes into one transaction even when it is larger.
    private func takePortion(of rest: inout ArraySlice<PendingWork>) -> ArraySlice<PendingWork> {
        var end = rest.startIndex
        var count = 0
        repeat {
            count += rest[end].count
            end += 1
        } while end < rest.endIndex && count + rest[end].count <= configuration.batchMax
        let portion = rest[..<end]
        rest = rest[end...]
        return portion
    }

    /// The work that is still worth doing; the other is refused.
    private func takeLive(_ batch: ArraySlice<PendingWork>) -> ArraySlice<PendingWork> {
        let now = clock.monotonicNanoseconds()
        guard batch.contains(where: { $0.deadline <= now }) else { return batch }
        var live: ArraySlice<PendingWork> = []
        for work in batch {
            if work.deadline > now {
                live.append(work)
            } else {
                metrics.expiredInQueue.increment(by: work.count)
                work.fail(.overloaded(retryAfterSeconds: 1))
            }
        }
        return live
    }
}
