import Runtime
import Synchronization

/// Bounds how long callers wait for work that cannot be cancelled.
///
/// One task looks through the waiting calls ten times a second while there are any, which costs far less than a timer
/// for each of them.
final class Deadlines: Sendable {
    /// What the work comes to.
    typealias Outcome = Result<Answer, Problem>

    /// Gives its caller one answer: the work's, or nil when the time was over first.
    private final class Race: Sendable {
        private struct State: Sendable {
            var isFinished = false
            var outcome: Outcome?
            var waiting: CheckedContinuation<Void, Never>?
        }

        private let state = Mutex(State())

        func finish(_ outcome: Outcome?) {
            let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard !state.isFinished else { return nil }
                state.isFinished = true
                state.outcome = outcome
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume()
        }

        var isFinished: Bool { state.withLock { $0.isFinished } }

        /// The outcome; nil when the time was over.
        var outcome: Outcome? { state.withLock { $0.outcome } }

        /// Suspends until somebody has called `finish`.
        func wait() async {
            await withCheckedContinuation { continuation in
                let isFinished = state.withLock { state in
                    if !state.isFinished { state.waiting = continuation }
                    return state.isFinished
                }
                if isFinished { continuation.resume() }
            }
        }
    }

    private struct Waiter: Sendable {
        let until: UInt64
        let giveUp: @Sendable () -> Void
    }

    private struct State: Sendable {
        var waiters: [UInt64: Waiter] = [:]
        var nextID: UInt64 = 0
        var isWatched = false
    }

    private static let tick = Duration.milliseconds(100)

    private let limit: UInt64
    private let clock: Clock
    private let state = Mutex(State())

    /// Every call gets the same `limit`.
    init(limit: Duration, clock: Clock) {
        self.limit = UInt64(max(0, limit.wholeNanoseconds))
        self.clock = clock
    }

    /// Runs `work` and returns its result, or nil when the time is over; the work then goes on unheard.
    /// The work starts at once on the caller's executor and stays there.
    func bounded(_ work: @escaping @Sendable () async -> Outcome) async -> Outcome? {
        let race = Race()
        let executor = withUnsafeCurrentTask { $0?.unownedTaskExecutor }?.asTaskExecutor()
        Task.immediate(executorPreference: executor) { race.finish(await work()) }
        if !race.isFinished {
            let id = register { race.finish(nil) }
            await race.wait()
            state.withLock { state in _ = state.waiters.removeValue(forKey: id) }
        }
        return race.outcome
    }

    private func register(_ giveUp: @escaping @Sendable () -> Void) -> UInt64 {
        let until = clock.monotonicNanoseconds() &+ limit
        let (id, mustWatch) = state.withLock { state in
            state.nextID += 1
            state.waiters[state.nextID] = Waiter(until: until, giveUp: giveUp)
            defer { state.isWatched = true }
            return (state.nextID, !state.isWatched)
        }
        if mustWatch { Task { await self.watch() } }
        return id
    }

    /// Ends the calls whose time is over, until nobody waits.
    private func watch() async {
        while true {
            try? await Task.sleep(for: Deadlines.tick)
            let now = clock.monotonicNanoseconds()
            let (late, isDone) = state.withLock { state in
                let late = state.waiters.values.filter { $0.until <= now }
                if state.waiters.isEmpty { state.isWatched = false }
                return (late, state.waiters.isEmpty)
            }
            for waiter in late { waiter.giveUp() }
            if isDone { return }
        }
    }
}
