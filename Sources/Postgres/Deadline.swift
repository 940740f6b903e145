internal import Glibc

/// A moment on the monotonic clock, in nanoseconds.
struct Deadline: Comparable, Sendable {
    let nanoseconds: Int64

    static var now: Deadline {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Deadline(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    }

    static func after(_ duration: Duration) -> Deadline {
        let (seconds, attoseconds) = duration.components
        // A century is as good as for ever, and cannot overflow.
        let bounded = min(max(seconds, 0), 3_155_760_000)
        let fraction = seconds < 0 ? 0 : attoseconds / 1_000_000_000
        return Deadline(nanoseconds: now.nanoseconds &+ bounded &* 1_000_000_000 &+ fraction)
    }

    static func < (left: Deadline, right: Deadline) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Whole milliseconds left, rounded up so that a wait never spins on its last fraction; 0 once it has passed.
    var remainingMilliseconds: Int32 {
        let left = nanoseconds &- Deadline.now.nanoseconds
        return left <= 0 ? 0 : Int32(clamping: (left &+ 999_999) / 1_000_000)
    }
}

extension Duration {
    /// Whole milliseconds, rounded up.
    var ceilingMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let fraction = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return seconds.multipliedReportingOverflow(by: 1000).overflow ? .max : seconds * 1000 + fraction
    }
}
