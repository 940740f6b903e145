public import Messaging
public import Observability
public import Postgres
public import Runtime
import Synchronization

/// Consumes the events of new users and gives each user their wallets. Any number of provisioners may share the durable
/// consumer.
///
/// A message is acknowledged when all its users have their wallets; until then it comes again, which is harmless. An
/// event that can never be used, or that failed too often, becomes a row in `ledger.dead_letters` first.
public final class Provisioner: Service {
    /// The name for logs.
    public let name = "provisioner"

    /// The statements to prepare on the connections of the pool.
    public static var statements: [String: String] { ProvisioningLetters.statements }

    private let configuration: ProvisionerConfiguration
    private let users: UserMessages
    private let connection: NATSConnection
    private let logger: Logger
    private let registry: MetricsRegistry
    private let metrics: ProvisionerMetrics
    private let stopping = StopSignal()
    private let reading = Mutex<PullConsumer?>(nil)

    /// A provisioner that reads over `connection`, opens wallets by `users`, and keeps dead letters through `pool`,
    /// whose connections know `statements`.
    public init(
        configuration: ProvisionerConfiguration, users: UserProvisioning, pool: PostgresPool,
        connection: NATSConnection, logger: Logger, metrics registry: MetricsRegistry
    ) {
        let logger = logger.with(["component": "provisioner", "stream": .string(configuration.stream)])
        let metrics = ProvisionerMetrics(registry)
        self.configuration = configuration
        self.connection = connection
        self.logger = logger
        self.registry = registry
        self.metrics = metrics
        self.users = UserMessages(
            configuration: configuration, users: users,
            letters: ProvisioningLetters(pool: pool, stream: configuration.stream), logger: logger, metrics: metrics)
    }

    /// Works until `stop()`; the messages in hand are finished first.
    public func run() async throws {
        var backoff = Backoff(base: .milliseconds(200), maximum: .seconds(10))
        var search = Backoff(
            base: min(.milliseconds(500), configuration.streamPauseMax), maximum: configuration.streamPauseMax)
        while !stopping.isStopped {
            guard await connection.waitUntilConnected(within: .milliseconds(500)) else {
                await stopping.pause(for: .milliseconds(50))
                continue
            }
            do {
                guard try await findConsumer() else {
                    report(missing: search.attempts)
                    await stopping.pause(for: search.next())
                    continue
                }
                if search.attempts > 0 { logger.info("the stream of user events is there") }
                search.reset()
                backoff.reset()
                try await read()
            } catch {
                if stopping.isStopped { return }
                let isPassing = (error as? MessagingError)?.isTransient ?? false
                logger.log(
                    isPassing ? .warning : .error, "user events cannot be read, trying on",
                    ["error": .describing(error)])
                await stopping.pause(for: backoff.next())
            }
        }
    }

    /// Asks `run()` to finish.
    public func stop() async {
        stopping.stop()
        reading.withLock { $0 }?.interrupt()
    }

    /// Said once: nobody may ever send user events here.
    private func report(missing looks: Int) {
        metrics.streamMissing.increment()
        guard looks == 0 else { return }
        logger.warning("there is no stream of user events; it is looked for again, and users get no wallets until then")
    }

    /// Sees to it that there is a consumer; false when there is no stream. The stream is made only when that was asked
    /// for, and never changed: it is somebody else's.
    private func findConsumer() async throws -> Bool {
        let configuration = configuration
        let admin = JetStreamAdmin(connection: connection, logger: logger)
        return try await runOnOwnThread("provisioner") {
            if try admin.streamInfo(configuration.stream) == nil {
                guard configuration.createsStream else { return false }
                var stream = StreamConfiguration(name: configuration.stream, subjects: [configuration.subject])
                // How much there may be of it is its users' business.
                stream.maxBytes = -1
                _ = try admin.ensureStream(stream)
            }
            var consumer = ConsumerConfiguration(name: configuration.consumer)
            consumer.filterSubject = configuration.subject
            consumer.ackWait = configuration.ackWait
            _ = try admin.ensureConsumer(consumer, on: configuration.stream)
            return true
        }
    }

    /// Reads with one reader until it ends or can never go on.
    private func read() async throws {
        var pull = PullConsumer.Configuration(stream: configuration.stream, consumer: configuration.consumer)
        pull.batch = configuration.batch
        pull.expires = configuration.pullExpires
        pull.heartbeat = configuration.pullHeartbeat
        let reader = PullConsumer(connection: connection, configuration: pull, logger: logger, metrics: registry)
        reading.withLock { $0 = reader }
        defer {
            reading.withLock { $0 = nil }
            reader.close()
        }
        var backoff = Backoff(base: .milliseconds(100), maximum: .seconds(5))
        let (limit, bytes) = (configuration.batch, configuration.bytesMax)
        while !stopping.isStopped {
            let messages = try await runOnOwnThread("provisioner") {
                try reader.next(max: limit, maxBytes: bytes, waitUpTo: .seconds(2))
            }
            guard !messages.isEmpty else { continue }
            if await users.take(messages) {
                backoff.reset()
            } else {
                // Nothing went through: going on would only send the whole stream back and forth.
                await stopping.pause(for: backoff.next())
            }
        }
    }
}
