/// A request that the server answers itself, because it breaks HTTP or one of the server's limits.
/// The connection is closed after the answer.
public struct ProtocolError: Error, Equatable, Sendable {
    /// The status to answer with.
    public let status: Int
    /// A stable word for programs, such as `body_too_large`.
    public let code: String
    /// One sentence for people.
    public let detail: String

    init(_ status: Int, _ code: String, _ detail: String) {
        self.status = status
        self.code = code
        self.detail = detail
    }

    static func malformed(_ detail: String) -> ProtocolError { ProtocolError(400, "malformed_request", detail) }

    static let requestTimeout = ProtocolError(408, "request_timeout", "The request did not arrive in time.")
    static let bodyTooLarge = ProtocolError(413, "body_too_large", "The body is larger than this route accepts.")
    static let targetTooLong = ProtocolError(414, "target_too_long", "The request line is too long.")
    static let unknownExpectation = ProtocolError(417, "unknown_expectation", "Only 100-continue can be expected.")
    static let headTooLarge = ProtocolError(431, "head_too_large", "The header fields are too large or too many.")
    static let unknownEncoding = ProtocolError(
        501, "unknown_transfer_encoding", "Only the transfer encoding chunked is known.")
    static let overloaded = ProtocolError(503, "overloaded", "The server has too many connections or too much to hold.")
    static let unknownVersion = ProtocolError(505, "unknown_http_version", "Only HTTP/1.1 and HTTP/1.0 are spoken.")

    /// The answer used unless the configuration renders its own: problem details (RFC 9457).
    public var defaultResponse: Response {
        // Code and detail are this file's plain words: nothing in them needs escaping.
        let body =
            #"{"type":"about:blank","title":"\#(reasonPhrase(of: status))","status":\#(status),"#
            + #""code":"\#(code)","detail":"\#(detail)"}"#
        var headers = ResponseHeaders([("Content-Type", "application/problem+json")])
        if status == 503 { headers.append("Retry-After", "1") }
        return Response(status: status, headers: headers, body: Array(body.utf8))
    }
}
