import HTTPServer

extension Answer {
    /// The response with the fields that every answer has.
    func response(_ trace: Trace) -> Response {
        var headers = headers
        headers.reserveCapacity(headers.count + 5)
        headers.append(("Content-Type", contentType))
        headers.append(("Cache-Control", "no-store"))
        headers.append(("X-Correlation-Id", trace.correlationID))
        headers.append(("traceparent", trace.traceParent))
        if isReplay { headers.append(("Idempotent-Replayed", "true")) }
        return Response(status: status, headers: headers, body: body)
    }
}

extension Problem {
    /// A request that the server refused before any route saw it.
    init(_ error: ProtocolError) {
        let code: ProblemCode =
            switch error.status {
            case 408: .requestTimeout
            case 413: .payloadTooLarge
            case 414: .targetTooLong
            case 417: .expectationFailed
            case 431: .headersTooLarge
            case 501: .notImplemented
            case 503: .overloaded
            case 505: .httpVersionNotSupported
            default: .malformedRequest
            }
        self.init(code, error.detail)
        if code == .overloaded { retryAfter = 1 }
    }
}
