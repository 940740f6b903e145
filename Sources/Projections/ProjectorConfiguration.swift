public import Messaging
import Observability

/// How a projector works.
public struct ProjectorConfiguration: Sendable {
    /// The stream to read; made again when it is gone.
    public var stream: StreamConfiguration
    /// The durable consumer that all projectors share; made again when it is gone.
    public var consumer: ConsumerConfiguration
    /// How many messages are asked for at once.
    public var batch = 500
    /// How many events one transaction takes; a single message may go beyond it.
    public var eventsPerTransaction = 4000
    /// The shortest time from the beginning of one portion to that of the next. An event after a pause is applied at
    /// once, and so is what follows a full portion.
    public var pace: Duration = .milliseconds(25)
    /// The greatest size of the messages worked on at once, in bytes.
    public var bytesMax = 8 << 20
    /// Between looks at how far behind the projections are.
    public var lagInterval: Duration = .seconds(1)
    /// Projections further behind than this are not ready to be read.
    public var lagLimit: Duration = .seconds(30)
    /// How long the relays have to make a consumer that is missing before the projector makes it itself.
    public var consumerPatience: Duration = .seconds(10)
    /// How long a pull request waits at the server.
    public var pullExpires: Duration = .seconds(5)
    /// How often the server shows that a pull request is alive; less than half of `pullExpires`.
    public var pullHeartbeat: Duration = .milliseconds(2400)

    /// The defaults for a stream and its consumer.
    public init(stream: StreamConfiguration, consumer: ConsumerConfiguration) {
        self.stream = stream
        self.consumer = consumer
    }

    /// Whether a portion is so large that more is waiting. The server ends a portion with the last message that fits,
    /// so one of nearly `bytesMax` is full, too.
    func isFull(messages: Int, bytes: Int) -> Bool { messages >= batch || bytes >= bytesMax / 4 * 3 }
}

/// What a projector counts.
struct ProjectorMetrics: Sendable {
    let events: Counter
    let batches: Counter
    let batchSeconds: Histogram
    let batchEvents: Histogram
    let deadLetters: Counter
    let splits: Counter
    let reconnects: Counter
    let consumersMade: Counter
    let postponed: Counter
    let skipped: Counter

    init(_ registry: MetricsRegistry) {
        events = registry.counter("wallet_projector_events_total", "Events applied to the projections.")
        batches = registry.counter("wallet_projector_batches_total", "Transactions of the projector.")
        batchSeconds = registry.histogram(
            "wallet_projector_batch_seconds", "Seconds from reading a batch to its commit.", buckets: .seconds)
        batchEvents = registry.histogram(
            "wallet_projector_batch_events", "Events in each transaction of the projector.", buckets: .counts)
        deadLetters = registry.counter(
            "wallet_projection_dead_letters_total", "Events that cannot be applied and were put aside.")
        splits = registry.counter(
            "wallet_projector_splits_total", "Batches split to find the event that the database refuses.")
        reconnects = registry.counter(
            "wallet_projector_reconnects_total", "Connections of the projector to its database made anew.")
        consumersMade = registry.counter(
            "wallet_projector_consumer_losses_total", "Times the consumer or its stream was found to be gone.")
        postponed = registry.counter(
            "wallet_projector_postponed_total", "Messages given back to the stream, to come again.")
        skipped = registry.counter(
            "wallet_projector_skipped_total", "Events of types that tell the projections nothing or are not known.")
    }
}
