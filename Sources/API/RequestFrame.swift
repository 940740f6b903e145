import HTTPServer
import Ledger
import Observability
import Runtime

/// One request while it is being answered. A class, because this is what stays while the request waits for its lane or
/// for a reader: a task that waits then holds a reference or two, and hundreds of them fit into the processor's caches.
final class Visit: Sendable {
    let request: Request
    let headers: RequestHeaders
    let trace: Trace
    /// Where it goes, or why it goes nowhere.
    let destination: Result<Destination, Problem>
    /// Whether it asks for one operation of the ledger.
    let isOperation: Bool
    /// Monotonic nanoseconds.
    let began: UInt64

    init(_ request: Request, began: UInt64, newID: () -> RawUUID) {
        self.request = request
        self.began = began
        headers = RequestHeaders(request.headers)
        trace = Trace(headers, newID: newID)
        let destination = Result { () throws(Problem) in
            try Router.destination(method: request.method.name, path: request.path)
        }
        self.destination = destination
        isOperation = (try? destination.get())?.endpoint.operationKind != nil
    }
}

/// What every request goes through: its route, its ids, its line in the log and its place in the metrics. Nothing here
/// ends a request that takes long: everything it waits for, a lane or a pool, has a deadline of its own and knows what
/// became of the work.
final class RequestFrame: Sendable {
    let metrics: APIMetrics
    let logger: Logger
    let clock: Clock
    let newID: @Sendable () -> RawUUID

    init(metrics: APIMetrics, logger: Logger, clock: Clock, newID: @escaping @Sendable () -> RawUUID) {
        self.metrics = metrics
        self.logger = logger
        self.clock = clock
        self.newID = newID
    }

    // The functions are not inlined: what they need must not take room in the task that waits between them.

    /// Takes a request up.
    @inline(never)
    func begin(_ request: Request) -> Visit {
        Visit(request, began: clock.monotonicNanoseconds(), newID: newID)
    }

    /// The response to a request that failed.
    @inline(never)
    func end(_ visit: Visit, _ error: any Error) -> Response {
        end(visit, Answer(Problem(catching: error), correlationID: visit.trace.correlationID))
    }

    /// The response to a request.
    @inline(never)
    func end(_ visit: Visit, _ answer: consuming Answer) -> Response {
        let duration = clock.monotonicNanoseconds() &- visit.began
        let endpoint = try? visit.destination.get().endpoint
        metrics.count(endpoint, status: answer.status, problem: answer.problem?.code, nanoseconds: duration)
        if answer.isReplay { metrics.replays.increment() }
        if let items = answer.items { metrics.count(items) }
        log(answer, to: visit.request, endpoint, visit.trace, duration)
        return answer.response(visit.trace)
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
