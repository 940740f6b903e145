import Ledger
import Runtime
import Synchronization
import Testing

@Suite struct ClockTests {
    @Test func durationsInWholeUnits() {
        #expect(Duration.milliseconds(1500).wholeMilliseconds == 1500)
        #expect(Duration.microseconds(-1500).wholeMilliseconds == -1)
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
    }

    @Test func theMonotonicClockDoesNotFall() {
        let readings = (0..<1000).map { _ in Clock.system.monotonicNanoseconds() }
        #expect(readings == readings.sorted())
        // 2026-01-01: the wall clock counts from 1970.
        #expect(Clock.system.now() > Timestamp(microseconds: 1_767_225_600_000_000))
    }
}

@Suite struct UUIDv7Tests {
    private func clock(_ microseconds: @escaping @Sendable () -> Int64) -> Clock {
        Clock(wallMicroseconds: microseconds, monotonicNanoseconds: Clock.system.monotonicNanoseconds)
    }

    @Test func carriesTimeVersionAndVariant() {
        let generator = UUIDv7Generator(clock: clock { 1_645_557_742_000_123 })
        let bits = generator.nextBits()
        // The time of the example in RFC 9562, appendix A.6.
        #expect(bits >> 80 == 0x017F_22E2_79B0)
        #expect(bits >> 76 & 15 == 7)
        #expect(bits >> 62 & 3 == 2)
        #expect(generator.next().text.hasPrefix("017f22e2-79b0-7"))
    }

    @Test func growsWithinAMillisecondAndWhenTheClockFalls() {
        let time = Mutex<Int64>(1_000_000_000)
        let generator = UUIDv7Generator(clock: clock { time.withLock { $0 } })
        var before = generator.nextBits()
        for step in 0..<10000 {
            if step % 1000 == 0 { time.withLock { $0 += step % 2000 == 0 ? 5000 : -9000 } }
            let next = generator.nextBits()
            #expect(next > before)
            #expect(next >> 76 & 15 == 7 && next >> 62 & 3 == 2)
            before = next
        }
    }

    @Test func isUniqueBetweenThreads() async throws {
        let generator = UUIDv7Generator()
        async let left = runOnOwnThread("left") { (0..<20000).map { _ in generator.next() } }
        async let right = runOnOwnThread("right") { (0..<20000).map { _ in generator.next() } }
        let (first, second) = try await (left, right)
        let isOrdered = first == first.sorted() && second == second.sorted()
        #expect(isOrdered)
        #expect(Set(first + second).count == 40000)
    }
}

@Suite struct BackoffTests {
    @Test func growsToItsCapAndStartsOver() {
        var backoff = Backoff(base: .milliseconds(10), maximum: .milliseconds(80), minimum: .milliseconds(2), seed: 7)
        for round in 0..<2 {
            for attempt in 0..<100 {
                let wait = backoff.next()
                let ceiling = min(Duration.milliseconds(80), .milliseconds(10 << min(attempt, 20)))
                #expect(.milliseconds(2) <= wait && wait <= ceiling, "round \(round) attempt \(attempt)")
            }
            #expect(backoff.attempts == 100)
            backoff.reset()
        }
    }

    @Test func isRepeatableWithASeedAndSpread() {
        var (left, right) = (Backoff(seed: 3), Backoff(seed: 3))
        let waits = (0..<20).map { _ in left.next() }
        #expect(waits == (0..<20).map { _ in right.next() })
        #expect(Set(waits).count > 15)
    }

    @Test func matchesTheKnownSequence() {
        // The published first outputs of SplitMix64 for the seed 1234567.
        var random = SeededRandom(seed: 1_234_567)
        #expect(random.next() == 6_457_827_717_110_365_317)
        #expect(random.next() == 3_203_168_211_198_807_973)
    }
}
