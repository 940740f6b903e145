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

    @usableFromInline let bytes: [UInt8]
    var position = 0
    private var maxDepth: Int
    /// Whether strings may hold what is no text: only while a value is skipped that was refused for it.
    private(set) var acceptsAnyText = false
    /// What the reader is in: the innermost open array or object, or the document.
    private var top = Frame(kind: .document)
    /// What `top` is in, the outermost first; the document is not kept there, so that a flat object needs no memory.
    private var outer: [Frame] = []
    /// The member names of all open objects that are no words known beforehand, the innermost object's last.
    private var names: [JSONText] = []
    /// The names of the open objects for which comparing one by one does not do, the innermost object's last.
    private var sets: [Set<ExactName>] = []

    /// The document, or an array or object that has been opened and not yet closed.
    fileprivate struct Frame: Sendable {
        enum Kind { case document, array, object }

        let kind: Kind
        /// Where this object's names start in `names`.
        var firstName = 0
        /// Members or elements handed out so far.
        var count = 0
        /// Whether the reader stands inside the last member or element (and not between two).
        var isInside = false
        /// Whether the names are in the last of `sets`: once there are many, or one with escapes.
        var hasSet = false
        /// Whether the members are read as words known beforehand.
        var usesWords = false
        /// The words seen so far, a bit for each.
        var words: UInt64 = 0
        /// The word behind the last one seen, which probably comes next.
        var nextWord = 0
        /// The name of the last member.
        var name = JSONText(start: 0, end: 0, hasEscapes: false)
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
        try open(.object)
    }

    /// The name of the object's next member, whose value must then be read; nil when the object has ended.
    public mutating func nextMember() throws(JSONError) -> String? {
        guard let name = try nextName() else { return nil }
        return string(name)
    }

    /// The object's next member, whose value must then be read, as the index of its name in `words`, or
    /// `JSONWords.unknown` for another name; nil when the object has ended. Faster than `nextMember()`, which must not
    /// be called for the same object; nor may other words be used for it.
    public mutating func nextMember(among words: JSONWords) throws(JSONError) -> Int? {
        guard top.count == 0 || top.usesWords else { throw error(.misuse) }
        guard try advanceToName() else { return nil }
        top.usesWords = true
        let start = position
        var index = words.quotedWord(at: start + 1, of: bytes, expecting: top.nextWord)
        let name: JSONText
        if index == JSONWords.unknown {
            name = try scanText()
            if name.hasEscapes { index = withUTF8(of: name) { words.index(of: $0) } }
        } else {
            name = JSONText(start: start + 1, end: start + 1 + words.length(index), hasEscapes: false)
            position = name.end + 1
        }
        if index == JSONWords.unknown {
            try remember(name, at: start)
        } else {
            let bit: UInt64 = 1 << UInt64(truncatingIfNeeded: index)
            guard top.words & bit == 0 else { throw error(.duplicateMember(string(name)), at: start) }
            top.words |= bit
            top.nextWord = index + 1
        }
        try enterMember(name)
        return index
    }

    /// Enters an array; its elements follow with `nextElement`.
    public mutating func beginArray() throws(JSONError) {
        try require(.array)
        try open(.array)
    }

    /// Whether the array has another element, whose value must then be read; false when the array has ended.
    public mutating func nextElement() throws(JSONError) -> Bool {
        guard try advance(in: .array) else { return false }
        top.count += 1
        top.isInside = true
        return true
    }

    /// Checks that nothing but white space follows the document's value. Call it last.
    public mutating func finish() throws(JSONError) {
        guard top.kind == .document else { throw error(.misuse) }
        skipWhiteSpace()
        guard position == bytes.count else { throw error(.trailingData) }
    }

    /// Where the reader stands, before a value: for `skipValue(from:)`.
    public var place: Place {
        Place(position: position, top: top, depth: outer.count, nameCount: names.count, setCount: sets.count)
    }

    /// A place in the document before a value.
    public struct Place: Sendable {
        fileprivate let position: Int
        fileprivate let top: Frame
        fileprivate let depth: Int
        fileprivate let nameCount: Int
        fileprivate let setCount: Int
    }

    /// Goes back to before a value that was refused within, as long as what is around it has not been left, and drops
    /// it. All of it is checked but what JSON itself allows: texts with U+0000 or half of a surrogate pair, and nesting
    /// up to `greatestDepth`.
    public mutating func skipValue(from place: Place) throws(JSONError) {
        guard outer.count >= place.depth, position >= place.position else { throw error(.misuse) }
        (position, top) = (place.position, place.top)
        outer.removeLast(outer.count - place.depth)
        names.removeLast(names.count - place.nameCount)
        sets.removeLast(sets.count - place.setCount)
        let usualDepth = maxDepth
        (maxDepth, acceptsAnyText) = (Self.greatestDepth, true)
        defer { (maxDepth, acceptsAnyText) = (usualDepth, false) }
        try skipValue()
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
        for frame in outer + [top] where frame.isInside {
            switch frame.kind {
            case .document: break
            case .object: text += text.isEmpty ? string(frame.name) : "." + string(frame.name)
            case .array: text += "[\(frame.count - 1)]"
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

    private mutating func open(_ kind: Frame.Kind) throws(JSONError) {
        let isInDocument = top.kind == .document
        let depth = isInDocument ? 0 : outer.count + 1
        guard depth < maxDepth else { throw error(.tooDeep(limit: maxDepth)) }
        position += 1
        if !isInDocument { outer.append(top) }
        top = Frame(kind: kind, firstName: names.count)
    }

    /// Moves to the next member or element, or closes the innermost frame and returns false.
    private mutating func advance(in kind: Frame.Kind) throws(JSONError) -> Bool {
        guard top.kind == kind else { throw error(.misuse) }
        top.isInside = false
        skipWhiteSpace()
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        let byte = bytes[position]
        if byte == (kind == .object ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
            position += 1
            names.removeLast(names.count - top.firstName)
            if top.hasSet { sets.removeLast() }
            top = outer.popLast() ?? Frame(kind: .document)
            return false
        }
        guard top.count > 0 else { return true }
        guard byte == UInt8(ascii: ",") else { throw unexpected() }
        position += 1
        skipWhiteSpace()
        return true
    }

    /// Moves to the next member's name, or closes the object and returns false.
    private mutating func advanceToName() throws(JSONError) -> Bool {
        guard try advance(in: .object) else { return false }
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        guard bytes[position] == UInt8(ascii: "\"") else { throw unexpected() }
        return true
    }

    /// The name of the next member, as `nextMember()` returns it.
    mutating func nextName() throws(JSONError) -> JSONText? {
        guard !top.usesWords else { throw error(.misuse) }
        guard try advanceToName() else { return nil }
        let start = position
        let name = try scanText()
        try remember(name, at: start)
        try enterMember(name)
        return name
    }

    /// Goes on behind a member's name to its value.
    private mutating func enterMember(_ name: JSONText) throws(JSONError) {
        top.name = name
        top.count += 1
        top.isInside = true
        skipWhiteSpace()
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        guard bytes[position] == UInt8(ascii: ":") else { throw unexpected() }
        position += 1
    }

    /// Notes a member name of the innermost object; a name seen before is refused.
    private mutating func remember(_ name: JSONText, at offset: Int) throws(JSONError) {
        let isNew: Bool
        if top.hasSet {
            isNew = sets[sets.count - 1].insert(ExactName(text: string(name))).inserted
        } else if name.hasEscapes || names.count - top.firstName >= 16 {
            var set = Set(names[top.firstName...].map { ExactName(text: string($0)) })
            isNew = set.insert(ExactName(text: string(name))).inserted
            sets.append(set)
            top.hasSet = true
        } else {
            isNew = isNewAmongNames(name)
            names.append(name)
        }
        guard isNew else { throw error(.duplicateMember(string(name)), at: offset) }
    }

    /// Whether the innermost object's names, all without escapes, do not hold `name`.
    private func isNewAmongNames(_ name: JSONText) -> Bool {
        bytes.withUnsafeBytes { bytes in
            let wanted = UnsafeRawBufferPointer(rebasing: bytes[name.start..<name.end])
            for index in top.firstName..<names.count where names[index].length == name.length {
                let other = UnsafeRawBufferPointer(rebasing: bytes[names[index].start..<names[index].end])
                if JSONWords.areEqual(other, wanted) { return false }
            }
            return true
        }
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
