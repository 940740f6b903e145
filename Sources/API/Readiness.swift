/// One thing a process needs before it can do its work.
public struct ReadinessCheck: Sendable {
    /// How long a check may take: whoever asks waits that long at most, because all checks run side by side.
    public static let limit = Duration.seconds(2)

    /// The name shown to whoever asks, for example `database`.
    public let name: String
    /// Nil when all is well; otherwise the reason, which goes to the log and not to the answer.
    let reason: @Sendable () async -> String?

    /// A check that returns why it fails, or nil when all is well. It must give up by itself after `limit`.
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
        let reasons = await withTaskGroup(of: (Int, String?).self) { group in
            for (number, check) in checks.enumerated() { group.addTask { (number, await check.reason()) } }
            return await group.reduce(into: [String?](repeating: nil, count: checks.count)) { $0[$1.0] = $1.1 }
        }
        let missing = zip(checks, reasons).compactMap { check, reason in reason.map { (name: check.name, reason: $0) } }
        guard !missing.isEmpty else { return .status("ready") }
        let names = missing.map(\.name)
        var problem = Problem(.notReady, "Not ready: \(names.joined(separator: ", ")).")
        problem.members = .notReady(names)
        problem.retryAfter = 1
        problem.cause = missing.map { "\($0.name): \($0.reason)" }.joined(separator: "; ")
        throw problem
    }
}
