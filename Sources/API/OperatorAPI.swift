public import HTTPServer
import Ledger
public import Observability
public import Runtime
import Synchronization

/// Answers what operators and their machines ask a process: `/metrics`, `/v1/health`, `/v1/ready`. Both `api` and
/// `worker` serve it on a port of their own.
public final class OperatorAPI: Sendable {
    private let readiness: Readiness
    private let metrics: MetricsRegistry
    private let logger: Logger
    private let ids: UUIDv7Generator
    /// What was missing at the last look, so that a probe every second does not fill the log with the same line.
    private let missing = Mutex<String?>(nil)

    /// `readiness` is what `/v1/ready` asks, in this order.
    public init(
        readiness: [ReadinessCheck], metrics: MetricsRegistry, logger: Logger,
        clock: Clock = .system
    ) {
        self.readiness = Readiness(checks: readiness)
        self.metrics = metrics
        self.logger = logger
        ids = UUIDv7Generator(clock: clock)
    }

    /// Answers one request; never throws.
    public func respond(to request: Request) async -> Response {
        let trace = Trace(RequestHeaders(request.headers), newID: ids.next)
        let answer: Answer
        do {
            answer = try await self.answer(to: request)
        } catch {
            let error = Problem(catching: error)
            answer = Answer(error, correlationID: trace.correlationID)
            if answer.status >= 500 { note(missing: error.cause ?? error.detail) }
        }
        return answer.response(trace)
    }

    private func note(missing reason: String?) {
        let isNew = missing.withLock { last in
            defer { last = reason }
            return last != reason
        }
        guard isNew else { return }
        if let reason { logger.warning("not ready", ["cause": .string(reason)]) } else { logger.info("ready again") }
    }

    private func answer(to request: Request) async throws -> Answer {
        let path = request.path
        guard ["/metrics", "/v1/health", "/v1/ready"].contains(path) else {
            throw Problem(.routeNotFound, "There is no such route.")
        }
        guard request.method.name == "GET" || request.method.name == "HEAD" else {
            var problem = Problem(.methodNotAllowed, "This route knows GET, HEAD.")
            problem.allow = "GET, HEAD"
            throw problem
        }
        switch path {
        case "/metrics":
            var answer = Answer(status: 200, body: Array(metrics.text().utf8))
            answer.contentType = MetricsRegistry.contentType
            return answer
        case "/v1/health": return .status("alive")
        default:
            let answer = try await readiness.answer()
            note(missing: nil)
            return answer
        }
    }
}
