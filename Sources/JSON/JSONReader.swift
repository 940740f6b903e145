/// A strict pull reader for one JSON document (RFC 8259).
///
/// The caller walks the document in its order and no tree is built:
/// ```
/// var reader = JSONReader(body)
/// try reader.beginObject()
/// while let name = try reader.nextMember() {
///     switch name {
///     case "amount": amount = try reader.readNumberText()
///     default: throw reader.unknownMember(name)
///     }
/// }
/// try reader.finish()
/// ```
/// Beyond the grammar it refuses: duplicate members in any object, U+0000, lone surrogates, anything that is not
/// UTF-8, a byte order mark, and nesting beyond the limit. Numbers are handed out as their exact text and never pass
/// through floating point. The size of the document is the caller's limit.
public struct JSONReader: Sendable {
    /// The deepest nesting that any caller may ask for; it bounds the stack that `readValue` needs.
    public static let greatestDepth = 512

    let bytes: [UInt8]
    var position = 0
    private let maxDepth: Int
    private var frames: [Frame] = []
    /// The member names of all open objects, the innermost object's last.
    private var names: [ExactName] = []

    /// An array or object that has been opened and not yet closed.
    private struct Frame: Sendable {
        let isObject: Bool
        /// Where this object's names start in `names`.
        let firstName: Int
        /// Members or elements handed out so far.
        var count = 0
        /// Whether the reader stands inside the last member or element (and not between two).
        var isInside = false
        /// Set once the object is too large for comparing names one by one.
        var seen: Set<ExactName>?
    }

    /// Reads `bytes`, refusing arrays and objects nested deeper than `maxDepth` (at most `greatestDepth`).
    public init(_ bytes: [UInt8], maxDepth: Int = 32) {
        self.bytes = bytes
        self.maxDepth = min(max(maxDepth, 0), Self.greatestDepth)
    }

    /// Byte offset of the next unread byte.
    public var offset: Int { position }

    /// The kind of the next value, judged by its first byte, without reading it.
    public mutating func peekKind() throws(JSONError) -> JSONKind {
        skipWhiteSpace()
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw unexpected()
        }
    }

    /// Enters an object; its members follow with `nextMember`.
    public mutating func beginObject() throws(JSONError) {
        try require(.object)
        try open(isObject: true)
    }

    /// The name of the object's next member, whose value must then be read; nil when the object has ended.
    public mutating func nextMember() throws(JSONError) -> String? {
        guard try advance(inObject: true) else { return nil }
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        guard bytes[position] == UInt8(ascii: "\"") else { throw unexpected() }
        let start = position
        let name = try scanString()
        try remember(ExactName(text: name), at: start)
        skipWhiteSpace()
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        guard bytes[position] == UInt8(ascii: ":") else { throw unexpected() }
        position += 1
        return name
    }

    /// Enters an array; its elements follow with `nextElement`.
    public mutating func beginArray() throws(JSONError) {
        try require(.array)
        try open(isObject: false)
    }

    /// Whether the array has another element, whose value must then be read; false when the array has ended.
    public mutating func nextElement() throws(JSONError) -> Bool {
        guard try advance(inObject: false) else { return false }
        frames[frames.count - 1].count += 1
        frames[frames.count - 1].isInside = true
        return true
    }

    /// Checks that nothing but white space follows the document's value. Call it last.
    public mutating func finish() throws(JSONError) {
        guard frames.isEmpty else { throw error(.misuse) }
        skipWhiteSpace()
        guard position == bytes.count else { throw error(.trailingData) }
    }

    /// The error for a member that the caller does not know.
    public func unknownMember(_ name: String) -> JSONError {
        error(.unknownMember(name))
    }

    /// An error at the reader's position, with the path of the member being read.
    public func error(_ kind: JSONError.Kind) -> JSONError {
        error(kind, at: position)
    }

    /// The path of the member or element being read, such as `metadata.tags[2]`; empty at the top.
    public var path: String {
        var text = ""
        for (level, frame) in frames.enumerated() where frame.isInside {
            if frame.isObject {
                let end = level + 1 < frames.count ? frames[level + 1].firstName : names.count
                guard end > frame.firstName else { continue }
                text += text.isEmpty ? names[end - 1].text : "." + names[end - 1].text
            } else {
                text += "[\(frame.count - 1)]"
            }
        }
        return text
    }
}

// MARK: - Structure

extension JSONReader {
    func error(_ kind: JSONError.Kind, at offset: Int) -> JSONError {
        JSONError(kind, offset: offset, path: path)
    }

    /// The error for the byte at the reader's position.
    func unexpected() -> JSONError {
        let byte = bytes[position]
        if position == 0, byte == 0xEF || byte == 0xFE || byte == 0xFF { return error(.byteOrderMark) }
        return error(.unexpectedByte(byte))
    }

    @inline(__always)
    mutating func skipWhiteSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    /// Checks that the next value is of `kind`, leaving the reader at its first byte.
    mutating func require(_ kind: JSONKind) throws(JSONError) {
        let found = try peekKind()
        guard found == kind else { throw error(.wrongKind(expected: kind, found: found)) }
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard frames.count < maxDepth else { throw error(.tooDeep(limit: maxDepth)) }
        position += 1
        if frames.isEmpty {
            frames.reserveCapacity(4)
            names.reserveCapacity(12)
        }
        frames.append(Frame(isObject: isObject, firstName: names.count))
    }

    /// Moves to the next member or element, or closes the innermost frame and returns false.
    private mutating func advance(inObject: Bool) throws(JSONError) -> Bool {
        let top = frames.count - 1
        guard top >= 0, frames[top].isObject == inObject else { throw error(.misuse) }
        frames[top].isInside = false
        skipWhiteSpace()
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        let byte = bytes[position]
        if byte == (inObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
            position += 1
            names.removeLast(names.count - frames[top].firstName)
            frames.removeLast()
            return false
        }
        guard frames[top].count > 0 else { return true }
        guard byte == UInt8(ascii: ",") else { throw unexpected() }
        position += 1
        skipWhiteSpace()
        return true
    }

    /// Notes a member name of the innermost object; a name seen before is refused.
    private mutating func remember(_ name: ExactName, at offset: Int) throws(JSONError) {
        let top = frames.count - 1
        let first = frames[top].firstName
        let isNew: Bool
        if frames[top].seen != nil {
            isNew = frames[top].seen?.insert(name).inserted ?? true
        } else {
            isNew = !names[first...].contains(name)
            if names.count - first >= 16 {
                frames[top].seen = Set(names[first...] + [name])
            }
        }
        guard isNew else { throw error(.duplicateMember(name.text), at: offset) }
        names.append(name)
        frames[top].count += 1
        frames[top].isInside = true
    }
}

/// A member name compared by its bytes: `String` alone takes canonically equivalent texts for equal.
struct ExactName: Hashable, Sendable {
    let text: String

    static func == (left: ExactName, right: ExactName) -> Bool {
        left.text == right.text && left.text.utf8.elementsEqual(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(text)
    }
}
