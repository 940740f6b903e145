/// One client's connection: owned by its loop's thread and touched by no other.
final class Connection {
    /// What the connection's timer measures.
    enum Phase {
        /// Between requests, or new.
        case idle
        case head
        case body
        /// A handler is at work: it has its own deadline.
        case handling
        /// The client is slow in reading its answer.
        case writing
        /// The last answer is out; waiting for the client to close, so that a reset does not destroy the answer.
        case lingering
    }

    let descriptor: Int32
    /// Tells this connection from earlier ones on the same descriptor.
    let generation: UInt32
    let remoteAddress: String

    var assembler: RequestAssembler
    /// Received bytes that could not be used yet: half a head, or pipelined requests.
    var buffer: [UInt8] = []
    var output: [UInt8] = []
    var outputSent = 0
    var framing = ResponseFraming()
    /// Whether a request is with its handler.
    var isInFlight = false
    /// Whether the socket may hold unread bytes; it is registered edge-triggered, so this must be remembered.
    var isReadable = false
    /// Whether the client has closed its side. Its answers are still written.
    var isPeerClosed = false
    var isFresh = true
    var closesAfterOutput = false
    /// Body bytes that count against the server's budget.
    var countedBodyBytes = 0
    var discarded = 0
    private(set) var phase = Phase.idle
    /// When the phase began or last made progress; monotonic nanoseconds.
    private(set) var since: UInt64

    init(descriptor: Int32, generation: UInt32, remoteAddress: String, limits: RequestLimits, now: UInt64) {
        self.descriptor = descriptor
        self.generation = generation
        self.remoteAddress = remoteAddress
        assembler = RequestAssembler(limits: limits)
        since = now
    }

    /// Generation and descriptor in one word.
    var token: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor)) }

    /// Whether received bytes may be turned into a request now: one at a time, and none after the last.
    var acceptsInput: Bool { !isInFlight && output.isEmpty && !closesAfterOutput }

    /// Restarts the timer in a phase.
    func enter(_ phase: Phase, now: UInt64) {
        self.phase = phase
        since = now
    }

    /// Enters a phase, leaving the timer alone when the connection is in it already.
    func enterOnce(_ phase: Phase, now: UInt64) {
        if self.phase != phase { enter(phase, now: now) }
    }

    /// Drops the first bytes of the buffer.
    func consumeBuffer(_ count: Int) {
        if count == buffer.count {
            // A large buffer is not kept for the next time: an idle connection should cost little.
            buffer.removeAll(keepingCapacity: buffer.capacity <= 4096)
        } else if count > 0 {
            buffer.removeFirst(count)
        }
    }
}
