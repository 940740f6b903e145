import Observability

/// The figures of a publisher.
struct PublisherMetrics: Sendable {
    private let stored: Counter
    private let duplicate: Counter
    private let rejected: Counter
    private let unknown: Counter
    let latency: Histogram

    init(_ registry: MetricsRegistry) {
        func outcome(_ value: String) -> Counter {
            registry.counter(
                "wallet_nats_published_total", "Messages handed to JetStream by their outcome.",
                labels: ["outcome": value])
        }
        stored = outcome("stored")
        duplicate = outcome("duplicate")
        rejected = outcome("rejected")
        unknown = outcome("unknown")
        latency = registry.histogram("wallet_nats_publish_seconds", "From handing over a batch to its last answer.")
    }

    func count(_ results: [PublishResult]) {
        for result in results {
            switch result {
            case .stored(_, duplicate: false): stored.increment()
            case .stored(_, duplicate: true): duplicate.increment()
            case .rejected: rejected.increment()
            case .unknown: unknown.increment()
            }
        }
    }
}

/// The figures of a pull consumer.
struct ConsumerMetrics: Sendable {
    let received: Counter
    let redelivered: Counter
    let requests: Counter
    let silences: Counter
    let checks: Counter
    let acksFailed: Counter

    init(_ registry: MetricsRegistry) {
        received = registry.counter("wallet_nats_received_total", "Messages received from JetStream.")
        redelivered = registry.counter(
            "wallet_nats_redelivered_total", "Messages received from JetStream that were delivered before.")
        requests = registry.counter("wallet_nats_pull_requests_total", "Pull requests sent to JetStream.")
        silences = registry.counter(
            "wallet_nats_pull_silences_total", "Pull requests given up because the server fell silent.")
        checks = registry.counter(
            "wallet_nats_consumer_checks_total", "Looks at the stream and the consumer after something odd.")
        acksFailed = registry.counter(
            "wallet_nats_acks_failed_total", "Acks that could not be sent; their messages come again.")
    }
}
