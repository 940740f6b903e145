/// Counts of durations in nanoseconds, in buckets of less than one percent width (log-linear: every power of two is
/// divided into 128 equal parts), from 1 ns to about two hours, in a fixed 37 KB.
struct LatencyHistogram: Sendable {
    private static let subBits = 7
    private static let highestExponent = 43
    private static let bucketCount = (highestExponent - subBits + 1) << subBits

    private var counts = [UInt64](repeating: 0, count: bucketCount)
    /// Number of recorded durations.
    private(set) var count: UInt64 = 0
    /// The longest recorded duration, exactly; 0 when empty.
    private(set) var maximum: Int64 = 0

    mutating func record(_ nanoseconds: Int64) {
        let value = max(0, nanoseconds)
        counts[Self.bucket(of: value)] += 1
        count += 1
        if value > maximum { maximum = value }
    }

    mutating func merge(_ other: Self) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        maximum = max(maximum, other.maximum)
    }

    mutating func reset() {
        for index in counts.indices { counts[index] = 0 }
        count = 0
        maximum = 0
    }

    /// The duration that `fraction` (0...1) of all recorded ones do not exceed, to the width of a bucket; 0 when empty.
    func percentile(_ fraction: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let rank = min(count, max(1, UInt64((fraction * Double(count)).rounded(.up))))
        var seen: UInt64 = 0
        for index in counts.indices {
            seen += counts[index]
            if seen >= rank { return min(maximum, Self.upperBound(of: index)) }
        }
        return maximum
    }

    private static func bucket(of value: Int64) -> Int {
        let bounded = min(UInt64(value), (1 << UInt64(highestExponent)) - 1)
        guard bounded >> UInt64(subBits) != 0 else { return Int(bounded) }
        let exponent = 63 - bounded.leadingZeroBitCount
        let shift = exponent - subBits
        return (shift + 1) << subBits + Int(bounded >> UInt64(shift)) - (1 << subBits)
    }

    private static func upperBound(of bucket: Int) -> Int64 {
        guard bucket >> subBits != 0 else { return Int64(bucket) }
        let shift = bucket >> subBits - 1
        let part = Int64(bucket & (1 << subBits - 1) + 1 << subBits)
        return (part + 1) << Int64(shift) - 1
    }
}
