/// A condition did not come true in time.
public struct NeverHappened: Error, CustomStringConvertible {
    /// What was waited for.
    public let description: String
}

/// Asks a condition again and again until it is true.
///
/// - Parameters:
///   - limit: how long to ask.
///   - interval: how long to wait between two questions.
///   - what: what is waited for, for the error.
/// - Throws: `NeverHappened` when the time is over, or what the condition throws.
public func eventually(
    within limit: Duration = .seconds(20), every interval: Duration = .milliseconds(5),
    _ what: String = "the condition",
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while true {
        if try await condition() { return }
        guard ContinuousClock.now < end else { throw NeverHappened(description: "\(what): not within \(limit)") }
        try await Task.sleep(for: interval)
    }
}
