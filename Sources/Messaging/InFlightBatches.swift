import Synchronization

/// The batches that wait for acks. Each is answered exactly once.
final class InFlightBatches: Sendable {
    typealias Answer = CheckedContinuation<[PublishResult], Never>

    private struct Batch {
        var results: [PublishResult?]
        var missing: Int
        let continuation: Answer
    }

    private struct State {
        var next: UInt64 = 1
        var inFlight = 0
        var batches: [UInt64: Batch] = [:]
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// How many messages wait for their ack.
    var inFlight: Int { state.withLock { $0.inFlight } }

    /// Enters a batch and who waits for it, before its first message is sent.
    ///
    /// - Returns: its number; nil when it does not fit now, and then nobody will be answered.
    func register(_ size: Int, _ continuation: Answer) -> UInt64? {
        state.withLock { state in
            guard state.inFlight + size <= limit else { return nil }
            let id = state.next
            state.next += 1
            state.inFlight += size
            state.batches[id] = Batch(
                results: Array(repeating: nil, count: size), missing: size, continuation: continuation)
            return id
        }
    }

    func isOpen(_ id: UInt64) -> Bool { state.withLock { $0.batches[id] != nil } }

    /// Takes the fate of one message in. The first answer counts; answers to unknown batches are late and ignored.
    func answer(_ id: UInt64, _ index: Int, _ result: PublishResult) {
        let ended = state.withLock { state -> Batch? in
            guard Self.isMissing(index, state.batches[id]) else { return nil }
            state.batches[id]?.results[index] = result
            state.batches[id]?.missing -= 1
            return state.batches[id]?.missing == 0 ? Self.remove(id, from: &state) : nil
        }
        resume(ended, otherwise: .unknown)
    }

    /// Ends a batch; what has no answer gets `otherwise`.
    func finish(_ id: UInt64, otherwise: PublishResult = .unknown) {
        resume(state.withLock { Self.remove(id, from: &$0) }, otherwise: otherwise)
    }

    /// Ends all batches: their acks will not come.
    func connectionLost() {
        let ended = state.withLock { state in
            let all = Array(state.batches.values)
            state.batches.removeAll()
            state.inFlight = 0
            return all
        }
        for batch in ended { resume(batch, otherwise: .unknown) }
    }

    private static func isMissing(_ index: Int, _ batch: Batch?) -> Bool {
        guard let batch, batch.results.indices.contains(index) else { return false }
        return batch.results[index] == nil
    }

    private static func remove(_ id: UInt64, from state: inout State) -> Batch? {
        guard let batch = state.batches.removeValue(forKey: id) else { return nil }
        state.inFlight -= batch.results.count
        return batch
    }

    private func resume(_ batch: Batch?, otherwise: PublishResult) {
        guard let batch else { return }
        batch.continuation.resume(returning: batch.results.map { $0 ?? otherwise })
    }
}
