import CNATS
import Glibc
import Observability
import Runtime

extension PullConsumer {
    /// Sees to it that there is a connection, a subscription on it, certainty about the consumer, and a request.
    ///
    /// - Returns: false when that did not succeed until the deadline.
    @available(*, noasync)
    func prepare(_ deadline: UInt64) throws(MessagingError) -> Bool {
        while true {
            guard let (link, epoch) = connection.current() else {
                verifiedEpoch = nil
                let left = deadline - min(deadline, now())
                // In portions, so that an interruption is noticed.
                guard left > 0 else { return false }
                _ = connection.waitUntilConnected(for: min(.milliseconds(100), .nanoseconds(Int64(clamping: left))))
                if connection.isStopping { throw .closed }
                return true
            }
            if verifiedEpoch == epoch, inbox?.link === link {
                if !request.isOpen { sendRequest() }
                return true
            }
            request.end()
            do throws(MessagingError) {
                if inbox?.link !== link { inbox = try PullInbox(link, limit: configuration.batch * 16) }
                try verify()
                verifiedEpoch = epoch
                route.open(in: epoch)
            } catch {
                guard error.isTransient else {
                    giveUp(error)
                    throw error
                }
                logger.debug("cannot look at the consumer yet", ["error": .string(error.description)])
                guard pauseBriefly(deadline) else { return false }
            }
        }
    }

    /// Looks whether the consumer exists, on the stream that this reader began with.
    @available(*, noasync)
    private func verify() throws(MessagingError) {
        metrics.checks.increment()
        let (stream, consumer) = (configuration.stream, configuration.consumer)
        guard let streamInfo = try admin.streamInfo(stream),
            try admin.consumerInfo(stream: stream, consumer: consumer) != nil
        else { throw .consumerMissing(stream: stream, consumer: consumer) }
        guard streamCreated == nil || streamCreated == streamInfo.created else {
            throw .streamRecreated(stream: stream)
        }
        streamCreated = streamInfo.created
    }

    /// What was asked may be void: end the request, and look at the consumer before the next.
    func doubt() {
        request.end()
        verifiedEpoch = nil
        route.shut()
    }

    private func giveUp(_ error: MessagingError) {
        route.shut()
        inbox = nil
        request.end()
        verifiedEpoch = nil
        logger.error("the consumer cannot be read any more", ["error": .string(error.description)])
    }

    func sendRequest() {
        guard let inbox else { return }
        let expires = configuration.expires.wholeNanoseconds
        let body = PullRequest.body(
            batch: configuration.batch, maxBytes: requestBytes, expires: expires,
            heartbeat: configuration.heartbeat.wholeNanoseconds)
        request.open(configuration.batch, now: now(), expires: UInt64(expires))
        let subject = "$JS.API.CONSUMER.MSG.NEXT.\(configuration.stream).\(configuration.consumer)"
        metrics.requests.increment()
        if !inbox.ask(subject, number: request.number, body) { doubt() }
    }

    /// Sorts out what came: a message, or news about the request.
    func take(_ received: PullInbox.Received) throws(MessagingError) -> IncomingMessage? {
        switch received {
        case .message(let raw):
            request.messageCame(now: now())
            guard let message = IncomingMessage(raw, route: route) else {
                natsMsg_Destroy(raw)
                logger.warning("a message without an ack subject came to the reader's inbox")
                return nil
            }
            pause.reset()
            metrics.received.increment()
            if message.deliveryCount > 1 { metrics.redelivered.increment() }
            return message
        case .noResponders:
            logger.debug("nobody answers pull requests")
            doubt()
            pauseAfterRefusal()
        case .broken:
            doubt()
            inbox = nil
        case .status(let number, let code, let text):
            try handle(PullStatus(code: code, description: text), number, code, text)
        }
        return nil
    }

    private func handle(_ status: PullStatus, _ number: UInt64?, _ code: Int, _ text: String) throws(MessagingError) {
        guard status != .unusable else {
            let error = MessagingError.incompatible(
                "consumer \(configuration.consumer) is not a pull consumer: \(text)")
            giveUp(error)
            throw error
        }
        guard request.isAbout(number) else { return }
        switch status {
        case .heartbeat:
            request.heartbeatCame(now: now())
            pause.reset()
        case .ended, .unusable:
            request.end()
        case .tooLarge:
            // Nothing fitted at all: one message is larger than the whole request may be.
            if request.received == 0 { requestBytes = min(requestBytes * 2, 1 << 30) }
            request.end()
        case .doubtful:
            logger.info("the server ended a pull request", ["code": .int(code), "text": .string(text)])
            doubt()
            pauseAfterRefusal()
        }
    }

    /// A server that refuses each request must not be asked in a tight loop.
    private func pauseAfterRefusal() { _ = pauseBriefly(now() + 1_000_000_000) }
}

/// The subscription that receives messages and statuses, on one link.
final class PullInbox {
    /// Something that came to the inbox. A message is the receiver's to destroy.
    enum Received {
        case message(OpaquePointer)
        case status(request: UInt64?, code: Int, text: String)
        case noResponders
        /// The subscription ended.
        case broken
    }

    let link: NATSLink
    private let subject: String
    private let subscription: OpaquePointer

    /// - Parameter limit: messages kept for the reader; more than any request can bring.
    init(_ link: NATSLink, limit: Int) throws(MessagingError) {
        let subject = try makeInbox()
        var made: OpaquePointer?
        try check(natsConnection_SubscribeSync(&made, link.handle, subject + ".*"), "subscribe")
        guard let made else { throw .notConnected }
        natsSubscription_SetPendingLimits(made, Int32(clamping: limit), -1)
        self.link = link
        self.subject = subject
        subscription = made
    }

    deinit { natsSubscription_Destroy(subscription) }

    /// Sends a pull request; false when it was not sent.
    func ask(_ target: String, number: UInt64, _ body: [UInt8]) -> Bool {
        let status = body.withUnsafeBytes { bytes in
            natsConnection_PublishRequest(
                link.handle, target, "\(subject).\(number)", bytes.baseAddress, Int32(bytes.count))
        }
        return status == NATS_OK
    }

    /// The next thing that came; nil when nothing does within the wait.
    func receive(waitMilliseconds: Int64) -> Received? {
        var made: OpaquePointer?
        let status = natsSubscription_NextMsg(&made, subscription, waitMilliseconds)
        switch status {
        case NATS_OK: break
        case NATS_TIMEOUT: return nil
        case NATS_NO_RESPONDERS: return .noResponders
        // Some messages were dropped; they come again after the ack wait.
        case NATS_SLOW_CONSUMER: return nil
        default: return .broken
        }
        guard let message = made else { return nil }
        guard let name = natsMsg_GetSubject(message), let number = requestNumber(name) else { return .message(message) }
        defer { natsMsg_Destroy(message) }
        if natsMsg_IsNoResponders(message) { return .noResponders }
        let code = header(message, "Status").flatMap { Int($0) } ?? 0
        return .status(request: number, code: code, text: header(message, "Description") ?? "")
    }

    /// The number of the request that a status is about; nil for a message, which carries the subject it was
    /// published to.
    private func requestNumber(_ name: UnsafePointer<CChar>) -> UInt64? {
        let length = subject.utf8.count
        guard strncmp(name, subject, length) == 0, name[length] == CChar(bitPattern: UInt8(ascii: ".")) else {
            return nil
        }
        return UInt64(String(cString: name + length + 1))
    }

    private func header(_ message: OpaquePointer, _ name: String) -> String? {
        var value: UnsafePointer<CChar>?
        guard natsMsgHeader_Get(message, name, &value) == NATS_OK else { return nil }
        return value.map { String(cString: $0) }
    }
}
