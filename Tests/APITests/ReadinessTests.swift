import Testing

@testable import API

@Suite struct ReadinessTests {
    /// None of the checks waits for another one, and each is named in its place.
    @Test(.timeLimit(.minutes(1))) func allAreAskedAtOnce() async throws {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let readiness = Readiness(checks: [
            ReadinessCheck(name: "first") {
                for await _ in begun { break }
                return "away"
            },
            ReadinessCheck(name: "second") { nil },
            ReadinessCheck(name: "third") {
                begin.yield()
                return "away, too"
            },
        ])
        let problem = await #expect(throws: Problem.self) { try await readiness.answer() }
        #expect(problem?.detail == "Not ready: first, third.")
        #expect(problem?.cause == "first: away; third: away, too")
    }
}
