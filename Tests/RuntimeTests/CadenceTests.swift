import Testing

@testable import Runtime

@Suite struct CadenceTests {
    @Test(arguments: [
        // A small portion: as often as allowed.
        (work: 0, interval: 25), (work: 2, interval: 25),
        // A tenth of the time.
        (work: 3, interval: 30), (work: 12, interval: 120),
        // Never rarer than ten times the shortest.
        (work: 25, interval: 250), (work: 26, interval: 250), (work: 60_000, interval: 250),
    ])
    func theLongerAPortionTakesTheRarerTheyCome(work: Int, interval: Int) {
        let cadence = Cadence(shortest: .milliseconds(25), longest: .seconds(10))
        #expect(cadence.interval(after: .milliseconds(work)) == .milliseconds(interval))
    }

    @Test func withoutAShortestIntervalThereIsNone() {
        #expect(Cadence(shortest: .zero, longest: .seconds(1)).interval(after: .seconds(1)) == .zero)
        #expect(Cadence(shortest: .seconds(-1), longest: .seconds(1)).interval(after: .seconds(1)) == .zero)
    }

    @Test(arguments: [
        // Ten times the shortest would be more than the longest.
        (shortest: 100, work: 20, interval: 200), (shortest: 100, work: 500, interval: 250),
        // Whoever asks for more than the longest gets it, and no more.
        (shortest: 400, work: 1, interval: 400), (shortest: 400, work: 500, interval: 400),
    ])
    func theLongestIntervalIsABound(shortest: Int, work: Int, interval: Int) {
        let cadence = Cadence(shortest: .milliseconds(shortest), longest: .milliseconds(250))
        #expect(cadence.interval(after: .milliseconds(work)) == .milliseconds(interval))
    }
}
