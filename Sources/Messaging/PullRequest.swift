import JSON

/// The one pull request that is open at the server, as far as this side can know. Pure.
struct PullRequest: Sendable {
    /// What a look at the clock says about the request.
    enum Standing: Equatable, Sendable {
        case none
        case waiting
        /// It should have shown a sign of life: heartbeat, message or end.
        case silent
    }

    /// Grows with each request; the last token of its reply subject.
    private(set) var number: UInt64 = 0
    private(set) var remaining = 0
    private(set) var received = 0
    private var lastHeard: UInt64 = 0
    private var expiresAt: UInt64 = 0
    private let silence: UInt64

    /// - Parameter silence: nanoseconds without anything after which the request is doubted; longer than a heartbeat.
    init(silence: UInt64) { self.silence = silence }

    var isOpen: Bool { remaining > 0 }

    /// A new request for `count` messages was sent.
    mutating func open(_ count: Int, now: UInt64, expires: UInt64) {
        number += 1
        remaining = count
        received = 0
        lastHeard = now
        expiresAt = now + expires
    }

    /// A message came. It may belong to an earlier request; then this one is thought shorter than it is, which costs
    /// at most that many more messages in flight.
    mutating func messageCame(now: UInt64) {
        lastHeard = now
        received += 1
        if remaining > 0 { remaining -= 1 }
    }

    mutating func heartbeatCame(now: UInt64) { lastHeard = now }

    /// The request is over, or thought to be.
    mutating func end() { remaining = 0 }

    /// Whether a status belongs to the open request; late ones of earlier requests mean nothing.
    func isAbout(_ number: UInt64?) -> Bool { number == self.number }

    func standing(now: UInt64) -> Standing {
        guard isOpen else { return .none }
        return now > lastHeard + silence || now > expiresAt + 1_000_000_000 ? .silent : .waiting
    }
}

/// What a status message of the server means for the open request.
enum PullStatus: Equatable, Sendable {
    case heartbeat
    /// Ran out or was filled: ask again.
    case ended
    /// The next message does not fit into the request's bytes.
    case tooLarge
    /// Something may have happened to the consumer: look before asking again.
    case doubtful
    /// It can never be pulled from.
    case unusable

    init(code: Int, description: String) {
        let text = description.lowercased()
        switch code {
        case 100: self = .heartbeat
        case 404, 408: self = .ended
        case 409 where text.contains("maxbytes") && text.contains("size"): self = .tooLarge
        case 409 where text.contains("batch completed"): self = .ended
        case 409 where text.contains("push"): self = .unusable
        default: self = .doubtful
        }
    }
}

extension PullRequest {
    /// The request's body.
    static func body(batch: Int, maxBytes: Int, expires: Int64, heartbeat: Int64) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.object { writer in
            writer.member("batch", batch)
            writer.member("max_bytes", maxBytes)
            writer.member("expires", expires)
            writer.member("idle_heartbeat", heartbeat)
        }
        return writer.finish()
    }
}
