import Ledger
import LedgerStore

/// The ids that tie a request to its log lines and events: the client's, or new ones.
struct Trace: Sendable {
    let correlationID: String
    let traceParent: String

    init(_ headers: RequestHeaders, newID: () -> RawUUID) {
        correlationID = headers.correlationID ?? newID().text
        traceParent = headers.traceParent ?? Trace.newTraceParent(newID().bits)
    }

    /// What is put into events.
    var origin: EventOrigin { EventOrigin(correlationID: correlationID, traceParent: traceParent) }

    /// A trace context (W3C, version 00) that nobody has sampled; its random part comes from a version 7 UUID.
    private static func newTraceParent(_ bits: UInt128) -> String {
        var text: [UInt8] = [0x30, 0x30, 0x2D]
        text.reserveCapacity(55)
        append(UInt64(truncatingIfNeeded: bits >> 64), to: &text)
        append(UInt64(truncatingIfNeeded: bits), to: &text)
        text.append(0x2D)
        // Mixed, so that the span's id differs from the trace's end; never zero, because the mixing is a bijection
        // and a version 7 UUID's low half is never zero.
        let low = UInt64(truncatingIfNeeded: bits)
        let mixed = (low ^ (low >> 32)) &* 0x9E37_79B9_7F4A_7C15
        append(mixed ^ (mixed >> 29), to: &text)
        text.append(contentsOf: [0x2D, 0x30, 0x30])
        return String(decoding: text, as: UTF8.self)
    }

    private static func append(_ number: UInt64, to text: inout [UInt8]) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15
            text.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }
}
