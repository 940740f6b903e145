import CNATS
public import Observability
import Runtime

/// Reads a durable pull consumer, from one thread that the program owns.
///
/// One pull request is open at a time; when its last message has come, the next one is sent before the messages are
/// handed out, so the server fills it meanwhile. After a reconnect, a silence or a status that may mean trouble, the
/// stream and the consumer are looked at before anything else is handed out.
public final class PullConsumer: @unchecked Sendable {
    // Unchecked: everything mutable belongs to the thread that calls `next`; `interrupt` only touches a StopSignal.

    /// What to read and in which portions.
    public struct Configuration: Sendable {
        /// The stream's name.
        public var stream: String
        /// The durable's name.
        public var consumer: String
        /// How many messages one request asks for. At most twice as many wait here unprocessed.
        public var batch = 500
        /// The greatest size of a request's messages in bytes. A message above it widens the next requests.
        public var maxBytes = 16 << 20
        /// How long a request waits at the server.
        public var expires: Duration = .seconds(5)
        /// How often the server shows that the request is alive; less than half of `expires`.
        public var heartbeat: Duration = .milliseconds(2400)

        /// Names the stream and the consumer; the portions have their defaults.
        public init(stream: String, consumer: String) {
            self.stream = stream
            self.consumer = consumer
        }
    }

    let connection: NATSConnection
    let configuration: Configuration
    let logger: Logger
    let metrics: ConsumerMetrics
    let route: AckRoute
    let admin: JetStreamAdmin
    var request: PullRequest
    var requestBytes: Int
    var inbox: PullInbox?
    /// The epoch in which the consumer was last seen to exist, on the stream that this reader began with.
    var verifiedEpoch: UInt64?
    /// When the stream that this reader began with was created, as the server writes it; nil before the first look.
    /// Another stream numbers its messages anew. Another consumer of the same stream is as good as the first: its acks
    /// mean the same messages. (And the creation time of a consumer is no identity: 2.9 changes it at a restart.)
    public internal(set) var streamCreated: String?
    var pause = RetryPause(first: .milliseconds(50), last: .seconds(1))
    private let interrupted = StopSignal()

    /// Makes a reader; the consumer must exist when `next` is called first.
    public init(
        connection: NATSConnection, configuration: Configuration, logger: Logger, metrics: MetricsRegistry
    ) {
        precondition(configuration.batch > 0 && configuration.maxBytes > 0, "a request asks for something")
        precondition(configuration.heartbeat * 2 < configuration.expires, "the server refuses rarer heartbeats")
        self.connection = connection
        self.configuration = configuration
        self.logger = logger.with([
            "stream": .string(configuration.stream), "consumer": .string(configuration.consumer),
        ])
        self.metrics = ConsumerMetrics(metrics)
        route = AckRoute(connection: connection, metrics: self.metrics)
        admin = JetStreamAdmin(connection: connection, logger: logger)
        request = PullRequest(silence: UInt64(configuration.heartbeat.wholeNanoseconds) * 3 / 2)
        requestBytes = configuration.maxBytes
    }

    /// Blocks until there are messages, then takes those that are here already.
    ///
    /// - Parameters:
    ///   - limit: how many to take at most.
    ///   - maxBytes: stop after the message with which this size of content is reached.
    ///   - patience: how long to wait for the first message. A look at the consumer may take one request timeout more.
    /// - Returns: the messages in the order of the stream as the server sent them; empty when the time ran out, the
    ///   server is away, or `interrupt` was called.
    /// - Throws: `consumerMissing` or `streamRecreated` when this reader can never go on (create
    ///   the stream and consumer again, and a new reader); `incompatible` when it is no pull consumer.
    @available(*, noasync, message: "blocks the thread")
    public func next(
        max limit: Int, maxBytes: Int = .max, waitUpTo patience: Duration
    ) throws(MessagingError) -> [IncomingMessage] {
        let deadline = now() + UInt64(Swift.max(0, patience.wholeNanoseconds))
        var taken: [IncomingMessage] = []
        var bytes = 0
        while taken.count < limit, bytes < maxBytes, !interrupted.isStopped {
            guard try prepare(taken.isEmpty ? deadline : now()) else { break }
            guard let inbox else { continue }
            let wait = taken.isEmpty ? slice(until: deadline) : 0
            guard let received = inbox.receive(waitMilliseconds: wait) else {
                if request.standing(now: now()) == .silent {
                    metrics.silences.increment()
                    logger.warning("the server fell silent, looking at the consumer")
                    doubt()
                } else if !taken.isEmpty || now() >= deadline {
                    break
                }
                continue
            }
            guard let message = try take(received) else { continue }
            bytes += message.payloadLength
            taken.append(message)
        }
        if !taken.isEmpty, !interrupted.isStopped, !request.isOpen, verifiedEpoch != nil { sendRequest() }
        return taken
    }

    /// Acknowledges messages one by one, with a single flush behind them, and again after a reconnect.
    ///
    /// - Parameters:
    ///   - messages: from this reader; acknowledging twice is harmless.
    ///   - timeout: how long to go on trying.
    /// - Returns: whether the server has read them all; when not, some come again after the ack wait.
    @available(*, noasync, message: "blocks the thread")
    @discardableResult
    public func ackAll(_ messages: [IncomingMessage], within timeout: Duration) -> Bool {
        guard !messages.isEmpty else { return true }
        let deadline = now() + UInt64(Swift.max(0, timeout.wholeNanoseconds))
        repeat {
            let left = Duration.nanoseconds(Int64(clamping: deadline - Swift.min(deadline, now())))
            // After a reconnect the stream is looked at first; when it is another, the acks are void.
            guard (try? prepare(deadline)) == true else { break }
            if route.sendAll(messages, flushTimeout: Swift.min(left, .seconds(2))) { return true }
            interrupted.wait(for: .milliseconds(20))
        } while now() < deadline
        route.countFailures(messages.count)
        logger.warning("acks did not reach the server, the messages come again", ["messages": .int(messages.count)])
        return false
    }

    /// Makes `next` return soon, now and ever after. From any thread.
    public func interrupt() { interrupted.stop() }

    /// Ends the subscription and gives back what came but was not handed out, so that others get it at once and not
    /// only after the ack wait. From the reading thread, or when that has ended.
    public func close() {
        interrupted.stop()
        if let inbox { giveBack(inbox) }
        inbox = nil
        request.end()
    }

    private func giveBack(_ inbox: PullInbox) {
        for _ in 0..<configuration.batch * 16 {
            guard let received = inbox.receive(waitMilliseconds: 0) else { return }
            guard case .message(let raw) = received else { continue }
            guard let message = IncomingMessage(raw, route: route) else {
                natsMsg_Destroy(raw)
                continue
            }
            guard message.nak(delay: .zero) else { return }
        }
    }

    func now() -> UInt64 { Clock.system.monotonicNanoseconds() }

    /// Waits until the deadline at most, but looks up often enough for `interrupt`.
    private func slice(until deadline: UInt64) -> Int64 {
        let left = deadline - Swift.min(deadline, now())
        return Int64(Swift.min(100, left / 1_000_000 + (left > 0 ? 1 : 0)))
    }

    /// Pauses within the deadline; false when that is reached.
    func pauseBriefly(_ deadline: UInt64) -> Bool {
        let left = deadline - Swift.min(deadline, now())
        guard left > 0 else { return false }
        interrupted.wait(for: Swift.min(pause.next(), .nanoseconds(Int64(clamping: left))))
        return !interrupted.isStopped
    }
}
