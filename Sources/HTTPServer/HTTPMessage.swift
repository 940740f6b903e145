/// A request's method; the name is case-sensitive, as in HTTP.
public enum HTTPMethod: Hashable, Sendable {
    case get, head, post, put, patch, delete, options
    /// Any other token.
    case other(String)

    /// The method for its name on the wire.
    public init(_ name: String) {
        switch name {
        case "GET": self = .get
        case "HEAD": self = .head
        case "POST": self = .post
        case "PUT": self = .put
        case "PATCH": self = .patch
        case "DELETE": self = .delete
        case "OPTIONS": self = .options
        default: self = .other(name)
        }
    }

    /// The name on the wire.
    public var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other(let name): name
        }
    }
}

/// A whole request, its body included.
public struct Request: Sendable {
    /// The method.
    public var method: HTTPMethod
    /// The path as it was sent, still percent-encoded; begins with `/` (or is `*` for OPTIONS).
    public var path: String
    /// What follows the first `?`, still percent-encoded; nil without a `?`.
    public var query: String?
    /// The header fields in their order.
    public var headers: HTTPHeaders
    /// The body, empty when there is none.
    public var body: [UInt8]
    /// The peer's IP address as text.
    public var remoteAddress: String

    /// Makes a request; the server makes them from the wire, tests by hand.
    public init(
        method: HTTPMethod, path: String, query: String? = nil, headers: HTTPHeaders = HTTPHeaders(),
        body: [UInt8] = [], remoteAddress: String = "127.0.0.1"
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
    }
}

/// The answer to a request.
public struct Response: Sendable {
    /// The status code, 200...599.
    public var status: Int
    /// Header fields, but for those that are the server's.
    public var headers: ResponseHeaders
    /// The body; left out on the wire for HEAD, 204 and 304.
    public var body: [UInt8]

    /// Makes an answer.
    public init(status: Int, headers: ResponseHeaders = ResponseHeaders(), body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The header fields of a request: one copy of the head's bytes and the places of names and values in it.
public struct HTTPHeaders: Sendable {
    struct Field: Sendable {
        let nameStart: UInt16
        let nameEnd: UInt16
        let valueStart: UInt16
        let valueEnd: UInt16
    }

    private let bytes: [UInt8]
    private let fields: [Field]

    init(bytes: [UInt8], fields: [Field]) {
        self.bytes = bytes
        self.fields = fields
    }

    /// Makes header fields by hand; fields beyond 64 KiB in all are left out.
    public init(_ pairs: [(name: String, value: String)] = []) {
        var bytes: [UInt8] = []
        var fields: [Field] = []
        for pair in pairs {
            let (start, middle) = (bytes.count, bytes.count + pair.name.utf8.count)
            guard let end = UInt16(exactly: middle + pair.value.utf8.count) else { break }
            bytes += Array(pair.name.utf8) + Array(pair.value.utf8)
            fields.append(
                Field(nameStart: UInt16(start), nameEnd: UInt16(middle), valueStart: UInt16(middle), valueEnd: end))
        }
        self.init(bytes: bytes, fields: fields)
    }

    /// The number of fields.
    public var count: Int { fields.count }

    /// The value of the first field called `name`, whatever its case; nil when there is none.
    public subscript(name: String) -> String? {
        for field in fields where matches(field, name) { return text(field.valueStart, field.valueEnd) }
        return nil
    }

    /// The value of the field called `name`, whatever its case, and whether there are more of that name. A value that
    /// is `usual` comes without a new text being made.
    public func single(_ name: String, usually usual: String = "") -> (value: String?, isRepeated: Bool) {
        var value: String?
        for field in fields where matches(field, name) {
            guard value == nil else { return (value, true) }
            value = isValue(of: field, usual) ? usual : text(field.valueStart, field.valueEnd)
        }
        return (value, false)
    }

    /// The values of all fields called `name`, whatever its case, in their order.
    public func values(of name: String) -> [String] {
        fields.filter { matches($0, name) }.map { text($0.valueStart, $0.valueEnd) }
    }

    /// All fields as they were sent, in their order.
    public var all: [(name: String, value: String)] {
        fields.map { (text($0.nameStart, $0.nameEnd), text($0.valueStart, $0.valueEnd)) }
    }

    @inline(__always)
    private func matches(_ field: Field, _ name: String) -> Bool {
        guard Int(field.nameEnd - field.nameStart) == name.utf8.count else { return false }
        var index = Int(field.nameStart)
        for byte in name.utf8 {
            guard lowercased(bytes[index]) == lowercased(byte) else { return false }
            index += 1
        }
        return true
    }

    private func isValue(of field: Field, _ text: String) -> Bool {
        let range = Int(field.valueStart)..<Int(field.valueEnd)
        return range.count == text.utf8.count && bytes[range].elementsEqual(text.utf8)
    }

    /// A value is read as UTF-8 where it is that, and as ISO 8859-1 otherwise.
    private func text(_ start: UInt16, _ end: UInt16) -> String {
        bytes.withUnsafeBufferPointer { bytes in
            let slice = UnsafeBufferPointer(rebasing: bytes[Int(start)..<Int(end)])
            return String(validating: slice, as: UTF8.self)
                ?? String(String.UnicodeScalarView(slice.map { Unicode.Scalar($0) }))
        }
    }
}

/// A byte with ASCII capitals made small.
@inline(__always)
func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
}
