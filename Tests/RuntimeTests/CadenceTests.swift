import Testing

@testable import Runtime

@Suite struct CadenceTests {
    @Test(arguments: [
        // A small portion: as often as allowed.
        (work: 0, interval: 25), (work: 2, interval: 25),
        // A tenth of the time.
        (work: 3, interval: 30), (work: 12, interval: 120),
        // Never rarer than this.
        (work: 25, interval: 250), (work: 26, interval: 250), (work: 60_000, interval: 250),
    ])
    func theLongerAPortionTakesTheRarerTheyCome(work: Int, interval: Int) {
        let cadence = Cadence(shortest: .milliseconds(25))
        #expect(cadence.interval(after: .milliseconds(work)) == .milliseconds(interval))
    }

    @Test func withoutAShortestIntervalThereIsNone() {
        #expect(Cadence(shortest: .zero).interval(after: .seconds(1)) == .zero)
        #expect(Cadence(shortest: .seconds(-1)).interval(after: .seconds(1)) == .zero)
    }
}
