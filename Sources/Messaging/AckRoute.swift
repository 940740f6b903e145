import CNATS
import Observability
import Runtime
import Synchronization

/// The way acks take. It ends when the consumer was seen to be gone: the number an ack carries would then mean
/// another message of a new stream.
final class AckRoute: Sendable {
    private let connection: NATSConnection
    private let isValid = Atomic<Bool>(true)
    private let metrics: ConsumerMetrics

    init(connection: NATSConnection, metrics: ConsumerMetrics) {
        self.connection = connection
        self.metrics = metrics
    }

    func end() { isValid.store(false, ordering: .releasing) }

    var isOpen: Bool { isValid.load(ordering: .acquiring) }

    /// Hands an ack to the connection; false when it surely was not sent.
    func send(_ text: String, to subject: String) -> Bool {
        guard isOpen, let (link, _) = connection.current() else {
            metrics.acksFailed.increment()
            return false
        }
        let sent = natsConnection_PublishString(link.handle, subject, text) == NATS_OK
        if !sent { metrics.acksFailed.increment() }
        return sent
    }

    /// Sends all acks and one flush; false when the connection was lost in between.
    func sendAll(_ messages: [IncomingMessage], flushTimeout: Duration) -> Bool {
        guard isOpen, let (link, epoch) = connection.current() else { return false }
        for message in messages {
            guard natsConnection_PublishString(link.handle, message.ackSubject, "+ACK") == NATS_OK else { return false }
        }
        let flushed = natsConnection_FlushTimeout(link.handle, max(1, flushTimeout.wholeMilliseconds))
        return flushed == NATS_OK && connection.current()?.epoch == epoch
    }

    func countFailures(_ count: Int) { metrics.acksFailed.increment(by: count) }
}
