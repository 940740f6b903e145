/// How long to wait before trying again: at random between `minimum` and a ceiling that doubles with each failure up
/// to `maximum`, so that many who failed together do not return together.
public struct Backoff: Sendable {
    /// The shortest wait.
    public let minimum: Duration
    /// The first ceiling.
    public let base: Duration
    /// The last ceiling.
    public let maximum: Duration
    /// How many waits were handed out since the last success.
    public private(set) var attempts = 0
    private var random: SeededRandom

    /// Makes a back-off.
    ///
    /// - Parameters:
    ///   - base: the first ceiling.
    ///   - maximum: the last ceiling.
    ///   - minimum: the shortest wait, which keeps a loop from spinning.
    ///   - seed: makes the waits repeatable; nil takes a random one.
    public init(
        base: Duration = .milliseconds(50), maximum: Duration = .seconds(5), minimum: Duration = .milliseconds(5),
        seed: UInt64? = nil
    ) {
        precondition(.zero <= minimum && minimum <= base && base <= maximum, "minimum <= base <= maximum")
        self.minimum = minimum
        self.base = base
        self.maximum = maximum
        random = SeededRandom(seed: seed ?? UInt64.random(in: .min ... .max))
    }

    /// The next wait; counts as one more failure.
    public mutating func next() -> Duration {
        let ceiling = Self.ceiling(base: base.wholeNanoseconds, maximum: maximum.wholeNanoseconds, attempts: attempts)
        attempts += 1
        return .nanoseconds(Int64.random(in: minimum.wholeNanoseconds...ceiling, using: &random))
    }

    /// To be called after a success: the next failure begins with the first ceiling again.
    public mutating func reset() { attempts = 0 }

    private static func ceiling(base: Int64, maximum: Int64, attempts: Int) -> Int64 {
        let (grown, overflow) = base.multipliedReportingOverflow(by: 1 << Int64(min(attempts, 40)))
        return overflow ? maximum : min(grown, maximum)
    }
}

/// A small repeatable generator (SplitMix64) for tests, load and jitter. Not for secrets.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The same seed gives the same numbers.
    public init(seed: UInt64) { state = seed }

    /// The next number.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
