import Observability

/// The counters of the API. What every request touches is resolved up front.
struct APIMetrics: Sendable {
    private static let requestsName = "wallet_http_requests_total"
    private static let requestsHelp = "Requests by route, method and status."
    private static let refusalsHelp = "Answers that are not a success, by code."

    /// The counters of one route.
    private struct Counters: Sendable {
        let path: String
        let method: String
        let success: Counter
        let seconds: Histogram
    }

    let replays: Counter
    private let registry: MetricsRegistry
    private let routes: [Counters]
    private let refusals: [ProblemCode: Counter]

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        replays = registry.counter(
            "wallet_idempotent_replays_total", "Answers given again because the request was a repeat.")
        routes = Route.allCases.map { endpoint in
            let (method, path) = Router.template(of: endpoint)
            let success = endpoint.successStatus
            return Counters(
                path: path, method: method.rawValue,
                success: registry.counter(
                    APIMetrics.requestsName, APIMetrics.requestsHelp,
                    labels: ["route": path, "method": method.rawValue, "status": String(success)]),
                seconds: registry.histogram(
                    "wallet_http_request_seconds", "Time from a request's arrival at its route to its answer.",
                    labels: ["route": path, "method": method.rawValue]))
        }
        var refusals: [ProblemCode: Counter] = [:]
        for code in ProblemCode.allCases {
            refusals[code] = registry.counter(
                "wallet_problems_total", APIMetrics.refusalsHelp, labels: ["code": code.rawValue])
        }
        self.refusals = refusals
    }

    /// Counts what a batch's operations came to.
    func count(_ items: Answer.Items) {
        for (code, count) in items.problems { refusals[code]?.increment(by: count) }
        if items.replays > 0 { replays.increment(by: items.replays) }
    }

    /// Counts an answer. Requests for unknown routes share one label, so that strangers cannot make up labels.
    func count(_ endpoint: Route?, status: Int, problem: ProblemCode?, nanoseconds: UInt64) {
        if let problem { refusals[problem]?.increment() }
        guard let endpoint else {
            registry.counter(
                APIMetrics.requestsName, APIMetrics.requestsHelp,
                labels: ["route": "unknown", "method": "unknown", "status": String(status)]
            ).increment()
            return
        }
        let route = routes[endpoint.rawValue]
        route.seconds.observe(nanoseconds: Int(clamping: nanoseconds))
        if status == endpoint.successStatus {
            route.success.increment()
        } else {
            registry.counter(
                APIMetrics.requestsName, APIMetrics.requestsHelp,
                labels: ["route": route.path, "method": route.method, "status": String(status)]
            ).increment()
        }
    }
}
