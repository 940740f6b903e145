import Synchronization

/// A flag that is raised once and stays up: "stop now". Threads poll it or block on it, tasks await it.
public final class StopSignal: Sendable {
    private struct State: Sendable {
        var nextID: UInt64 = 0
        var continuations: [UInt64: CheckedContinuation<Void, Never>] = [:]
        /// Waiters that were woken before they began to wait.
        var released: Set<UInt64> = []
        var actions: [@Sendable () -> Void] = []
    }

    private let flag = Atomic<Bool>(false)
    private let monitor = Monitor(State())

    /// Makes a signal that is not raised.
    public init() {}

    /// Whether `stop()` was called. Cheap enough to ask in every turn of a loop.
    public var isStopped: Bool { flag.load(ordering: .acquiring) }

    /// Raises the signal and wakes everybody who waits. Calling it again does nothing.
    public func stop() {
        let (continuations, actions) = monitor.withLock { state in
            // Raised under the lock, so nobody can register between the flag and the wake-up.
            flag.store(true, ordering: .releasing)
            defer { state = State(nextID: state.nextID) }
            return (Array(state.continuations.values), state.actions)
        }
        monitor.wakeAll()
        for action in actions { action() }
        for continuation in continuations { continuation.resume() }
    }

    /// Runs `action` once when the signal is raised: on the thread that raises it, or at once when it is up already.
    /// For waking something that blocks elsewhere (an eventfd, a queue).
    public func onStop(_ action: @escaping @Sendable () -> Void) {
        let runNow = monitor.withLock { state in
            guard !isStopped else { return true }
            state.actions.append(action)
            return false
        }
        if runNow { action() }
    }

    /// Blocks the calling thread until the signal is raised or the time is over. Only for threads the program owns.
    ///
    /// - Parameter timeout: how long to wait at most; `nil` waits without limit.
    /// - Returns: whether the signal is raised.
    @available(*, noasync, message: "blocks the thread; in a task use `await wait()`")
    @discardableResult
    public func wait(for timeout: Duration? = nil) -> Bool {
        if isStopped { return true }
        return monitor.wait(for: timeout) { _ in isStopped ? true : nil } ?? false
    }

    /// Suspends until the signal is raised or the task is cancelled.
    public func wait() async {
        if isStopped { return }
        await wait(as: newID())
    }

    /// Suspends for `duration`, or less when the signal is raised or the task is cancelled.
    public func pause(for duration: Duration) async {
        if isStopped || duration <= .zero { return }
        let id = newID()
        let timer = Task {
            try? await Task.sleep(for: duration)
            if !Task.isCancelled { self.release(id) }
        }
        await wait(as: id)
        timer.cancel()
    }

    private func newID() -> UInt64 {
        monitor.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    private func wait(as id: UInt64) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let resumeNow = monitor.withLock { state in
                    if isStopped || state.released.remove(id) != nil { return true }
                    state.continuations[id] = continuation
                    return false
                }
                if resumeNow { continuation.resume() }
            }
        } onCancel: {
            release(id)
        }
        monitor.withLock { state in _ = state.released.remove(id) }
    }

    /// Wakes one waiter, or has it not wait at all when it has not begun yet.
    private func release(_ id: UInt64) {
        let waiting = monitor.withLock { state -> CheckedContinuation<Void, Never>? in
            if let waiting = state.continuations.removeValue(forKey: id) { return waiting }
            if !isStopped { state.released.insert(id) }
            return nil
        }
        waiting?.resume()
    }
}
