import JSON

/// What the server says about a stream.
public struct StreamInfo: Sendable, Equatable {
    /// The stream's name.
    public let name: String
    /// When it was created, as the server writes it (RFC 3339, nanoseconds). Another text means another stream.
    public let created: String
    /// The oldest sequence it holds; one more than the last when it is empty.
    public let firstSequence: UInt64
    /// The newest sequence it ever gave out; falls only when the stream was lost or restored.
    public let lastSequence: UInt64
    /// How many messages it holds.
    public let messages: UInt64
    /// Their size on disk in bytes.
    public let bytes: UInt64
    /// The copies it is configured for.
    public let replicas: Int

    init?(_ answer: JSONValue) {
        guard let name = answer["config"]?["name"]?.string, let created = answer["created"]?.string,
            let state = answer["state"], let first = state.number("first_seq"), let last = state.number("last_seq"),
            let messages = state.number("messages"), let bytes = state.number("bytes")
        else { return nil }
        self.name = name
        self.created = created
        firstSequence = first
        lastSequence = last
        self.messages = messages
        self.bytes = bytes
        replicas = Int(answer["config"]?["num_replicas"]?.int64 ?? 1)
    }
}

/// What the server says about a consumer.
public struct ConsumerInfo: Sendable, Equatable {
    /// The stream it reads.
    public let stream: String
    /// The durable's name.
    public let name: String
    /// When it was created, as the server writes it. 2.9 servers change it a little at a restart.
    public let created: String
    /// Messages of the stream it has not delivered yet.
    public let pending: UInt64
    /// Messages delivered and not acknowledged yet.
    public let ackPending: UInt64
    /// Messages that were delivered more than once and are not acknowledged yet.
    public let redelivered: UInt64
    /// The stream sequence delivered last.
    public let deliveredSequence: UInt64
    /// Everything up to this stream sequence is acknowledged.
    public let ackFloorSequence: UInt64
    /// Pull requests that wait at the server.
    public let waiting: UInt64

    init?(_ answer: JSONValue) {
        guard let stream = answer["stream_name"]?.string, let name = answer["name"]?.string,
            let created = answer["created"]?.string
        else { return nil }
        self.stream = stream
        self.name = name
        self.created = created
        pending = answer.number("num_pending") ?? 0
        ackPending = answer.number("num_ack_pending") ?? 0
        redelivered = answer.number("num_redelivered") ?? 0
        deliveredSequence = answer["delivered"]?.number("stream_seq") ?? 0
        ackFloorSequence = answer["ack_floor"]?.number("stream_seq") ?? 0
        waiting = answer.number("num_waiting") ?? 0
    }
}

extension JSONValue {
    /// The member as a natural number, or nil.
    func number(_ name: String) -> UInt64? { self[name]?.numberText.flatMap { UInt64($0) } }
}
