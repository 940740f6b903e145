import Events
public import Ledger
import Synchronization

/// Names a batch of operations, so that a repeat of the whole is recognisable.
public struct BatchIdentity: Hashable, Sendable {
    /// The batch's idempotency key; the keys of batches are apart from those of operations.
    public let key: IdempotencyKey
    /// The first 16 bytes of the SHA-256 of the batch's content.
    public let contentHash: UInt128

    /// An identity out of its parts.
    public init(key: IdempotencyKey, contentHash: UInt128) {
        self.key = key
        self.contentHash = contentHash
    }
}

/// What became of operations that were to be applied all or none.
public enum AtomicVerdict: Hashable, Sendable {
    /// All are applied; in order, each `applied` or a `replayed` application. `isReplay` when the batch's key found
    /// that the whole had been applied before.
    case applied([Decision.Verdict], isReplay: Bool)
    /// The operation at `index` was the first to be refused; none is applied.
    case refused(index: Int, Refusal, isReplay: Bool)
    /// The key belongs to a batch with other content.
    case keyReused
}

/// One operation on its way through a lane. A class, because it is handed on from array to array: one reference is
/// copied instead of every text inside.
final class PendingOperation: Sendable {
    /// How the operation ends for its caller.
    typealias Outcome = Result<Decision.Verdict, LedgerStoreError>

    /// Who waits for it. Continuations without checks, because a checked one is another piece of memory: what keeps
    /// them right is that the committer owns a batch until it answers or fails it, once.
    enum Answer: Sendable {
        case alone(UnsafeContinuation<Outcome, Never>)
        case member(BatchAnswers, place: Int)
    }

    let operation: Operation
    let origin: EventOrigin
    /// Monotonic nanoseconds; past it the operation is refused unless it was taken up already.
    let deadline: UInt64
    let answer: Answer

    init(operation: Operation, origin: EventOrigin, deadline: UInt64, answer: Answer) {
        self.operation = operation
        self.origin = origin
        self.deadline = deadline
        self.answer = answer
    }

    func resume(returning outcome: Outcome) {
        switch answer {
        case .alone(let continuation): continuation.resume(returning: outcome)
        case .member(let answers, let place): answers.put(outcome, at: place)
        }
    }
}

/// Operations that are applied all or none, on their way through a lane.
final class PendingGroup: Sendable {
    /// How the group ends for its caller.
    typealias Outcome = Result<AtomicVerdict, LedgerStoreError>

    let operations: [Operation]
    let identity: BatchIdentity?
    let origin: EventOrigin
    let deadline: UInt64
    let answer: UnsafeContinuation<Outcome, Never>

    init(
        operations: [Operation], identity: BatchIdentity?, origin: EventOrigin, deadline: UInt64,
        answer: UnsafeContinuation<Outcome, Never>
    ) {
        self.operations = operations
        self.identity = identity
        self.origin = origin
        self.deadline = deadline
        self.answer = answer
    }
}

/// What a lane's queue holds.
enum PendingWork: Sendable {
    case operation(PendingOperation)
    case group(PendingGroup)

    /// How many operations it is: what bounds and batches are measured in.
    var count: Int {
        switch self {
        case .operation: 1
        case .group(let group): max(1, group.operations.count)
        }
    }

    var deadline: UInt64 {
        switch self {
        case .operation(let pending): pending.deadline
        case .group(let group): group.deadline
        }
    }

    func fail(_ error: LedgerStoreError) {
        switch self {
        case .operation(let pending): pending.resume(returning: .failure(error))
        case .group(let group): group.answer.resume(returning: .failure(error))
        }
    }
}

/// Gathers the outcomes of operations that one caller waits for together.
final class BatchAnswers: Sendable {
    private struct State {
        var outcomes: [PendingOperation.Outcome]
        var missing: Int
    }

    private let state: Mutex<State>
    private let continuation: UnsafeContinuation<[PendingOperation.Outcome], Never>

    init(count: Int, _ continuation: UnsafeContinuation<[PendingOperation.Outcome], Never>) {
        state = Mutex(State(outcomes: Array(repeating: .failure(.unavailable), count: count), missing: count))
        self.continuation = continuation
    }

    /// The outcome of one operation; the last one that is put wakes the caller.
    func put(_ outcome: PendingOperation.Outcome, at place: Int) {
        let all = state.withLock { state -> [PendingOperation.Outcome]? in
            state.outcomes[place] = outcome
            state.missing -= 1
            return state.missing == 0 ? state.outcomes : nil
        }
        if let all { continuation.resume(returning: all) }
    }
}

/// How many operations wait in a lane's queue. Groups count as what they hold.
final class Admission: Sendable {
    private let bound: Int
    private let waiting = Atomic<Int>(0)

    init(bound: Int) { self.bound = max(1, bound) }

    var count: Int { waiting.load(ordering: .relaxed) }

    /// Takes room for `count` operations; false when they do not fit. More than the bound fit an empty queue: what is
    /// larger than the bound would never get in otherwise.
    func take(_ count: Int) -> Bool {
        var present = waiting.load(ordering: .relaxed)
        while present == 0 || present + count <= bound {
            let (taken, now) = waiting.compareExchange(
                expected: present, desired: present + count, ordering: .relaxed)
            if taken { return true }
            present = now
        }
        return false
    }

    func giveBack(_ count: Int) { waiting.subtract(count, ordering: .relaxed) }
}
