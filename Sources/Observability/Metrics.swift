import Synchronization

/// A number that only grows. Counting is one atomic addition.
public final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    init() {}

    /// Adds to the counter; nothing negative.
    public func increment(by amount: Int = 1) {
        assert(amount >= 0, "a counter never falls")
        value.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The count so far.
    public var current: Int { value.load(ordering: .relaxed) }
}

/// A number that goes up and down.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(Double(0).bitPattern)

    init() {}

    /// Replaces the value.
    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// Replaces the value.
    public func set(_ value: Int) { set(Double(value)) }

    /// Adds to the value, or subtracts.
    public func add(_ amount: Double) {
        var seen = bits.load(ordering: .relaxed)
        while true {
            let sum = Double(bitPattern: seen) + amount
            let (exchanged, original) = bits.weakCompareExchange(
                expected: seen, desired: sum.bitPattern, ordering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }

    /// Adds to the value, or subtracts.
    public func add(_ amount: Int) { add(Double(amount)) }

    /// The value now.
    public var current: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// Counts how often values fell into fixed ranges. Observing is a short search and two atomic additions.
public final class Histogram: @unchecked Sendable {
    // Unchecked because of the pointer; its cells are atomics and it never changes.
    /// The upper bounds of the ranges and the unit in which values are kept.
    public struct Buckets: Sendable {
        /// The upper bounds as shown, ascending; the range above the last one is added.
        let bounds: [Double]
        /// How many kept units one shown unit has: 1e9 for seconds kept in nanoseconds.
        let scale: Double

        /// Seconds from 0.1 ms to 10 s, kept in nanoseconds.
        public static let seconds = Buckets(
            bounds: [
                0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25,
                0.5, 1, 2.5, 5, 10,
            ], scale: 1e9)

        /// Counts from 1 to 5,000 and more: batch sizes.
        public static let counts = Buckets(
            bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096], scale: 1)

        /// Seconds with bounds of one's own, ascending.
        public static func seconds(_ bounds: [Double]) -> Buckets { Buckets(bounds: bounds, scale: 1e9) }

        /// Counts with bounds of one's own, ascending.
        public static func counts(_ bounds: [Int]) -> Buckets { Buckets(bounds: bounds.map(Double.init), scale: 1) }

        private init(bounds: [Double], scale: Double) {
            precondition(!bounds.isEmpty && zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds must ascend")
            self.bounds = bounds
            self.scale = scale
        }
    }

    /// What a histogram held at one moment.
    public struct Snapshot: Sendable {
        /// The upper bounds of the ranges; the last range has none.
        public let bounds: [Double]
        /// How many values fell into each range, the one above the last bound included.
        public let counts: [Int]
        /// The sum of all values in the shown unit.
        public let sum: Double
        /// How many values there were.
        public var count: Int { counts.reduce(0, +) }
    }

    let buckets: Buckets
    private let limits: [Int]
    private let cells: UnsafeMutablePointer<Atomic<Int>>
    private let sum = Atomic<Int>(0)

    init(_ buckets: Buckets) {
        self.buckets = buckets
        limits = buckets.bounds.map { Int(($0 * buckets.scale).rounded()) }
        cells = .allocate(capacity: limits.count + 1)
        for index in 0...limits.count { (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        cells.deinitialize(count: limits.count + 1)
        cells.deallocate()
    }

    /// Records a duration; for histograms of seconds.
    public func observe(nanoseconds: Int) { record(nanoseconds) }

    /// Records a duration; for histograms of seconds.
    public func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        record(overflow ? Int.max / 2 : Int(scaled) + Int(attoseconds / 1_000_000_000))
    }

    /// Records a number; for histograms of counts.
    public func observe(count: Int) { record(count) }

    /// The contents now. Values recorded meanwhile may be in `counts` and not in `sum`, or the other way round.
    public var current: Snapshot {
        Snapshot(
            bounds: buckets.bounds,
            counts: (0...limits.count).map { (cells + $0).pointee.load(ordering: .relaxed) },
            sum: Double(sum.load(ordering: .relaxed)) / buckets.scale)
    }

    private func record(_ value: Int) {
        let value = max(0, value)
        var index = 0
        while index < limits.count, value > limits[index] { index += 1 }
        (cells + index).pointee.wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(value, ordering: .relaxed)
    }
}
