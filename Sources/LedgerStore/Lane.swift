import Events
import Ledger
import Observability
import Postgres
import Runtime

/// One writer: a bounded queue, a thread and a connection of its own. While one batch is on its way to the database,
/// the next one gathers in the queue.
final class Lane: Sendable {
    let queue: BoundedQueue<PendingOperation>
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
        queue = BoundedQueue(capacity: configuration.queueCapacity)
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
            committer.commit(takeLive(batch))
        }
        session.connection.close()
    }

    /// Closes the queue and refuses what is in it, for a lane whose thread does not run.
    func abandon() {
        queue.close()
        while true {
            let left = queue.takeAll(max: configuration.batchMax, waitUpTo: .zero)
            if left.isEmpty { return }
            for pending in left { pending.answer.resume(returning: .failure(.unavailable)) }
        }
    }

    /// The operations that are still worth doing; the others are refused.
    private func takeLive(_ batch: [PendingOperation]) -> [PendingOperation] {
        let now = clock.monotonicNanoseconds()
        guard batch.contains(where: { $0.deadline <= now }) else { return batch }
        var live: [PendingOperation] = []
        for pending in batch {
            if pending.deadline > now {
                live.append(pending)
            } else {
                metrics.expiredInQueue.increment()
                pending.answer.resume(returning: .failure(.overloaded(retryAfterSeconds: 1)))
            }
        }
        return live
    }
}
