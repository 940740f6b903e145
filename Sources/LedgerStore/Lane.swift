import Events
import Ledger
import Observability
import Postgres
import Runtime
import Synchronization

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
    /// When the lane took something from its queue last, in monotonic nanoseconds.
    private let lastTurn = Atomic<UInt64>(0)

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
            // A group goes into one transaction even when it is larger than a batch may be. What does not fit stays in
            // the queue: it takes up room, and its time may run out.
            let batch = queue.takeAll(
                max: configuration.batchMax, waitUpTo: .seconds(1), linger: configuration.linger,
                enough: configuration.lingerEnough, size: \.count)
            if batch.isEmpty {
                // What there seemed to be more of may have been refused meanwhile.
                committer.giveAnswers()
                // A lane nobody writes through must find its way back too: a process that is not ready gets no work.
                _ = committer.connect()
                continue
            }
            admission.giveBack(batch.reduce(0) { $0 + $1.count })
            let live = takeLive(batch[...])
            lastTurn.store(clock.monotonicNanoseconds(), ordering: .relaxed)
            committer.commit(live)
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
        let left = queue.takeFirst { _ in true }
        admission.giveBack(left.reduce(0) { $0 + $1.count })
        for work in left { work.fail(.unavailable) }
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
                expire(work)
            }
        }
        return live
    }

    /// Refuses what has waited too long, while the lane's own thread may be stuck with a database that hangs.
    func expireQueued() {
        let now = clock.monotonicNanoseconds()
        let late = queue.takeFirst { $0.deadline <= now }
        admission.giveBack(late.reduce(0) { $0 + $1.count })
        for work in late { expire(work) }
    }

    /// Many that wait are too many only where the lane gets on with them.
    private func expire(_ work: PendingWork) {
        let queued = work.deadline - UInt64(clamping: configuration.queueTimeout.wholeNanoseconds)
        metrics.expiredInQueue.increment(by: work.count)
        work.fail(lastTurn.load(ordering: .relaxed) < queued ? .unavailable : .overloaded(retryAfterSeconds: 1))
    }
}
