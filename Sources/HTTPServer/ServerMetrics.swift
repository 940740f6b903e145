import Observability

/// The server's own numbers; what requests cost by route is counted by the handler, which knows the routes.
struct ServerMetrics: Sendable {
    let open: Gauge
    let inFlight: Gauge
    let accepted: Counter
    let refused: Counter
    let lost: Counter
    private let errors: [Int: Counter]
    private let otherErrors: Counter

    init(_ registry: MetricsRegistry) {
        open = registry.gauge("wallet_http_connections", "Open connections.")
        inFlight = registry.gauge("wallet_http_requests_in_flight", "Requests that are being answered.")
        accepted = registry.counter("wallet_http_connections_accepted_total", "Connections accepted.")
        refused = registry.counter(
            "wallet_http_connections_refused_total", "Connections answered with 503 or closed because of the limit.")
        lost = registry.counter(
            "wallet_http_answers_dropped_total", "Answers whose connection was gone when they were ready.")
        func error(_ status: String) -> Counter {
            registry.counter(
                "wallet_http_protocol_errors_total", "Requests the server refused itself.", labels: ["status": status])
        }
        errors = Dictionary(
            uniqueKeysWithValues: [400, 408, 413, 414, 417, 431, 501, 503, 505].map { ($0, error("\($0)")) })
        otherErrors = error("other")
    }

    func countError(_ status: Int) {
        (errors[status] ?? otherErrors).increment()
    }
}
