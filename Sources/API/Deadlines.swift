import Runtime
import Synchronization

/// Bounds how long callers wait for work that cannot be cancelled.
///
/// One task looks through the waiting calls ten times a second while there are any, which costs far less than a timer
/// for each of them.
final class Deadlines: Sendable {
    /// Gives its caller one answer: the work's, or nil when the time was over first.
    private final class Race<Value: Sendable>: Sendable {
        private enum State: Sendable {
            case running
            case waiting(CheckedContinuation<Value?, Never>)
            case finished(Value?)
        }

        private let state = Mutex(State.running)

        func finish(_ value: Value?) {
            let waiting = state.withLock { state -> CheckedContinuation<Value?, Never>? in
                switch state {
                case .finished: return nil
                case .running:
                    state = .finished(value)
                    return nil
                case .waiting(let continuation):
                    state = .finished(value)
                    return continuation
                }
            }
            waiting?.resume(returning: value)
        }

        /// The answer when there is one already; otherwise the caller has to wait.
        var early: Value?? {
            state.withLock { state in
                if case .finished(let value) = state { return .some(value) }
                return nil
            }
        }

        func wait() async -> Value? {
            await withCheckedContinuation { continuation in
                let finished = state.withLock { state -> Value?? in
                    if case .finished(let value) = state { return .some(value) }
                    state = .waiting(continuation)
                    return nil
                }
                if let finished { continuation.resume(returning: finished) }
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
    func bounded<Value: Sendable>(_ work: @escaping @Sendable () async -> Value) async -> Value? {
        let race = Race<Value>()
        let executor = withUnsafeCurrentTask { $0?.unownedTaskExecutor }?.asTaskExecutor()
        Task.immediate(executorPreference: executor) { race.finish(await work()) }
        if let early = race.early { return early }
        let id = register { race.finish(nil) }
        let value = await race.wait()
        state.withLock { state in _ = state.waiters.removeValue(forKey: id) }
        return value
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
