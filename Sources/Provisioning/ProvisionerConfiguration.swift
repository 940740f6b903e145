import Observability

/// How a provisioner works.
public struct ProvisionerConfiguration: Sendable {
    /// The stream with the user events, which belongs to somebody else.
    public var stream: String
    /// The subject they come on.
    public var subject: String
    /// The durable consumer that all provisioners share; made when it is not there.
    public var consumer: String
    /// Whether a missing stream is made; otherwise it is waited for.
    public var createsStream = false
    /// How often ledger or database refuse an event before it becomes a dead letter.
    public var refusalsMax = 20
    /// When a failed event comes again: after its first delivery, then each time twice as long.
    public var redelivery: Duration = .milliseconds(500)
    /// The longest time until a failed event comes again.
    public var redeliveryMax: Duration = .seconds(30)
    /// How many messages are worked on at once.
    public var batch = 200
    /// The greatest size of the messages worked on at once, in bytes.
    public var bytesMax = 8 << 20
    /// How many users are on their way through the write path at once.
    public var concurrency = 256
    /// The longest pause between two looks for a missing stream.
    public var streamPauseMax: Duration = .seconds(30)
    /// How long a delivered message may stay without an answer before it is delivered again.
    public var ackWait: Duration = .seconds(60)
    /// How long a pull request waits at the server.
    public var pullExpires: Duration = .seconds(5)
    /// How often the server shows that a pull request is alive; less than half of `pullExpires`.
    public var pullHeartbeat: Duration = .milliseconds(2400)

    /// Names what to read; the rest has its defaults.
    public init(stream: String, subject: String, consumer: String) {
        self.stream = stream
        self.subject = subject
        self.consumer = consumer
    }

    /// When a message that was delivered this often comes again. Differs a little between messages, so that those that
    /// failed together do not come together for ever.
    func delay(afterDeliveries deliveries: UInt64) -> Duration {
        var delay = redelivery
        for _ in 1..<max(1, min(deliveries, 64)) where delay < redeliveryMax { delay *= 2 }
        return min(delay, redeliveryMax) * Double.random(in: 0.75...1)
    }
}

/// What a provisioner counts.
struct ProvisionerMetrics: Sendable {
    let wallets: Counter
    let repeats: Counter
    let retries: Counter
    let deadLetters: Counter
    let streamMissing: Counter

    init(_ registry: MetricsRegistry) {
        wallets = registry.counter("wallet_provisioned_wallets_total", "Wallets opened for new users.")
        repeats = registry.counter(
            "wallet_provisioning_repeats_total", "User events whose wallets were all there already.")
        retries = registry.counter(
            "wallet_provisioning_retries_total", "Messages with user events given back to the stream, to come again.")
        deadLetters = registry.counter(
            "wallet_provisioning_dead_letters_total", "User events that cannot be used and were put aside.")
        streamMissing = registry.counter(
            "wallet_provisioning_stream_missing_total", "Looks for the stream of user events that did not find it.")
    }
}
