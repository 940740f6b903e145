import CNATS
import Glibc

/// What JetStream says about a delivered message in the subject for its ack.
struct DeliveryInfo: Equatable, Sendable {
    let stream: String
    let consumer: String
    let deliveries: UInt64
    let streamSequence: UInt64
    let storedNanoseconds: Int64

    /// Reads `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>`, or the longer
    /// form with domain and account hash in front of the stream, and possibly a token behind.
    init?(ackSubject: String) {
        let parts = ackSubject.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 9, parts[0] == "$JS", parts[1] == "ACK" else { return nil }
        let start = parts.count == 9 ? 2 : 4
        guard parts.count == 9 || parts.count >= 11, let deliveries = UInt64(parts[start + 2]),
            let sequence = UInt64(parts[start + 3]), let time = Int64(parts[start + 5])
        else { return nil }
        stream = String(parts[start])
        consumer = String(parts[start + 1])
        self.deliveries = deliveries
        streamSequence = sequence
        storedNanoseconds = time
    }
}

/// A message from a stream, to be acknowledged once its effect is durable.
public final class IncomingMessage: @unchecked Sendable {
    // Unchecked because of the pointer: the library's message is only read here, and freed with this object.
    private let message: OpaquePointer
    private let route: AckRoute
    let ackSubject: String
    private let info: DeliveryInfo

    init?(_ message: OpaquePointer, route: AckRoute) {
        guard let reply = natsMsg_GetReply(message).map({ String(cString: $0) }),
            let info = DeliveryInfo(ackSubject: reply)
        else { return nil }
        self.message = message
        self.route = route
        self.info = info
        ackSubject = reply
    }

    deinit { natsMsg_Destroy(message) }

    /// The subject it was published to.
    public var subject: String { natsMsg_GetSubject(message).map { String(cString: $0) } ?? "" }

    /// Its number in the stream.
    public var streamSequence: UInt64 { info.streamSequence }

    /// How often it was delivered, this time included: 1 for the first.
    public var deliveryCount: UInt64 { info.deliveries }

    /// When the stream stored it, microseconds since 1970 UTC.
    public var storedAtMicroseconds: Int64 { info.storedNanoseconds / 1000 }

    /// The length of the content in bytes.
    public var payloadLength: Int { Int(natsMsg_GetDataLength(message)) }

    /// A copy of the content.
    public var payload: [UInt8] { messageBytes(message) }

    /// Lends the content without a copy; the buffer is valid only inside `body`.
    public func withPayload<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: natsMsg_GetData(message), count: payloadLength))
    }

    /// Done: never deliver it again.
    ///
    /// - Returns: whether it was handed to the connection; when not, the message comes again.
    @discardableResult
    public func ack() -> Bool { route.send("+ACK", to: ackSubject) }

    /// Not now: deliver it again after `delay`.
    @discardableResult
    public func nak(delay: Duration) -> Bool {
        route.send("-NAK {\"delay\":\(max(0, delay.wholeNanosecondsClamped))}", to: ackSubject)
    }

    /// Never: do not deliver it again, it cannot be processed. Takes no reason: servers before 2.10.4 ignore a TERM
    /// that carries one, so the reason belongs where the message is kept.
    @discardableResult
    public func term() -> Bool { route.send("+TERM", to: ackSubject) }

    /// Still at it: the ack wait begins anew.
    @discardableResult
    public func inProgress() -> Bool { route.send("+WPI", to: ackSubject) }
}

extension Duration {
    fileprivate var wholeNanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        return min(seconds, 1 << 32) * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
