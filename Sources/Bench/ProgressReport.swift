import Synchronization

/// Counters that all sending threads add to, for the line of progress.
final class LoadProgress: Sendable {
    let accepted = Atomic<Int>(0)
    let refused = Atomic<Int>(0)
    let lost = Atomic<Int>(0)
}

/// The line of each second, printed by the first sending thread.
struct ProgressReport: Sendable {
    /// Latencies of this thread's answers since the last line.
    var interval = LatencyHistogram()
    private let output: @Sendable (String) -> Void
    private let start: Int64
    private var next: Int64
    private var last = (accepted: 0, refused: 0, lost: 0)

    init(start: Int64, output: @escaping @Sendable (String) -> Void) {
        self.start = start
        self.output = output
        next = start + 1_000_000_000
    }

    mutating func tick(at now: Int64, inFlight: Int, progress: LoadProgress) {
        guard now >= next else { return }
        let seconds = Double(now - next + 1_000_000_000) / 1e9
        next = now + 1_000_000_000
        let total = (
            accepted: progress.accepted.load(ordering: .relaxed), refused: progress.refused.load(ordering: .relaxed),
            lost: progress.lost.load(ordering: .relaxed)
        )
        output(
            """
            \((now - start) / 1_000_000_000) s  accepted \(Int(Double(total.accepted - last.accepted) / seconds))/s  \
            p50 \(BenchReport.milliseconds(interval.percentile(0.5))) ms  \
            p99 \(BenchReport.milliseconds(interval.percentile(0.99))) ms  refused \(total.refused - last.refused)  \
            lost \(total.lost - last.lost)  in flight \(inFlight)
            """)
        last = total
        interval.reset()
    }
}
