import Ledger
import Observability
import Runtime
import Synchronization
import Testing

@testable import Projections

/// How far behind the projections are, by what can be known of it.
@Suite struct LagGaugeTests {
    /// A gauge whose clock and outbox stand still until they are told otherwise.
    private final class Bench: Sendable {
        let registry = MetricsRegistry()
        let second = Atomic<Int>(100)
        let unpublished = Atomic<Int>(0)

        func gauge() -> LagGauge {
            let clock = Clock(
                wallMicroseconds: { Int64(self.second.load(ordering: .relaxed)) * 1_000_000 },
                monotonicNanoseconds: { UInt64(self.second.load(ordering: .relaxed)) * 1_000_000_000 })
            return LagGauge(clock: clock, registry) { Double(self.unpublished.load(ordering: .relaxed)) }
        }

        func pass(_ seconds: Int) { second.add(seconds, ordering: .relaxed) }

        var told: Double { registry.gauge("wallet_projection_lag_seconds", "").current }
    }

    @Test func whatIsLeftInTheStreamGetsOlder() {
        let bench = Bench()
        let gauge = bench.gauge()
        #expect(gauge.current == nil)
        gauge.looked(left: 0)
        #expect(gauge.current == ProjectionLag(messages: 0, events: 0, seconds: 0))
        bench.pass(7)
        gauge.looked(left: 3)
        #expect(gauge.current == ProjectionLag(messages: 3, events: 3, seconds: 7))
        gauge.applied(messages: 1, events: 1, newest: Timestamp(microseconds: 105_000_000))
        gauge.looked(left: 2)
        #expect(gauge.current?.seconds == 2 && bench.told == 2)
    }

    @Test func theOutboxCountsWhenItIsOlder() {
        let bench = Bench()
        let gauge = bench.gauge()
        bench.unpublished.store(40, ordering: .relaxed)
        gauge.looked(left: 0)
        #expect(gauge.current == ProjectionLag(messages: 0, events: 0, seconds: 40) && bench.told == 40)
        bench.unpublished.store(5, ordering: .relaxed)
        bench.pass(6)
        gauge.looked(left: 1)
        #expect(gauge.current?.seconds == 6)
    }

    @Test func itGrowsWhileTheConsumerCannotBeAsked() {
        let bench = Bench()
        let gauge = bench.gauge()
        bench.pass(3)
        // Never seen: told, but nothing to rely on.
        gauge.looked(left: nil)
        #expect(gauge.current == nil && bench.told == 3)
        gauge.looked(left: 4)
        bench.pass(10)
        gauge.looked(left: nil)
        #expect(gauge.current == ProjectionLag(messages: 4, events: 4, seconds: 13))
        gauge.looked(left: 0)
        bench.pass(10)
        gauge.looked(left: nil)
        #expect(gauge.current == ProjectionLag(messages: 0, events: 0, seconds: 10) && bench.told == 10)
        gauge.looked(left: 0)
        #expect(gauge.current?.seconds == 0)
    }
}
