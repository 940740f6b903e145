/// A first-in-first-out queue with a bound, between many producers and a thread that takes batches.
public final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State: Sendable {
        var items: [Element] = []
        var head = 0
        var isClosed = false
        /// How many elements the waiting taker wants before it is worth waking; zero when nobody waits.
        var wanted = 0

        var count: Int { items.count - head }
    }

    /// How many elements fit.
    public let capacity: Int
    private let monitor = Monitor(State())

    /// Makes an empty queue for at most `capacity` elements (at least one).
    public init(capacity: Int) {
        precondition(capacity > 0, "a queue needs room for one element")
        self.capacity = capacity
    }

    /// How many elements wait now.
    public var count: Int { monitor.withLock { $0.count } }

    /// Whether the queue is closed and everything in it was taken: the taker's time to end.
    public var isFinished: Bool { monitor.withLock { $0.isClosed && $0.count == 0 } }

    /// Appends an element.
    ///
    /// - Returns: whether it was taken in; `false` when the queue is full or closed.
    public func tryPush(_ element: Element) -> Bool {
        let (accepted, wake) = monitor.withLock { state in
            guard !state.isClosed, state.count < capacity else { return (false, false) }
            state.items.append(element)
            let wake = state.wanted > 0 && state.count >= state.wanted
            if wake { state.wanted = 0 }
            return (true, wake)
        }
        if wake { monitor.wakeOne() }
        return accepted
    }

    /// Appends all of some elements, or none.
    ///
    /// - Returns: whether they were taken in; `false` when they do not all fit or the queue is closed.
    public func tryPush(contentsOf elements: [Element]) -> Bool {
        guard !elements.isEmpty else { return true }
        let (accepted, wake) = monitor.withLock { state in
            guard !state.isClosed, capacity - state.count >= elements.count else { return (false, false) }
            state.items.append(contentsOf: elements)
            let wake = state.wanted > 0 && state.count >= state.wanted
            if wake { state.wanted = 0 }
            return (true, wake)
        }
        if wake { monitor.wakeOne() }
        return accepted
    }

    /// Refuses further elements; what is inside can still be taken. Wakes the taker.
    public func close() {
        monitor.withLock { state in
            state.isClosed = true
            state.wanted = 0
        }
        monitor.wakeAll()
    }

    /// Takes the oldest elements for as long as `isUnwanted` says so of them. May be called from any thread.
    ///
    /// - Parameter isUnwanted: runs with the lock held.
    public func takeFirst(while isUnwanted: (Element) -> Bool) -> [Element] {
        monitor.withLock { state in
            let end = state.items[state.head...].firstIndex { !isUnwanted($0) } ?? state.items.count
            return Self.take(to: end, from: &state)
        }
    }

    /// Takes the oldest elements, up to `limit`, blocking the calling thread while there is none. For one taker.
    ///
    /// - Parameters:
    ///   - limit: how many to take at most.
    ///   - timeout: how long to wait for the first element; `nil` waits without limit.
    ///   - linger: how long to wait for more once there is one.
    ///   - enough: ends the lingering early at this many elements.
    ///   - size: as how many an element counts against the limit, at least one; the first is taken whatever its size.
    ///     Runs with the lock held.
    /// - Returns: the elements in order; empty when the time ran out, or when the queue is finished.
    public func takeAll(
        max limit: Int, waitUpTo timeout: Duration?, linger: Duration = .zero, enough: Int = 1,
        size: (Element) -> Int = { _ in 1 }
    ) -> [Element] {
        precondition(limit > 0, "a batch has at least one element")
        let lingers = linger > .zero && enough > 1
        let first = monitor.wait(for: timeout) { state -> [Element]? in
            guard state.count > 0 else {
                state.wanted = 1
                return state.isClosed ? [] : nil
            }
            if lingers, state.count < min(enough, limit, capacity), !state.isClosed { return [] }
            return Self.take(limit, size, from: &state)
        }
        guard let first else { return [] }
        guard first.isEmpty, lingers else { return first }
        let goal = min(enough, limit, capacity)
        let batch = monitor.wait(for: linger) { state -> [Element]? in
            guard state.count >= goal || state.isClosed else {
                state.wanted = goal
                return nil
            }
            return Self.take(limit, size, from: &state)
        }
        return batch ?? monitor.withLock { Self.take(limit, size, from: &$0) }
    }

    private static func take(_ limit: Int, _ size: (Element) -> Int, from state: inout State) -> [Element] {
        state.wanted = 0
        var end = state.head
        var room = limit
        while end < state.items.count {
            room -= size(state.items[end])
            guard room >= 0 || end == state.head else { break }
            end += 1
        }
        return take(to: end, from: &state)
    }

    private static func take(to end: Int, from state: inout State) -> [Element] {
        guard end > state.head else { return [] }
        if state.head == 0, end == state.items.count {
            var taken: [Element] = []
            taken.reserveCapacity(min(end, 64))
            swap(&taken, &state.items)
            return taken
        }
        let batch = Array(state.items[state.head..<end])
        state.head = end
        // Moving the rest to the front costs at most as much as was taken since the last move.
        if state.head * 2 >= state.items.count {
            state.items.removeFirst(state.head)
            state.head = 0
        }
        return batch
    }
}
