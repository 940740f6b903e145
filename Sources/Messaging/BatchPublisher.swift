import CNATS
public import Observability
import Runtime
import Synchronization

/// Publishes batches to JetStream and tells what became of each message.
///
/// All acks come to one inbox of the publisher. A batch is registered before its first message is sent and answered
/// exactly once: by its last ack, by its deadline, or by the loss of the connection, whichever is first.
public final class BatchPublisher: Sendable {
    /// How many messages may wait for their acks unless told otherwise.
    public static let defaultInFlight = 4096

    private struct Job: Sendable {
        let batch: UInt64
        let messages: [OutgoingMessage]
    }

    private let connection: NATSConnection
    private let expectedStream: String?
    private let inFlightLimit: Int
    private let logger: Logger
    private let ledger: InFlightBatches
    private let jobs: BoundedQueue<Job>
    private let observer: Int
    private let ended = StopSignal()
    private let metrics: PublisherMetrics

    /// Makes a publisher and starts its thread, which sends.
    ///
    /// - Parameters:
    ///   - connection: best not the one that consumes.
    ///   - expectedStream: JetStream refuses a message that would land in another stream; nil does not ask.
    ///   - inFlightLimit: how many messages may wait for their acks; a batch beyond it is refused at once.
    /// - Throws: when the system refuses a thread.
    public init(
        connection: NATSConnection, expectedStream: String?, inFlightLimit: Int = BatchPublisher.defaultInFlight,
        logger: Logger, metrics: MetricsRegistry
    ) throws {
        precondition(inFlightLimit > 0, "at least one message must fit")
        let ledger = InFlightBatches(limit: inFlightLimit)
        self.connection = connection
        self.expectedStream = expectedStream
        self.inFlightLimit = inFlightLimit
        self.logger = logger
        self.ledger = ledger
        self.metrics = PublisherMetrics(metrics)
        jobs = BoundedQueue(capacity: inFlightLimit)
        metrics.gauge("wallet_nats_publish_in_flight", "Messages waiting for their ack.") { [weak ledger] in
            Double(ledger?.inFlight ?? 0)
        }
        observer = connection.observe { event in
            if event != .connected { ledger.connectionLost() }
        }
        _ = try OwnedThread(name: "nats-publish") { self.sendLoop() }
    }

    /// Publishes the messages and waits for their fate.
    ///
    /// - Parameters:
    ///   - messages: sent in this order; a message may be stored even when one before it was not.
    ///   - timeout: after it, what has no answer is `unknown`.
    /// - Returns: one result for each message, in their order.
    public func publish(_ messages: [OutgoingMessage], within timeout: Duration) async -> [PublishResult] {
        guard !messages.isEmpty else { return [] }
        guard connection.isConnected else {
            let results = Self.all(messages, .notConnected)
            metrics.count(results)
            return results
        }
        let clock = ContinuousClock()
        let began = clock.now
        var timer: Task<Void, Never>?
        let results = await withCheckedContinuation { continuation in
            guard let batch = ledger.register(messages.count, continuation) else {
                continuation.resume(returning: Self.all(messages, .publisherFull))
                return
            }
            timer = Task { [ledger] in
                try? await Task.sleep(for: timeout)
                if !Task.isCancelled { ledger.finish(batch) }
            }
            if !jobs.tryPush(Job(batch: batch, messages: messages)) {
                ledger.finish(batch, otherwise: .rejected(.closed))
            }
        }
        timer?.cancel()
        metrics.count(results)
        metrics.latency.observe(began.duration(to: clock.now))
        return results
    }

    /// Sends what was accepted, refuses what comes later, and ends the thread. Batches in flight keep waiting.
    public func close() async {
        jobs.close()
        await ended.wait()
        connection.removeObserver(observer)
    }

    private static func all(_ messages: [OutgoingMessage], _ why: PublishRejection) -> [PublishResult] {
        Array(repeating: .rejected(why), count: messages.count)
    }
}

extension BatchPublisher {
    /// The thread: sends are blocking writes in the worst case, so they happen here and nowhere else.
    private func sendLoop() {
        var inbox: AckInbox?
        while !jobs.isFinished {
            let taken = jobs.takeAll(max: 64, waitUpTo: nil)
            guard !taken.isEmpty else { continue }
            guard let (link, _) = connection.current() else {
                for job in taken { ledger.finish(job.batch, otherwise: .rejected(.notConnected)) }
                continue
            }
            do throws(MessagingError) {
                if inbox?.link !== link { inbox = try AckInbox(link, ledger) }
            } catch {
                logger.warning("cannot receive acks", ["error": .string(error.description)])
                inbox = nil
            }
            guard let inbox else {
                for job in taken { ledger.finish(job.batch, otherwise: .rejected(.notConnected)) }
                continue
            }
            for job in taken { send(job, inbox) }
            // Without it the library's own flusher waits a millisecond for more.
            natsConnection_FlushTimeout(link.handle, 500)
        }
        ended.stop()
    }

    private func send(_ job: Job, _ inbox: AckInbox) {
        // A batch that was given up while it waited here is not sent after all: its owner may be sending it again.
        guard ledger.isOpen(job.batch) else { return }
        let replyPrefix = "\(inbox.subject).\(job.batch)."
        for (index, message) in job.messages.enumerated() {
            let status = send(message, replyTo: replyPrefix + String(index), inbox.link)
            switch status {
            case NATS_OK: continue
            case NATS_MAX_PAYLOAD: ledger.answer(job.batch, index, .rejected(.tooLarge))
            default:
                let isUnsent = NATSStatus.isSurelyUnsent(status)
                ledger.answer(job.batch, index, isUnsent ? .rejected(.notConnected) : .unknown)
                for later in job.messages.indices where later > index {
                    ledger.answer(job.batch, later, .rejected(.notConnected))
                }
                return
            }
        }
    }

    private func send(_ message: OutgoingMessage, replyTo reply: String, _ link: NATSLink) -> natsStatus {
        var made: OpaquePointer?
        var status = message.payload.withUnsafeBytes { bytes in
            natsMsg_Create(
                &made, message.subject, reply, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(bytes.count))
        }
        guard status == NATS_OK, let made else { return status }
        defer { natsMsg_Destroy(made) }
        status = natsMsgHeader_Set(made, "Nats-Msg-Id", message.messageID)
        if status == NATS_OK, let expectedStream {
            status = natsMsgHeader_Set(made, "Nats-Expected-Stream", expectedStream)
        }
        return status == NATS_OK ? natsConnection_PublishMsg(link.handle, made) : status
    }
}

/// The subscription that receives acks, on one link. Its callback finds the batches through a table, so a late ack
/// after the end of everything falls into the void.
private final class AckInbox {
    private final class Target: Sendable {
        let ledger: InFlightBatches
        let inboxLength: Int
        init(ledger: InFlightBatches, inboxLength: Int) {
            self.ledger = ledger
            self.inboxLength = inboxLength
        }
    }

    private static let targets = CallbackTable<Target>()

    let link: NATSLink
    let subject: String
    private let token: Int
    private let subscription: OpaquePointer

    init(_ link: NATSLink, _ ledger: InFlightBatches) throws(MessagingError) {
        let subject = try makeInbox()
        let token = Self.targets.insert(Target(ledger: ledger, inboxLength: subject.utf8.count))
        var made: OpaquePointer?
        let status = natsConnection_Subscribe(
            &made, link.handle, subject + ".*.*",
            { _, _, message, context in AckInbox.receive(message, context) }, CallbackTable<Target>.context(token))
        guard status == NATS_OK, let made else {
            Self.targets.remove(token)
            try check(status, "subscribe")
            throw .notConnected
        }
        // Acks are small and their number is bounded by what is in flight: none may be dropped.
        natsSubscription_SetPendingLimits(made, -1, -1)
        self.link = link
        self.subject = subject
        self.token = token
        subscription = made
    }

    deinit {
        natsSubscription_Destroy(subscription)
        Self.targets.remove(token)
    }

    private static func receive(_ message: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
        guard let message else { return }
        defer { natsMsg_Destroy(message) }
        guard let target = targets.target(of: context), let subject = natsMsg_GetSubject(message),
            let (batch, index) = PublishAck.position(subject: subject, after: target.inboxLength)
        else { return }
        target.ledger.answer(batch, index, PublishAck.parse(message))
    }
}
