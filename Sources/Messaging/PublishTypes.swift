/// A message to be stored by JetStream.
public struct OutgoingMessage: Sendable {
    /// The subject; it decides the stream.
    public let subject: String
    /// The stream stores a message id once within its duplicate window. Letters, digits, `-`, `_`, `.` and `:`.
    public let messageID: String
    /// The content.
    public let payload: [UInt8]

    /// Pairs a content with where it goes and its identity.
    public init(subject: String, messageID: String, payload: [UInt8]) {
        self.subject = subject
        self.messageID = messageID
        self.payload = payload
    }
}

/// What became of one published message.
public enum PublishResult: Sendable, Equatable {
    /// The stream has it, under this sequence number. `duplicate`: it (says that it) had it before.
    case stored(sequence: UInt64, duplicate: Bool)
    /// Surely not stored.
    case rejected(PublishRejection)
    /// It may or may not be stored: no answer in time, or the connection went down. Send it again with the same id.
    case unknown
}

/// Why a message was surely not stored.
public struct PublishRejection: Error, Sendable, Equatable {
    /// JetStream's error code, 503 when nobody listens on the subject, or one of the negative codes of this type.
    public let code: Int
    /// The reason as a text.
    public let description: String

    /// Makes a rejection.
    public init(code: Int, description: String) {
        self.code = code
        self.description = description
    }

    /// Nobody listens: JetStream is off or starting, or no stream has the subject.
    public static let noResponders = PublishRejection(code: 503, description: "nobody listens on the subject")
    /// There was no connection; nothing was sent.
    public static let notConnected = PublishRejection(code: -1, description: "not connected to NATS")
    /// The publisher has as many messages in flight as it may; nothing was sent.
    public static let publisherFull = PublishRejection(code: -2, description: "too many messages in flight")
    /// The message is larger than the server takes; it will never be stored.
    public static let tooLarge = PublishRejection(code: -3, description: "larger than the server takes")
    /// The publisher was closed; nothing was sent.
    public static let closed = PublishRejection(code: -4, description: "the publisher is closed")

    /// Whether the stream is full (or the server's disk): 10077.
    public var isStreamFull: Bool { code == JetStreamCode.storeFailed }
}
