import Runtime
import Synchronization
import Testing

@testable import Provisioning

/// How often events were refused is kept in bounded memory.
@Suite struct RefusalCountsTests {
    private static func message(_ sequence: UInt64, storedAt: Int64 = 1) -> RefusalCounts.Message {
        RefusalCounts.Message(sequence: sequence, storedAt: storedAt)
    }

    @Test func eachEventOfEachMessageIsCountedForItself() {
        let counts = RefusalCounts()
        #expect((1...3).map { _ in counts.add(Self.message(1), index: 0) } == [1, 2, 3])
        #expect(counts.add(Self.message(1), index: 7) == 1)
        #expect(counts.add(Self.message(2), index: 0) == 1)
        // A stream made anew.
        #expect(counts.add(Self.message(1, storedAt: 2), index: 0) == 1)
        #expect(counts.add(Self.message(1), index: 0) == 4)
        counts.forget(Self.message(1))
        #expect(counts.add(Self.message(1), index: 0) == 1)
    }

    @Test func whatDoesNotFitComesInWhenOthersAreDoneWith() {
        let hour = Atomic<UInt64>(1)
        let clock = Clock(
            wallMicroseconds: { 0 },
            monotonicNanoseconds: { hour.load(ordering: .relaxed) * 3_600_000_000_000 })
        let counts = RefusalCounts(messagesMax: 2, clock: clock)
        func refuse(_ sequence: UInt64) -> Int { counts.add(Self.message(sequence), index: 0) }
        #expect([refuse(1), refuse(2)] == [1, 1])
        // Those that are counted reach their bound whatever else is refused.
        #expect([refuse(3), refuse(3), refuse(1), refuse(2)] == [1, 1, 2, 2])
        counts.forget(Self.message(1))
        #expect([refuse(3), refuse(3), refuse(4), refuse(4)] == [1, 2, 1, 1])
        // Others were done with these long ago.
        hour.store(3, ordering: .relaxed)
        #expect([refuse(4), refuse(4), refuse(2)] == [1, 2, 1])
    }
}
