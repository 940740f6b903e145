/// One thing a process needs before it can do its work.
public struct ReadinessCheck: Sendable {
    /// The name shown to whoever asks, for example `database`.
    public let name: String
    /// Nil when all is well; otherwise the reason, which goes to the log and not to the answer.
    let reason: @Sendable () async -> String?

    /// A check that returns why it fails, or nil when all is well. It must have a deadline of its own.
    public init(name: String, reason: @escaping @Sendable () async -> String?) {
        self.name = name
        self.reason = reason
    }
}

/// Whether the process can do its work.
struct Readiness: Sendable {
    let checks: [ReadinessCheck]

    /// 200, or 503 naming what is missing.
    func answer() async throws -> Answer {
        var missing: [String] = []
        var reasons: [String] = []
        for check in checks {
            guard let reason = await check.reason() else { continue }
            missing.append(check.name)
            reasons.append("\(check.name): \(reason)")
        }
        guard !missing.isEmpty else { return .status("ready") }
        var problem = Problem(.notReady, "Not ready: \(missing.joined(separator: ", ")).")
        problem.members = .notReady(missing)
        problem.retryAfter = 1
        problem.cause = reasons.joined(separator: "; ")
        throw problem
    }
}
