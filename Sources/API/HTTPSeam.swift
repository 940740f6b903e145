import HTTPServer

extension HTTPRequest {
    /// The header fields with their names as they came.
    var headerFields: [(name: String, value: String)] { headers }
    /// The method's token.
    var methodName: String { method }
    /// The bytes of the target before the query.
    var path: ArraySlice<UInt8> { target.prefix { $0 != 0x3F } }
    /// The bytes of the target behind the question mark; none without one.
    var query: ArraySlice<UInt8> { target.drop { $0 != 0x3F }.dropFirst() }
}

extension Answer {
    /// The response with the fields that every answer has.
    func response(_ trace: Trace) -> HTTPResponse {
        var headers = headers
        headers.append(("Content-Type", contentType))
        headers.append(("Cache-Control", "no-store"))
        headers.append(("X-Correlation-Id", trace.correlationID))
        headers.append(("traceparent", trace.traceParent))
        if isReplay { headers.append(("Idempotent-Replayed", "true")) }
        return HTTPResponse(status: status, headers: headers, body: body)
    }
}
