import Events
import Ledger
public import Messaging
public import Observability
public import Postgres
public import Runtime
import Synchronization

/// Brings committed events from the outbox into JetStream. Any number of relays may work at once.
///
/// A row is claimed for a lease, its messages are published under ids that depend only on the row, and it is marked
/// published when the stream has them all. A relay that dies leaves its rows to the next one, which sends the same ids:
/// the stream drops what it has already, and consumers take the newest version anyway.
public final class OutboxRelay: Service {
    /// The name for logs.
    public let name = "outbox-relay"
    /// The statements to prepare on the connections of the pool.
    public static let statements = OutboxStatements.all

    private let configuration: OutboxRelayConfiguration
    private let store: OutboxStore
    private let watch: StreamWatch
    private let connection: NATSConnection
    private let publisher: BatchPublisher
    private let logger: Logger
    private let metrics: RelayMetrics
    private let stopping = StopSignal()
    /// When the oldest row was written that waits to be published for the first time; nil when none waits.
    private let waitingSince = Mutex<ContinuousClock.Instant?>(nil)

    /// A relay between `pool`, whose connections know `statements`, and `connection`.
    /// `onLoss` is called when the stream was found to have lost messages: the projections should be compared
    /// with the ledger then. Throws when the system refuses a thread.
    public init(
        configuration: OutboxRelayConfiguration, pool: PostgresPool, connection: NATSConnection, logger: Logger,
        metrics registry: MetricsRegistry, onLoss: @escaping @Sendable () -> Void
    ) throws {
        self.configuration = configuration
        self.connection = connection
        self.logger = logger
        metrics = RelayMetrics(registry)
        store = OutboxStore(pool: pool)
        publisher = try BatchPublisher(
            connection: connection, expectedStream: configuration.stream.name, logger: logger, metrics: registry)
        watch = StreamWatch(
            configuration: configuration, store: store, connection: connection, logger: logger, metrics: metrics,
            onLoss: onLoss)
    }

    /// Why nothing can be published now, such as a stream that the broker refuses; nil while all is well.
    public var streamReason: String? { watch.unreadiness }

    /// For how long the oldest event has waited to be published for the first time, in seconds; 0 when none waits.
    /// Goes on growing while the outbox cannot be looked at.
    public var waitingSeconds: Double {
        guard let since = waitingSince.withLock({ $0 }) else { return 0 }
        return Double((ContinuousClock.now - since).wholeMilliseconds) / 1000
    }

    /// Works until `stop()`; the chunk in hand is finished first.
    public func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.relay() }
            group.addTask { await self.watch.run(until: self.stopping) }
            group.addTask { await self.housekeep() }
            await group.waitForAll()
        }
        await publisher.close()
    }

    /// Asks `run()` to finish.
    public func stop() async {
        stopping.stop()
    }

    private func relay() async {
        var backoff = Backoff(base: .milliseconds(50), maximum: .seconds(2))
        var wasFailing = false
        // Rows that come close behind others wait for company: every look and every settling is a transaction.
        let cadence = Cadence(shortest: configuration.poll, longest: .milliseconds(200))
        while !stopping.isStopped {
            guard connection.isConnected, let permit = watch.beginPublishing() else {
                await stopping.pause(for: .milliseconds(10))
                continue
            }
            let began = ContinuousClock.now
            var rows: [OutboxRow] = []
            var failed = 0
            do {
                defer { watch.endPublishing() }
                rows = try await store.claim(
                    configuration.claim, events: configuration.claimEvents, lease: configuration.lease)
                if !rows.isEmpty { failed = try await publish(rows, permit) }
            } catch {
                failed = 1
                if !wasFailing { logger.error("outbox cannot be relayed", ["error": .describing(error)]) }
            }
            guard failed > 0 else {
                backoff.reset()
                if wasFailing { logger.info("publishing works again") }
                wasFailing = false
                let work = ContinuousClock.now - began
                if !isFull(rows) { await stopping.pause(for: cadence.interval(after: work) - work) }
                continue
            }
            wasFailing = true
            await stopping.pause(for: backoff.next())
        }
    }

    /// Whether a claim may have left rows behind.
    private func isFull(_ rows: [OutboxRow]) -> Bool {
        rows.count >= configuration.claim
            || rows.reduce(0) { $0 + Int($1.eventCount) } >= configuration.claimEvents
    }

    /// Publishes claimed rows and settles them; returns how many have to be tried again.
    private func publish(_ rows: [OutboxRow], _ permit: StreamWatch.Permit) async throws -> Int {
        var outgoing: [OutgoingMessage] = []
        var ends: [Int] = []
        for row in rows {
            let messages = (try? EventMessages.messages(in: row.messages)) ?? []
            for (index, message) in messages.enumerated() {
                outgoing.append(
                    OutgoingMessage(
                        subject: configuration.subjectPrefix + String(message.partition),
                        messageID: "\(row.id.text)-\(index)-\(row.drive)", payload: message.payload))
            }
            ends.append(outgoing.count)
        }
        let results = await send(outgoing, permit)
        var published: [OutboxRow] = []
        var postponed: [(row: OutboxRow, pause: Duration, reason: String)] = []
        var start = 0
        for (row, end) in zip(rows, ends) {
            let outcome = end > start ? Self.flaw(in: results[start..<end]) : "the row's messages cannot be read"
            if let reason = outcome {
                postponed.append((row, pause(for: row), reason))
            } else {
                published.append(row)
            }
            start = end
        }
        try await store.settle(
            published: published, postponed: postponed, stream: configuration.stream.name, created: permit.created,
            sequence: Self.highestSequence(results))
        count(results, published: published, failed: postponed.count)
        report(postponed)
        return postponed.count
    }

    /// Publishes messages in portions that fit into what the publisher takes at once.
    private func send(_ messages: [OutgoingMessage], _ permit: StreamWatch.Permit) async -> [PublishResult] {
        var results: [PublishResult] = []
        results.reserveCapacity(messages.count)
        while results.count < messages.count {
            let portion = messages[results.count..<min(results.count + Self.portion, messages.count)]
            // A stream behind a new connection has to be looked at before anything goes into it.
            guard watch.isValid(permit) else {
                results += portion.map { _ in .rejected(.notConnected) }
                continue
            }
            results += await publisher.publish(Array(portion), within: configuration.publishTimeout)
        }
        return results
    }

    private static let portion = 1024

    private func report(_ postponed: [(row: OutboxRow, pause: Duration, reason: String)]) {
        guard let worst = postponed.max(by: { $0.row.attempts < $1.row.attempts }) else { return }
        // A row that was tried that often needs a person.
        logger.log(
            worst.row.attempts >= Self.attemptsToReport ? .error : .warning, "outbox rows are tried again",
            [
                "rows": .int(postponed.count), "reason": .string(worst.reason),
                "outbox_id": .string(worst.row.id.text), "attempts": .int(Int(worst.row.attempts)),
            ])
    }

    private static let attemptsToReport = 10

    /// Why not all messages of a row are stored; nil when they are.
    private static func flaw(in results: ArraySlice<PublishResult>) -> String? {
        for result in results {
            switch result {
            case .stored: continue
            case .rejected(let rejection): return "\(rejection.description) (code \(rejection.code))"
            case .unknown: return "no answer from the stream"
            }
        }
        return nil
    }

    private static func highestSequence(_ results: [PublishResult]) -> UInt64 {
        results.reduce(0) { highest, result in
            if case .stored(let sequence, _) = result { max(highest, sequence) } else { highest }
        }
    }

    private func count(_ results: [PublishResult], published: [OutboxRow], failed: Int) {
        for result in results {
            switch result {
            case .stored(_, let duplicate):
                metrics.messages.increment()
                if duplicate { metrics.duplicates.increment() }
            case .rejected(let rejection):
                if rejection.isStreamFull { metrics.streamFull.increment() }
                // Nobody listens on the subject: the stream may be gone.
                if rejection == .noResponders { watch.nudge() }
            case .unknown:
                break
            }
        }
        metrics.events.increment(by: published.reduce(0) { $0 + Int($1.eventCount) })
        metrics.failures.increment(by: failed)
    }

    /// Grows with the row's attempts, so that a row that never goes through does not eat the relay's time.
    private func pause(for row: OutboxRow) -> Duration {
        let doublings = min(max(0, Int(row.attempts) - 1), 9)
        let ceiling = 100 << doublings
        return .milliseconds(Int.random(in: ceiling / 2...ceiling))
    }

    /// Deletes what is past the retention and looks at the backlog.
    private func housekeep() async {
        while !stopping.isStopped {
            do {
                // Rows are only forgotten while the stream is known to have what was published into it.
                if watch.isStreamReady {
                    while try await store.forget(olderThan: configuration.retention, limit: 500) == 500,
                        !stopping.isStopped
                    {}
                }
                let backlog = try await store.backlog()
                metrics.entries.set(backlog.entries)
                metrics.oldestSeconds.set(backlog.oldestSeconds)
                let oldest = backlog.oldestNewSeconds.map { ContinuousClock.now - .seconds(max(0, $0)) }
                waitingSince.withLock { $0 = oldest }
            } catch {
                logger.debug("outbox housekeeping failed", ["error": .describing(error)])
            }
            await stopping.pause(for: .seconds(1))
        }
    }
}
