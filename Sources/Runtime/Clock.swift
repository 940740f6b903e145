import Glibc
public import Ledger

/// Where a component gets the time from, so that tests can give it another one.
public struct Clock: Sendable {
    /// Microseconds since 1970-01-01 00:00 UTC; may jump when the machine's clock is set.
    public var wallMicroseconds: @Sendable () -> Int64
    /// Nanoseconds since some fixed moment; never goes backwards. For durations and deadlines.
    public var monotonicNanoseconds: @Sendable () -> UInt64

    /// Makes a clock from its two readings.
    public init(
        wallMicroseconds: @escaping @Sendable () -> Int64,
        monotonicNanoseconds: @escaping @Sendable () -> UInt64
    ) {
        self.wallMicroseconds = wallMicroseconds
        self.monotonicNanoseconds = monotonicNanoseconds
    }

    /// The wall clock's time as a timestamp.
    public func now() -> Timestamp { Timestamp(microseconds: wallMicroseconds()) }

    /// Appends a wall clock reading as RFC 3339 in UTC with microseconds.
    public static func appendRFC3339(microseconds: Int64, to bytes: inout [UInt8]) {
        Timestamp(microseconds: microseconds).append(to: &bytes)
    }

    /// The machine's clocks.
    public static let system = Clock(
        wallMicroseconds: {
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
        },
        monotonicNanoseconds: {
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
        })
}

extension Duration {
    /// The duration in nanoseconds, rounded towards zero and clamped to what fits (292 years).
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowOfSum) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard overflow || overflowOfSum else { return sum }
        return seconds < 0 ? .min : .max
    }

    /// The duration in milliseconds, rounded towards zero.
    public var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }
}
