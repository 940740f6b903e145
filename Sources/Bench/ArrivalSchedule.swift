import Glibc

/// A small fast generator (SplitMix64): the same choices for the same seed.
struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// Even in 0..<bound by multiplication; its bias of bound / 2^64 does not matter to a load.
    mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// Even in 0..<1.
    mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// The intended send times of one thread's open loop. They depend on the rate alone and never on the answers: a request
/// that has to wait for a free connection keeps its intended time, and its latency counts from there.
struct ArrivalSchedule: Sendable {
    private let kind: BenchSchedule
    private let gap: Double
    private var random: SeededGenerator
    private var time: Double

    /// `rate` per second, from `start` (nanoseconds); `offset` in 0..<1 staggers the threads' fixed schedules.
    init(_ kind: BenchSchedule, rate: Double, start: Int64, offset: Double, seed: UInt64) {
        self.kind = kind
        gap = 1e9 / rate
        random = SeededGenerator(seed: seed)
        time = Double(start)
        time += kind == .fixed ? gap * offset : exponentialGap()
    }

    /// The next intended time in nanoseconds.
    var next: Int64 { Int64(time) }

    mutating func advance() {
        time += kind == .fixed ? gap : exponentialGap()
    }

    private mutating func exponentialGap() -> Double {
        -log(1 - random.fraction()) * gap
    }
}
