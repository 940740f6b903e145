/// Makes whole requests from bytes as they arrive: the head, then the body by its framing. Pure: no sockets, no clock.
struct RequestAssembler: Sendable {
    /// What the bytes amount to so far.
    enum Step: Sendable {
        /// Nothing to do until more arrives; `sendContinue` once, when the client waits for "100 Continue".
        case needsMore(sendContinue: Bool)
        /// A request is complete. The next one needs a `reset()` first.
        case request(RequestHead, body: [UInt8])
        /// The request must be refused and the connection closed.
        case failed(ProtocolError)
    }

    private enum Body: Sendable {
        case none
        case length(Int)
        case chunked(ChunkedDecoder)
    }

    private let limits: RequestLimits
    private var parser: HeadParser
    private var head: RequestHead?
    private var decoder = Body.none
    private var body: [UInt8] = []
    private var didContinue = false

    init(limits: RequestLimits) {
        self.limits = limits
        parser = HeadParser(limits: limits)
    }

    /// Whether the head is complete and the body is not.
    var isInBody: Bool { head != nil }

    /// Bytes of body held.
    var heldBodyBytes: Int { body.count }

    /// Whether the request under way is known to be a HEAD request.
    var isHead: Bool { (head?.method ?? parser.method) == .head }

    /// Prepares for the connection's next request.
    mutating func reset() {
        self = RequestAssembler(limits: limits)
    }

    /// Takes bytes of `input`. While the head is incomplete none are consumed: give them again with more behind them.
    mutating func advance(_ input: Span<UInt8>) -> (consumed: Int, step: Step) {
        guard head == nil else { return advanceBody(input) }
        switch parser.parse(input) {
        case .needsMore: return (0, .needsMore(sendContinue: false))
        case .failed(let error): return (0, .failed(error))
        case .complete(let parsed, let length):
            if parsed.framing == .none { return (length, .request(parsed, body: [])) }
            let limit = limits.bodyLimit(parsed.method, parsed.path)
            if case .length(let count) = parsed.framing {
                guard count <= limit else { return (length, .failed(.bodyTooLarge)) }
                decoder = .length(count)
                body.reserveCapacity(min(count, 64 * 1024))
            } else {
                decoder = .chunked(ChunkedDecoder(limit: limit))
            }
            head = parsed
            let (consumed, step) = advanceBody(input.extracting(droppingFirst: length))
            return (length + consumed, step)
        }
    }

    private mutating func advanceBody(_ input: Span<UInt8>) -> (consumed: Int, step: Step) {
        guard let head else { return (0, .needsMore(sendContinue: false)) }
        var consumed = 0
        var isComplete = false
        switch decoder {
        case .none: isComplete = true
        case .length(let count):
            consumed = min(count - body.count, input.count)
            input.extracting(first: consumed).withUnsafeBufferPointer { body.append(contentsOf: $0) }
            isComplete = body.count == count
        case .chunked(var chunked):
            decoder = .none
            let (taken, outcome) = chunked.decode(input, into: &body)
            decoder = .chunked(chunked)
            consumed = taken
            if case .failed(let error) = outcome { return (consumed, .failed(error)) }
            isComplete = outcome == .complete
        }
        if isComplete {
            let whole = body
            body = []
            return (consumed, .request(head, body: whole))
        }
        let sendContinue = head.expectsContinue && !didContinue && body.isEmpty
        didContinue = didContinue || sendContinue
        return (consumed, .needsMore(sendContinue: sendContinue))
    }
}
