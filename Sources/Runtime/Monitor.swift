import Glibc

/// State behind a lock, with a condition that threads can wait for.
///
/// For threads the program owns: a waiting thread is blocked, so never wait on Swift's cooperative pool.
public final class Monitor<State: Sendable>: @unchecked Sendable {
    // Unchecked because the state sits behind a raw pointer; every access holds the mutex.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let state = UnsafeMutablePointer<State>.allocate(capacity: 1)

    /// Makes a monitor around `initial`.
    public init(_ initial: State) {
        state.initialize(to: initial)
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Waits must not stretch or shrink when somebody sets the wall clock.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        let failed = pthread_mutex_init(mutex, nil) | pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        precondition(failed == 0, "the system refuses a mutex")
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        state.deinitialize(count: 1)
        state.deallocate()
        mutex.deallocate()
        condition.deallocate()
    }

    /// Runs `body` with the lock held. Keep it short and never call out of it.
    public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state.pointee)
    }

    /// Wakes one waiting thread. Call it after `withLock`, not inside.
    public func wakeOne() { pthread_cond_signal(condition) }

    /// Wakes all waiting threads. Call it after `withLock`, not inside.
    public func wakeAll() { pthread_cond_broadcast(condition) }

    /// Blocks the calling thread until `ready` returns a value; it is asked at once, and after each wake-up.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most; `nil` waits without limit.
    ///   - ready: runs with the lock held.
    /// - Returns: what `ready` returned, or `nil` when the time ran out.
    public func wait<Result>(for timeout: Duration?, until ready: (inout State) -> Result?) -> Result? {
        var deadline = timespec()
        if let timeout { deadline = Self.deadline(after: timeout) }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = ready(&state.pointee) { return result }
            guard timeout != nil else {
                pthread_cond_wait(condition, mutex)
                continue
            }
            if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return ready(&state.pointee) }
        }
    }

    private static func deadline(after timeout: Duration) -> timespec {
        let now = Clock.system.monotonicNanoseconds()
        let (sum, overflow) = now.addingReportingOverflow(UInt64(max(0, timeout.wholeNanoseconds)))
        let at = overflow ? UInt64(Int64.max) : min(sum, UInt64(Int64.max))
        return timespec(tv_sec: Int(at / 1_000_000_000), tv_nsec: Int(at % 1_000_000_000))
    }
}
