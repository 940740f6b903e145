/// A JSON document as a tree: objects keep their order, numbers their exact text.
///
/// `==` compares texts as `String` does; where bytes must agree, compare `canonicalBytes`.
public indirect enum JSONValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// The number's text as it was written, such as `10.50`.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// One member of an object.
    public struct Member: Hashable, Sendable {
        /// The member's name, escapes resolved.
        public let name: String
        /// The member's value.
        public let value: JSONValue

        /// Pairs a name with its value.
        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// Parses a whole document; anything after its value but white space is refused.
    public init(parsing bytes: [UInt8], maxDepth: Int = 32) throws(JSONError) {
        var reader = JSONReader(bytes, maxDepth: maxDepth)
        self = try reader.readValue()
        try reader.finish()
    }

    /// The value of the member `name`, or nil when this is no object or has no such member.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The text, when this is a string.
    public var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The number's text, when this is a number.
    public var numberText: String? {
        guard case .number(let text) = self else { return nil }
        return text
    }

    /// The number, when this is a whole one of 64 bits.
    public var int64: Int64? { numberText.flatMap { Int64($0) } }

    /// The truth value, when this is one.
    public var boolean: Bool? {
        guard case .boolean(let value) = self else { return nil }
        return value
    }

    /// The elements, when this is an array.
    public var array: [JSONValue]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The members, when this is an object.
    public var members: [Member]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The document without white space, members in their order.
    public var compactBytes: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.finish()
    }

    /// The document without white space, members sorted by the UTF-8 of their names at every level: two documents
    /// that differ only in spacing, escaping or member order give the same bytes. Numbers keep their text.
    public var canonicalBytes: [UInt8] {
        var writer = JSONWriter()
        writer.value(self, sortingMembers: true)
        return writer.finish()
    }
}

extension JSONReader {
    /// Reads the next value, whatever it is, as a tree.
    public mutating func readValue() throws(JSONError) -> JSONValue {
        switch try peekKind() {
        case .null:
            try readNull()
            return .null
        case .boolean: return .boolean(try readBool())
        case .number: return .number(try readNumberText())
        case .string: return .string(try readString())
        case .array:
            var elements: [JSONValue] = []
            try beginArray()
            while try nextElement() { elements.append(try readValue()) }
            return .array(elements)
        case .object:
            var members: [JSONValue.Member] = []
            try beginObject()
            while let name = try nextMember() { members.append(JSONValue.Member(name, try readValue())) }
            return .object(members)
        }
    }

    /// Reads the next value, whatever it is, checks all of it, and drops it.
    public mutating func skipValue() throws(JSONError) {
        switch try peekKind() {
        case .null: try readNull()
        case .boolean: _ = try readBool()
        case .number: _ = try scanNumber()
        case .string: _ = try scanText()
        case .array:
            try beginArray()
            while try nextElement() { try skipValue() }
        case .object:
            try beginObject()
            while try nextName() != nil { try skipValue() }
        }
    }

    /// Reads the next value, checks all of it, and returns its bytes as they stand in the document.
    public mutating func readRawBytes() throws(JSONError) -> [UInt8] {
        _ = try peekKind()
        let start = position
        try skipValue()
        return Array(bytes[start..<position])
    }
}

extension JSONWriter {
    /// Writes a tree; with `sortingMembers` every object's members are ordered by the UTF-8 of their names.
    public mutating func value(_ tree: JSONValue, sortingMembers: Bool = false) {
        switch tree {
        case .null: null()
        case .boolean(let flag): boolean(flag)
        case .number(let text): number(text: text)
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements { value(element, sortingMembers: sortingMembers) }
            endArray()
        case .object(let members):
            let ordered =
                sortingMembers
                ? members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } : members
            beginObject()
            for member in ordered {
                name(member.name)
                value(member.value, sortingMembers: sortingMembers)
            }
            endObject()
        }
    }
}
