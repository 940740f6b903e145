import CNATS
import Observability
import Runtime
import Synchronization

/// The way acks take. It is open only in an epoch in which the stream was seen to be the reader's: in a stream made
/// anew, the number that a late ack carries means another message, which the server would then never deliver.
final class AckRoute: Sendable {
    private let connection: NATSConnection
    /// The epoch in which acks may be sent; 0 for none, as epochs begin at 1.
    private let epoch = Atomic<UInt64>(0)
    private let metrics: ConsumerMetrics

    init(connection: NATSConnection, metrics: ConsumerMetrics) {
        self.connection = connection
        self.metrics = metrics
    }

    /// Lets acks pass as long as the connection stays in this epoch.
    func open(in epoch: UInt64) { self.epoch.store(epoch, ordering: .releasing) }

    /// Holds acks back until `open`.
    func shut() { epoch.store(0, ordering: .releasing) }

    /// Hands an ack to the connection; false when it surely was not sent.
    func send(_ text: String, to subject: String) -> Bool {
        guard let link = openLink(), natsConnection_PublishString(link.handle, subject, text) == NATS_OK else {
            metrics.acksFailed.increment()
            return false
        }
        return true
    }

    /// Sends all acks and one flush; false when the connection was lost in between.
    func sendAll(_ messages: [IncomingMessage], flushTimeout: Duration) -> Bool {
        guard let link = openLink() else { return false }
        for message in messages {
            guard natsConnection_PublishString(link.handle, message.ackSubject, "+ACK") == NATS_OK else { return false }
        }
        let flushed = natsConnection_FlushTimeout(link.handle, max(1, flushTimeout.wholeMilliseconds))
        // Over a reconnect the flush may have succeeded for nothing.
        return flushed == NATS_OK && openLink() === link
    }

    func countFailures(_ count: Int) { metrics.acksFailed.increment(by: count) }

    private func openLink() -> NATSLink? {
        guard let (link, now) = connection.current(), now == epoch.load(ordering: .acquiring) else { return nil }
        return link
    }
}
