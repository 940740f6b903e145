import CNATS

/// What can go wrong with NATS and JetStream.
public enum MessagingError: Error, Equatable, Sendable {
    /// A setting is missing or cannot be used; the text says which and why. Never contains secrets.
    case invalidConfiguration(String)
    /// There is no connection to a server now; nothing was sent.
    case notConnected
    /// The connection was closed by this process, for good.
    case closed
    /// No answer within the time given; the request may have had its effect.
    case timedOut(operation: String)
    /// The server answered that nobody listens on the subject: JetStream is off, starting, or without a leader.
    case noResponders(operation: String)
    /// JetStream refused: its HTTP-like status, its error code and its text.
    case refused(operation: String, status: Int, code: Int, description: String)
    /// A stream or consumer exists with settings that cannot be changed to the wanted ones; the text lists them.
    case incompatible(String)
    /// The server's answer could not be understood.
    case badReply(operation: String, description: String)
    /// The consumer is gone, with or without its stream: create it again.
    case consumerMissing(stream: String, consumer: String)
    /// A stream of the name exists, but it is not the one this reader began with: what the old one held is gone.
    case streamRecreated(stream: String)
    /// The client library failed: its status number and text.
    case client(operation: String, status: Int, description: String)

    /// Whether trying the same again later can help without anybody changing settings.
    public var isTransient: Bool {
        switch self {
        case .notConnected, .timedOut, .noResponders, .badReply: true
        case .refused(_, let status, let code, _): status >= 500 && !JetStreamCode.permanent.contains(code)
        case .client(_, let status, _): NATSStatus.transient.contains(UInt32(status))
        case .invalidConfiguration, .closed, .incompatible, .consumerMissing, .streamRecreated:
            false
        }
    }
}

extension MessagingError: CustomStringConvertible {
    /// The error as a sentence.
    public var description: String {
        switch self {
        case .invalidConfiguration(let text): "NATS configuration: \(text)"
        case .notConnected: "not connected to NATS"
        case .closed: "the connection to NATS was closed"
        case .timedOut(let operation): "\(operation): no answer in time"
        case .noResponders(let operation): "\(operation): nobody answers (is JetStream on?)"
        case .refused(let operation, let status, let code, let text): "\(operation): \(text) (\(status), code \(code))"
        case .incompatible(let text): text
        case .badReply(let operation, let text): "\(operation): answer not understood: \(text)"
        case .consumerMissing(let stream, let consumer): "consumer \(consumer) of stream \(stream) does not exist"
        case .streamRecreated(let stream): "stream \(stream) was made anew"
        case .client(let operation, let status, let text): "\(operation): \(text) (client status \(status))"
        }
    }
}

/// JetStream's error codes that the program tells apart.
public enum JetStreamCode {
    /// The consumer does not exist.
    public static let consumerNotFound = 10014
    /// The stream does not exist.
    public static let streamNotFound = 10059
    /// A stream with the name exists with other settings.
    public static let streamNameInUse = 10058
    /// The stream is full (`discard: new`) or the server could not store the message.
    public static let storeFailed = 10077
    /// The message was meant for another stream than the one that owns the subject.
    public static let wrongStream = 10060

    static let permanent: Set<Int> = [consumerNotFound, streamNotFound, streamNameInUse, wrongStream]
}

/// The client library's status values that are told apart here.
enum NATSStatus {
    static let transient: Set<UInt32> = Set(
        [
            NATS_IO_ERROR, NATS_NO_SERVER, NATS_STALE_CONNECTION, NATS_CONNECTION_DISCONNECTED, NATS_TIMEOUT,
            NATS_INSUFFICIENT_BUFFER, NATS_NOT_YET_CONNECTED, NATS_NO_RESPONDERS, NATS_CONNECTION_CLOSED,
        ].map(\.rawValue))

    /// Whether a publish that ended so has surely not left the process.
    static func isSurelyUnsent(_ status: natsStatus) -> Bool {
        [NATS_INSUFFICIENT_BUFFER, NATS_CONNECTION_CLOSED, NATS_DRAINING, NATS_INVALID_ARG, NATS_INVALID_SUBJECT]
            .contains(status)
    }
}

/// Turns a status of the client library into an error.
func check(_ status: natsStatus, _ operation: @autoclosure () -> String) throws(MessagingError) {
    switch status {
    case NATS_OK: return
    case NATS_TIMEOUT: throw .timedOut(operation: operation())
    case NATS_NO_RESPONDERS: throw .noResponders(operation: operation())
    case NATS_INSUFFICIENT_BUFFER, NATS_CONNECTION_DISCONNECTED, NATS_CONNECTION_CLOSED, NATS_NOT_YET_CONNECTED:
        throw .notConnected
    default:
        let text = natsStatus_GetText(status).map { String(cString: $0) } ?? "unknown"
        throw .client(operation: operation(), status: Int(status.rawValue), description: text)
    }
}
