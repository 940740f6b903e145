/// How often work that comes in portions is taken up.
///
/// One large portion costs less than many small ones. So the longer a portion takes, the longer the next one gathers:
/// the work gets at most a tenth of the time, unless that made it ten times as rare.
public struct Cadence: Sendable {
    /// The time from one portion to the next while portions are small.
    public let shortest: Duration

    private static let share = 10
    private static let stretch = 10

    /// Portions come no faster than `shortest` apart, and no slower than ten times that.
    public init(shortest: Duration) {
        self.shortest = max(.zero, shortest)
    }

    /// From the beginning of a portion that took `work` to the beginning of the next one.
    public func interval(after work: Duration) -> Duration {
        min(max(shortest, work * Self.share), shortest * Self.stretch)
    }
}
