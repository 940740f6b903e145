import HTTPServer
import Observability

/// The header fields that mean something to the API.
struct RequestHeaders: Sendable {
    private(set) var contentType: String?
    private(set) var idempotencyKey: String?
    private(set) var ifMatch: String?
    private(set) var minVersion: String?
    private(set) var actor: String?
    /// The client's correlation id; one out of bounds is replaced by a new one, not refused.
    let correlationID: CorrelationID?
    /// The client's trace; one that is malformed is replaced by a new one, as the standard wants.
    let trace: TraceContext?
    /// Names of fields that came more than once although they may not.
    private(set) var repeated: [String] = []

    /// Picks the known fields out of all.
    init(_ fields: HTTPHeaders) {
        correlationID = fields["x-correlation-id"].flatMap { CorrelationID($0) }
        trace = fields["traceparent"].flatMap { TraceContext(traceparent: $0) }
        contentType = single("Content-Type", of: fields, usually: "application/json")
        idempotencyKey = single("Idempotency-Key", of: fields)
        ifMatch = single("If-Match", of: fields)
        minVersion = single("Wallet-Min-Version", of: fields)
        actor = single("Wallet-Actor", of: fields)
    }

    private mutating func single(_ name: String, of fields: HTTPHeaders, usually usual: String = "") -> String? {
        let (value, isRepeated) = fields.single(name, usually: usual)
        if isRepeated { repeated.append(name) }
        return value
    }
}

/// Readers of single header values.
enum HeaderValue {
    /// Whether a content type is JSON: `application/json`, at most with `charset=utf-8`.
    static func isJSON(_ value: String) -> Bool {
        // As nearly everybody writes it.
        if value == "application/json" { return true }
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

    /// Who asks: 1 to 255 printable ASCII characters; nil for anything else.
    static func actor(_ value: String) -> String? {
        let text = trimmed(value[...])
        guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return nil
        }
        return String(text)
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
