public import Events
import Ledger
public import Messaging
public import Observability
public import Postgres
public import Runtime
import Synchronization

/// Brings events from JetStream into the projections. Any number of projectors may share the durable consumer.
///
/// Messages are acknowledged only after the transaction with their events is committed; until then they come again,
/// which is harmless, because the newest version of a wallet wins.
public final class Projector: Service {
    /// The name for logs.
    public let name = "projector"

    private let configuration: ProjectorConfiguration
    private let database: PostgresConfiguration
    private let connection: NATSConnection
    private let logger: Logger
    private let registry: MetricsRegistry
    private let metrics: ProjectorMetrics
    private let lagGauge: LagGauge
    private let onApplied: @Sendable ([WalletEvent]) -> Void
    private let stopping = StopSignal()
    /// Whether the database was reachable at the last attempt.
    private let isStoring = Atomic<Bool>(false)

    /// A projector that reads over `connection` and writes to `database`. `onApplied` is told of events after the
    /// transaction that stored them. `unpublishedSeconds` tells for how long the oldest event has waited that is not in
    /// the stream yet, which counts as lag, too.
    public init(
        configuration: ProjectorConfiguration, database: PostgresConfiguration, connection: NATSConnection,
        clock: Clock = .system, logger: Logger, metrics registry: MetricsRegistry,
        onApplied: @escaping @Sendable ([WalletEvent]) -> Void = { _ in },
        unpublishedSeconds: @escaping @Sendable () -> Double
    ) throws {
        self.configuration = configuration
        self.onApplied = onApplied
        self.database = database
        self.connection = connection
        self.logger = logger.with(["component": "projector"])
        self.registry = registry
        metrics = ProjectorMetrics(registry)
        lagGauge = LagGauge(clock: clock, registry, unpublishedSeconds: unpublishedSeconds)
    }

    /// How far the projections were behind at the last look; nil until the consumer was seen.
    public var lag: ProjectionLag? { lagGauge.current }

    /// Why the projections should not be relied on now; nil when they may be.
    public var lagReason: String? {
        guard isStoring.load(ordering: .relaxed) else { return "the projection database cannot be reached" }
        guard let lag else { return "the consumer has not been seen yet" }
        let limit = Double(configuration.lagLimit.wholeMilliseconds) / 1000
        guard lag.seconds > limit else { return nil }
        return "behind by \(Int(lag.seconds)) s, with \(lag.messages) messages in the stream"
    }

    /// Works until `stop()`; the batch in hand is finished first.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await runOnOwnThread("projector") { self.work() } }
            group.addTask { try await runOnOwnThread("projector-lag") { self.watchLag() } }
            try await group.waitForAll()
        }
    }

    /// Asks `run()` to finish.
    public func stop() async { stopping.stop() }

    /// The thread: reads and applies, and makes stream, consumer and reader again when they are gone.
    private func work() {
        let store: ProjectorStore
        do {
            store = try ProjectorStore(
                database: database, logger: logger, metrics: metrics, lag: lagGauge, stopping: stopping,
                onReachable: { self.isStoring.store($0, ordering: .relaxed) }, onApplied: onApplied)
        } catch {
            logger.error("the projector's statements cannot be registered", ["error": .describing(error)])
            return
        }
        defer { store.close() }
        // Connected before the first event, so that readiness tells the truth on a quiet day.
        store.connect()
        var backoff = Backoff(base: .milliseconds(100), maximum: .seconds(5))
        while !stopping.isStopped {
            guard connection.waitUntilConnected(for: .milliseconds(200)) else { continue }
            do throws(MessagingError) {
                guard try waitForConsumer() else { continue }
                backoff.reset()
                try read(into: store)
            } catch {
                if stopping.isStopped { return }
                report(error)
                stopping.wait(for: backoff.next())
            }
        }
    }

    /// Waits until the consumer exists; false when the projector is told to stop before. The relays make it, one at a
    /// time; only when they do not, the projector makes it.
    private func waitForConsumer() throws(MessagingError) -> Bool {
        let admin = JetStreamAdmin(connection: connection, logger: logger)
        let began = Clock.system.monotonicNanoseconds()
        let patience = UInt64(clamping: configuration.consumerPatience.wholeNanoseconds)
        // Several projectors that wait do not run out of patience together.
        let limit = patience + UInt64.random(in: 0...patience / 2)
        while !stopping.isStopped {
            let info = try admin.consumerInfo(
                stream: configuration.stream.name, consumer: configuration.consumer.name)
            if info != nil { return true }
            if Clock.system.monotonicNanoseconds() - began >= limit {
                _ = try admin.ensureStream(configuration.stream)
                _ = try admin.ensureConsumer(configuration.consumer, on: configuration.stream.name)
                return true
            }
            stopping.wait(for: .milliseconds(100))
        }
        return false
    }

    private func report(_ error: MessagingError) {
        switch error {
        case .consumerMissing, .streamRecreated:
            metrics.consumersMade.increment()
            logger.warning("the consumer is gone, waiting for a new one", ["error": .describing(error)])
        default:
            let level: Logger.Level = error.isTransient ? .warning : .error
            logger.log(level, "events cannot be read, trying on", ["error": .describing(error)])
        }
    }

    /// Reads with one reader until it ends.
    private func read(into store: ProjectorStore) throws(MessagingError) {
        var pull = PullConsumer.Configuration(
            stream: configuration.stream.name, consumer: configuration.consumer.name)
        pull.batch = configuration.batch
        pull.maxBytes = configuration.bytesMax
        pull.expires = configuration.pullExpires
        pull.heartbeat = configuration.pullHeartbeat
        let reader = PullConsumer(connection: connection, configuration: pull, logger: logger, metrics: registry)
        defer { reader.close() }
        // What comes close behind the last transaction waits for company: many events in one transaction cost a
        // fraction of many transactions, and newer versions of a wallet or transfer replace older ones before they are
        // written.
        let cadence = Cadence(shortest: configuration.pace, longest: .milliseconds(250))
        while !stopping.isStopped {
            let messages = try reader.next(
                max: configuration.batch, maxBytes: configuration.bytesMax, waitUpTo: .milliseconds(200))
            guard !messages.isEmpty else { continue }
            let began = Clock.system.monotonicNanoseconds()
            store.take(
                messages, from: configuration.stream.name, eventsPerTransaction: configuration.eventsPerTransaction
            ) { done in
                // Unacknowledged ones only come again.
                reader.ackAll(done, within: .seconds(2))
            }
            let bytes = messages.reduce(0) { $0 + $1.payloadLength }
            if !configuration.isFull(messages: messages.count, bytes: bytes) { rest(cadence, after: began) }
        }
    }

    /// Waits for the time of the next transaction after one that began at `began`.
    private func rest(_ cadence: Cadence, after began: UInt64) {
        let work = Duration.nanoseconds(Int64(clamping: Clock.system.monotonicNanoseconds() - began))
        stopping.wait(for: cadence.interval(after: work) - work)
    }

    private func watchLag() {
        let admin = JetStreamAdmin(connection: connection, logger: logger)
        while !stopping.isStopped {
            lagGauge.looked(left: connection.isConnected ? messagesLeft(admin) : nil)
            stopping.wait(for: configuration.lagInterval)
        }
    }

    /// Messages that the consumer has to deliver or waits for acknowledgements of; nil when it cannot be asked.
    private func messagesLeft(_ admin: JetStreamAdmin) -> Int? {
        do {
            let info = try admin.consumerInfo(
                stream: configuration.stream.name, consumer: configuration.consumer.name)
            return info.map { Int(clamping: $0.pending + $0.ackPending) }
        } catch {
            logger.debug("the consumer's lag cannot be learned", ["error": .describing(error)])
            return nil
        }
    }
}
