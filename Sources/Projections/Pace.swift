import Runtime

/// Keeps work at a rate.
struct Pace {
    private let clock: Clock
    private var next: UInt64 = 0

    init(clock: Clock) { self.clock = clock }

    /// The pause to make after work of this cost, so that `rate` cost units are done each second.
    mutating func pause(after cost: Double, rate: Int) -> Duration {
        let now = clock.monotonicNanoseconds()
        // What was not used before is gone: no bursts after a pause.
        next = max(next, now - min(now, 100_000_000)) + UInt64(cost / Double(max(1, rate)) * 1e9)
        return next > now ? .nanoseconds(Int64(clamping: next - now)) : .zero
    }
}
