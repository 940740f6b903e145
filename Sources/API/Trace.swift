import Events
import Ledger
import Observability

/// The ids that tie a request to its log lines and events: the client's, or new ones.
struct Trace: Sendable {
    let correlationID: String
    let traceParent: String

    init(_ headers: RequestHeaders, newID: () -> RawUUID) {
        correlationID = headers.correlationID?.text ?? newID().text
        traceParent = (headers.trace ?? Trace.made(from: newID().bits)).traceparent
    }

    /// What is put into events.
    var origin: EventOrigin { EventOrigin(correlationID: correlationID, traceParent: traceParent) }

    /// A trace that nobody has sampled, out of a version 7 UUID: no second source of random bits on the hot path.
    private static func made(from bits: UInt128) -> TraceContext {
        // Mixed, so that the step's id differs from the trace's end.
        let low = UInt64(truncatingIfNeeded: bits)
        let mixed = (low ^ (low >> 32)) &* 0x9E37_79B9_7F4A_7C15
        return TraceContext(traceID: bits, parentID: mixed ^ (mixed >> 29), isSampled: false) ?? .random()
    }
}
