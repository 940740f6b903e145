import Synchronization

/// Hands the C library a number instead of an object: a callback that comes late finds nothing and does nothing,
/// whereas a pointer to an object would have to outlive callbacks whose last one nobody announces.
final class CallbackTable<Target: AnyObject & Sendable>: Sendable {
    private struct State {
        var next = 1
        var targets: [Int: Target] = [:]
    }

    private let state = Mutex(State())

    /// Enters a target and returns what stands for it.
    func insert(_ target: Target) -> Int {
        state.withLock { state in
            let token = state.next
            state.next += 1
            state.targets[token] = target
            return token
        }
    }

    func remove(_ token: Int) {
        // The target is let go outside the lock: its end may come back here.
        _ = state.withLock { $0.targets.removeValue(forKey: token) }
    }

    /// The target of a callback's closure argument.
    func target(of context: UnsafeMutableRawPointer?) -> Target? {
        let token = Int(bitPattern: context)
        return state.withLock { $0.targets[token] }
    }

    static func context(_ token: Int) -> UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: token) }
}
