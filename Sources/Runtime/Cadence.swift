/// How often work that comes in portions is taken up.
///
/// One large portion costs less than many small ones. So the longer a portion takes, the longer the next one gathers:
/// the work gets a tenth of the time, until it has become as rare as it may.
public struct Cadence: Sendable {
    private let shortest: Duration
    private let longest: Duration

    private static let share = 10
    private static let stretch = 10

    /// Portions come no faster than `shortest` apart, and no slower than `longest` or ten times `shortest`, whichever
    /// is less. A `shortest` above `longest` stands as it is.
    public init(shortest: Duration, longest: Duration) {
        self.shortest = max(.zero, shortest)
        self.longest = max(self.shortest, min(longest, self.shortest * Self.stretch))
    }

    /// From the beginning of a portion that took `work` to the beginning of the next one.
    public func interval(after work: Duration) -> Duration {
        min(max(shortest, work * Self.share), longest)
    }
}
