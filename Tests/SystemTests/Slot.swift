import Synchronization

/// A place for one value that several threads may look at and change.
final class Slot<Value: Sendable>: Sendable {
    private let state = Mutex<Value?>(nil)

    var value: Value? {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }

    /// The value, made now when there is none.
    func valueOrSet(_ make: () -> Value) -> Value {
        state.withLock { value in
            if let value { return value }
            let made = make()
            value = made
            return made
        }
    }
}
