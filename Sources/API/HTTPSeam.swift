import HTTPServer

extension Answer {
    /// The response with the fields that every answer has.
    consuming func response(_ trace: Trace) -> Response {
        // Taken out of the answer: what two variables hold is copied when it grows.
        var fields = ResponseHeaders()
        swap(&fields, &headers)
        fields.append("Content-Type", contentType)
        fields.append("Cache-Control", "no-store")
        fields.append("X-Correlation-Id", trace.correlationID)
        fields.append("traceparent", trace.traceParent)
        if isReplay { fields.append("Idempotent-Replayed", "true") }
        return Response(status: status, headers: fields, body: body)
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
