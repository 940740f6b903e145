public import Messaging
import Observability

/// How a relay works.
public struct OutboxRelayConfiguration: Sendable {
    /// The stream to publish into; created or checked at start and after a loss.
    public var stream: StreamConfiguration
    /// The durable consumer of the projections; created or checked together with the stream.
    public var consumer: ConsumerConfiguration
    /// What subjects begin with; the partition's number follows.
    public var subjectPrefix = "wallet.events."
    /// Outbox rows claimed at once.
    public var claim = 64
    /// With this many events no further row is claimed: what is claimed is held in memory.
    public var claimEvents = 20_000
    /// The shortest time from one look into the outbox to the next, unless a claim was as large as it may be.
    public var poll: Duration = .milliseconds(20)
    /// How long a claim lasts; a dead relay's rows come free after it.
    public var lease: Duration = .seconds(30)
    /// How long to wait for JetStream's answers.
    public var publishTimeout: Duration = .seconds(5)
    /// How long published rows are kept to be sent again.
    public var retention: Duration = .seconds(600)
    /// Between looks at the stream for lost messages.
    public var watchInterval: Duration = .seconds(3)

    /// The defaults for a stream and its consumer.
    public init(stream: StreamConfiguration, consumer: ConsumerConfiguration) {
        self.stream = stream
        self.consumer = consumer
    }
}

/// What the relay counts.
struct RelayMetrics: Sendable {
    let entries: Gauge
    let oldestSeconds: Gauge
    let events: Counter
    let messages: Counter
    let duplicates: Counter
    let failures: Counter
    let streamFull: Counter
    let losses: Counter
    let redriven: Counter
    let unread: Counter

    init(_ registry: MetricsRegistry) {
        entries = registry.gauge(
            "wallet_outbox_entries", "Outbox rows that wait to be published; counted up to 100,001.")
        oldestSeconds = registry.gauge("wallet_outbox_oldest_seconds", "Age of the oldest waiting outbox row.")
        events = registry.counter("wallet_outbox_events_published_total", "Events published.")
        messages = registry.counter("wallet_outbox_messages_published_total", "Messages published.")
        duplicates = registry.counter(
            "wallet_outbox_duplicates_total", "Messages that the stream said it had already.")
        failures = registry.counter(
            "wallet_outbox_failures_total", "Outbox rows that could not be published and are tried again.")
        streamFull = registry.counter("wallet_outbox_stream_full_total", "Messages refused by a full stream.")
        losses = registry.counter("wallet_stream_losses_total", "Times the stream was found to have lost messages.")
        unread = registry.counter(
            "wallet_stream_unread_removals_total",
            "Times the stream was found to have removed messages that were not acknowledged yet.")
        redriven = registry.counter(
            "wallet_outbox_redriven_total", "Published outbox rows sent again after a loss.")
    }
}
