import HTTPServer
import Ledger
import Observability
import Runtime

/// What every request goes through: its route, its ids, its line in the log and its place in the metrics.
struct RequestFrame: Sendable {
    let metrics: APIMetrics
    let logger: Logger
    let clock: Clock
    let newID: @Sendable () -> RawUUID

    /// Answers a request with what `handle` makes of it. Nothing here ends a request that takes long: everything it
    /// waits for, a lane or a pool, has a deadline of its own and knows what became of the work.
    func respond(
        to request: Request,
        with handle: @Sendable (Destination, RequestHeaders, Trace) async throws -> Answer
    ) async -> Response {
        let start = clock.monotonicNanoseconds()
        metrics.inFlight.add(1)
        defer { metrics.inFlight.add(-1) }
        let headers = RequestHeaders(request.headers)
        let trace = Trace(headers, newID: newID)
        var endpoint: Route?
        let answer: Answer
        do {
            let destination = try Router.destination(method: request.method.name, path: request.path)
            endpoint = destination.endpoint
            answer = try await handle(destination, headers, trace)
        } catch {
            answer = Answer(Problem(catching: error), correlationID: trace.correlationID)
        }
        let duration = clock.monotonicNanoseconds() &- start
        metrics.count(endpoint, status: answer.status, problem: answer.problem?.code, nanoseconds: duration)
        if answer.isReplay { metrics.replays.increment() }
        if let items = answer.items { metrics.count(items) }
        log(answer, to: request, endpoint, trace, duration)
        return answer.response(trace)
    }

    /// Answers what the server refused before there was a request.
    func respond(to error: ProtocolError) -> Response {
        let trace = Trace(RequestHeaders(HTTPHeaders()), newID: newID)
        let answer = Answer(Problem(error), correlationID: trace.correlationID)
        metrics.count(nil, status: answer.status, problem: answer.problem?.code, nanoseconds: 0)
        // Strangers can make these by the thousand: even a 503 here is not worth an error line each.
        logger.debug(
            "request refused by the server",
            ["correlation_id": .string(trace.correlationID), "status": .int(error.status), "code": .string(error.code)])
        return answer.response(trace)
    }

    /// Every 5xx is an error, every other refusal information, every success a debug line: at a high rate one line a
    /// request would cost more than the request.
    private func log(
        _ answer: Answer, to request: Request, _ endpoint: Route?, _ trace: Trace, _ nanoseconds: UInt64
    ) {
        let level: Logger.Level =
            switch answer.status {
            case 500...: .error
            case 400...: .info
            default: answer.items?.failure == nil ? .debug : .error
            }
        guard logger.isEnabled(level) else { return }
        var fields: LogFields = [
            "request_id": .string(newID().text), "correlation_id": .string(trace.correlationID),
            "traceparent": .string(trace.traceParent), "method": .string(String(request.method.name.prefix(16))),
            "route": .string(endpoint.map { Router.template(of: $0).path } ?? "unknown"),
            "status": .int(answer.status), "duration": .milliseconds(.nanoseconds(Int64(clamping: nanoseconds))),
        ]
        if let problem = answer.problem ?? answer.items?.failure {
            fields["code"] = .string(problem.code.rawValue)
            if let cause = problem.cause { fields["cause"] = .string(cause) }
            if !problem.errors.isEmpty {
                fields["fields"] = .string(problem.errors.prefix(8).map(\.field).joined(separator: ","))
            }
        }
        if answer.isReplay { fields["replayed"] = .bool(true) }
        logger.log(level, "request answered", fields)
    }
}
