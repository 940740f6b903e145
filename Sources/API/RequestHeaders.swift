import Ledger

/// The header fields that mean something to the API, as they came, each at most once.
struct RequestHeaders: Sendable {
    private(set) var contentType: String?
    private(set) var idempotencyKey: String?
    private(set) var ifMatch: String?
    private(set) var minVersion: String?
    private(set) var correlationID: String?
    private(set) var traceParent: String?
    /// Names of fields that came more than once although they may not.
    private(set) var repeated: [String] = []

    /// Picks the known fields out of all.
    init(_ fields: some Sequence<(name: String, value: String)>) {
        for (name, value) in fields {
            // The length decides for nearly all fields that are not ours.
            switch name.utf8.count {
            case 8 where RequestHeaders.equal(name, "if-match"): set(\.ifMatch, value, "If-Match")
            case 11 where RequestHeaders.equal(name, "traceparent"):
                traceParent = traceParent == nil ? RequestHeaders.validTraceParent(value) : nil
            case 12 where RequestHeaders.equal(name, "content-type"): set(\.contentType, value, "Content-Type")
            case 15 where RequestHeaders.equal(name, "idempotency-key"):
                set(\.idempotencyKey, value, "Idempotency-Key")
            case 16 where RequestHeaders.equal(name, "x-correlation-id"):
                if correlationID == nil { correlationID = RequestHeaders.validCorrelationID(value) }
            case 18 where RequestHeaders.equal(name, "wallet-min-version"):
                set(\.minVersion, value, "Wallet-Min-Version")
            default: continue
            }
        }
    }

    private mutating func set(_ field: WritableKeyPath<RequestHeaders, String?>, _ value: String, _ name: String) {
        if self[keyPath: field] != nil { repeated.append(name) }
        self[keyPath: field] = value
    }

    /// Compares without regard to case; `lowercase` is lower-case.
    private static func equal(_ name: String, _ lowercase: StaticString) -> Bool {
        var index = 0
        return lowercase.withUTF8Buffer { expected in
            for byte in name.utf8 {
                let folded = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
                guard index < expected.count, expected[index] == folded else { return false }
                index += 1
            }
            return index == expected.count
        }
    }

    /// 1 to 128 visible ASCII characters; anything else is replaced by a new id, not refused.
    private static func validCorrelationID(_ value: String) -> String? {
        guard (1...128).contains(value.utf8.count), value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        return value
    }

    /// Version 00 of the W3C recommendation, ids not all zero; anything else is replaced, as the standard wants.
    private static func validTraceParent(_ value: String) -> String? {
        let bytes = Array(value.utf8)
        guard bytes.count == 55, bytes[0] == 0x30, bytes[1] == 0x30 else { return nil }
        for (index, byte) in bytes.enumerated() {
            if index == 2 || index == 35 || index == 52 {
                guard byte == 0x2D else { return nil }
            } else {
                guard (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) else { return nil }
            }
        }
        guard bytes[3..<35].contains(where: { $0 != 0x30 }), bytes[36..<52].contains(where: { $0 != 0x30 }) else {
            return nil
        }
        return value
    }
}

/// Readers of single header values.
enum HeaderValue {
    /// Whether a content type is JSON: `application/json`, at most with `charset=utf-8`.
    static func isJSON(_ value: String) -> Bool {
        let parts = value.split(separator: ";", omittingEmptySubsequences: false)
        guard let type = parts.first, trimmed(type).lowercased() == "application/json", parts.count <= 2 else {
            return false
        }
        guard parts.count == 2 else { return true }
        let parameter = trimmed(parts[1]).lowercased()
        return parameter == "charset=utf-8" || parameter == "charset=\"utf-8\""
    }

    /// An idempotency key, plain or as an RFC 8941 string: 1 to 255 printable ASCII characters; nil for anything else.
    static func idempotencyKey(_ value: String) -> String? {
        let bytes = Array(trimmed(value[...]).utf8)
        guard bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
        guard bytes.first == 0x22 else {
            return (1...255).contains(bytes.count) ? String(decoding: bytes, as: UTF8.self) : nil
        }
        var text: [UInt8] = []
        var index = 1
        while index < bytes.count, bytes[index] != 0x22 {
            if bytes[index] == 0x5C {
                index += 1
                guard index < bytes.count, bytes[index] == 0x22 || bytes[index] == 0x5C else { return nil }
            }
            text.append(bytes[index])
            index += 1
        }
        guard index == bytes.count - 1, (1...255).contains(text.count) else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    /// What `If-Match` asks for.
    enum Precondition: Equatable {
        /// `*`: any version.
        case any
        /// `"5"`: this version.
        case version(Int64)
    }

    /// Reads one strong entity tag that is a version, or `*`; nil for anything else: weak tags never match a write,
    /// and a wallet has only one version at a time.
    static func ifMatch(_ value: String) -> Precondition? {
        let text = trimmed(value[...])
        if text == "*" { return .any }
        guard text.utf8.count > 2, text.utf8.first == 0x22, text.utf8.last == 0x22 else { return nil }
        return version(text.dropFirst().dropLast()).map { .version($0) }
    }

    /// A wallet version: plain digits that fit 64 bits, without superfluous zeros.
    static func version(_ text: Substring) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        if text.utf8.first == 0x30, text.utf8.count > 1 { return nil }
        return Int64(text)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.utf8.first, first == 0x20 || first == 0x09 { text = text.dropFirst() }
        while let last = text.utf8.last, last == 0x20 || last == 0x09 { text = text.dropLast() }
        return text
    }
}
