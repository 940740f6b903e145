/// The header fields of an answer in the form in which they go onto the wire: one buffer instead of two texts a field.
public struct ResponseHeaders: Sendable {
    /// Each field is CR LF, its name, a colon, a space and its value.
    private(set) var bytes: [UInt8] = []

    /// No fields yet.
    public init() {}

    /// The fields in this order; see `append`.
    public init(_ pairs: [(name: String, value: String)]) {
        for pair in pairs { append(pair.name, pair.value) }
    }

    /// Makes room for `count` bytes: names and values, and four more for each field.
    public mutating func reserve(_ count: Int) { bytes.reserveCapacity(bytes.count + count) }

    /// Appends a field unless its name is malformed or one of those that are the server's (`Date`, `Content-Length`,
    /// `Connection`, `Keep-Alive`, `Transfer-Encoding`). Control characters in the value, which could start another
    /// field, become spaces.
    public mutating func append(_ name: String, _ value: String) {
        var value = value
        value.withUTF8 { value in
            append(name, upTo: value.count) { buffer in
                _ = buffer.update(fromContentsOf: value)
                return value.count
            }
        }
    }

    /// Appends a field whose value `fill` writes: at most `capacity` bytes of UTF-8 to the start of the buffer that it
    /// is lent; it returns their number.
    public mutating func append(
        _ name: String, upTo capacity: Int, _ fill: (UnsafeMutableBufferPointer<UInt8>) -> Int
    ) {
        var name = name
        name.withUTF8 { name in
            guard !name.isEmpty, name.allSatisfy({ ByteSet.token.contains($0) }), !Self.isServers(name) else { return }
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: name.count + 4 + capacity) { field in
                field[0] = 0x0D
                field[1] = 0x0A
                var end = 2
                end = UnsafeMutableBufferPointer(rebasing: field[end...]).update(fromContentsOf: name) + end
                field[end] = UInt8(ascii: ":")
                field[end + 1] = 0x20
                let start = end + 2
                let length = fill(UnsafeMutableBufferPointer(rebasing: field[start..<start + capacity]))
                precondition(length >= 0 && length <= capacity, "more bytes than were announced")
                for index in start..<start + length where !isFieldValueByte(field[index]) { field[index] = 0x20 }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: field[..<(start + length)]))
            }
        }
    }

    /// Whether a field is the server's to write.
    private static func isServers(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        let own: StaticString
        switch name.count {
        case 4: own = "date"
        case 10: own = lowercased(name[0]) == UInt8(ascii: "k") ? "keep-alive" : "connection"
        case 14: own = "content-length"
        case 17: own = "transfer-encoding"
        default: return false
        }
        return equalsIgnoringCase(name.span, 0..<name.count, own)
    }

    /// The fields in their order.
    public var all: [(name: String, value: String)] {
        // No field holds a line feed, and no name a colon.
        bytes.split(separator: 0x0A).dropFirst().map { line in
            let field = line.last == 0x0D ? line.dropLast() : line
            let parts = field.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            return (String(decoding: parts[0], as: UTF8.self), String(decoding: parts[1].dropFirst(), as: UTF8.self))
        }
    }
}
