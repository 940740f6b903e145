/// The trace a request belongs to, as in the W3C header `traceparent` (version 00).
public struct TraceContext: Sendable, Hashable, CustomStringConvertible {
    /// Names the whole trace; never zero.
    public let traceID: UInt128
    /// Names the caller's step; never zero.
    public let parentID: UInt64
    /// Whether the caller records the trace.
    public let isSampled: Bool

    /// Makes a context; nil when an id is zero, which the standard forbids.
    public init?(traceID: UInt128, parentID: UInt64, isSampled: Bool) {
        guard traceID != 0, parentID != 0 else { return nil }
        self.traceID = traceID
        self.parentID = parentID
        self.isSampled = isSampled
    }

    /// A new trace with random ids.
    public static func random(isSampled: Bool = false) -> TraceContext {
        TraceContext(
            checkedTraceID: UInt128.random(in: 1 ... .max), parentID: UInt64.random(in: 1 ... .max),
            isSampled: isSampled)
    }

    private init(checkedTraceID traceID: UInt128, parentID: UInt64, isSampled: Bool) {
        self.traceID = traceID
        self.parentID = parentID
        self.isSampled = isSampled
    }

    /// Reads a `traceparent` header; nil for anything that is not exactly the standard's form. Of a version newer
    /// than 00 the known front part is read, as the standard asks.
    public init?(traceparent text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 55, bytes[2] == 0x2D, bytes[35] == 0x2D, bytes[52] == 0x2D else { return nil }
        guard let version = Self.hex(bytes[0..<2]), let trace = Self.hex(bytes[3..<35]),
            let parent = Self.hex(bytes[36..<52]), let flags = Self.hex(bytes[53..<55]), version != 0xFF
        else { return nil }
        if bytes.count > 55 {
            guard version > 0, bytes[55] == 0x2D else { return nil }
        }
        self.init(
            traceID: trace, parentID: UInt64(truncatingIfNeeded: parent), isSampled: flags & 1 == 1)
    }

    /// The next step of the same trace, for a call to somebody else.
    public func child() -> TraceContext {
        TraceContext(checkedTraceID: traceID, parentID: UInt64.random(in: 1 ... .max), isSampled: isSampled)
    }

    /// The header's value.
    public var traceparent: String {
        String(unsafeUninitializedCapacity: 55) { buffer in
            let dash = UInt8(ascii: "-")
            Self.write(0, digits: 2, to: buffer, at: 0)
            buffer[2] = dash
            Self.write(UInt64(truncatingIfNeeded: traceID >> 64), digits: 16, to: buffer, at: 3)
            Self.write(UInt64(truncatingIfNeeded: traceID), digits: 16, to: buffer, at: 19)
            buffer[35] = dash
            Self.write(parentID, digits: 16, to: buffer, at: 36)
            buffer[52] = dash
            Self.write(isSampled ? 1 : 0, digits: 2, to: buffer, at: 53)
            return 55
        }
    }

    /// The same as `traceparent`.
    public var description: String { traceparent }

    /// The trace id as 32 hexadecimal digits, for logs.
    public var traceText: String {
        String(unsafeUninitializedCapacity: 32) { buffer in
            Self.write(UInt64(truncatingIfNeeded: traceID >> 64), digits: 16, to: buffer, at: 0)
            Self.write(UInt64(truncatingIfNeeded: traceID), digits: 16, to: buffer, at: 16)
            return 32
        }
    }

    /// The parent id as 16 hexadecimal digits, for logs.
    public var parentText: String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            Self.write(parentID, digits: 16, to: buffer, at: 0)
            return 16
        }
    }

    /// Writes the last hexadecimal digits of a number. Every request has a trace: the general conversion of the
    /// standard library costs microseconds for 128 bits.
    private static func write(
        _ number: UInt64, digits: Int, to buffer: UnsafeMutableBufferPointer<UInt8>, at start: Int
    ) {
        for index in 0..<digits {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(4 * (digits - 1 - index))) & 15
            buffer[start + index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit
        }
    }

    /// Lower-case digits only, as the standard demands.
    private static func hex(_ bytes: ArraySlice<UInt8>) -> UInt128? {
        var value: UInt128 = 0
        for byte in bytes {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt128(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt128(byte - 0x57)
            default: return nil
            }
        }
        return value
    }
}

/// A caller's name for a piece of work that spans requests: 1 to 128 printable ASCII characters without spaces at
/// the ends.
public struct CorrelationID: Sendable, Hashable, CustomStringConvertible {
    /// The text as given.
    public let text: String

    /// Takes a text that keeps the rules; nil for any other.
    public init?(_ text: String) {
        let bytes = text.utf8
        guard (1...128).contains(bytes.count), bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
        guard bytes.first != 0x20, bytes.last != 0x20 else { return nil }
        self.text = text
    }

    /// The same as `text`.
    public var description: String { text }
}
