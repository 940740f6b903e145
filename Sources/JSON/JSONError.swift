/// The kinds of value a JSON document can hold.
public enum JSONKind: String, Sendable {
    case null, boolean, number, string, array, object

    /// The kind with its article, for messages.
    var phrase: String {
        switch self {
        case .null: "null"
        case .boolean: "true or false"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// Why a document was refused, and where.
public struct JSONError: Error, Equatable, Sendable {
    /// What is wrong.
    public enum Kind: Equatable, Sendable {
        /// The document ends inside a value.
        case unexpectedEnd
        /// A byte that has no place here.
        case unexpectedByte(UInt8)
        /// The document starts with a byte order mark.
        case byteOrderMark
        /// Something other than white space follows the document's value.
        case trailingData
        /// A raw control character (below 0x20) inside a string.
        case controlCharacter
        /// Bytes inside a string that are not UTF-8 (overlong forms and surrogates included).
        case invalidUTF8
        /// A backslash followed by something RFC 8259 does not know.
        case invalidEscape
        /// A surrogate escape without its other half.
        case loneSurrogate
        /// The character U+0000, which the database's text cannot hold.
        case nulCharacter
        /// A number outside the grammar of RFC 8259.
        case invalidNumber
        /// A number with a fraction or an exponent where a whole number is wanted.
        case notAnInteger
        /// A whole number that does not fit into 64 bits.
        case integerOutOfRange
        /// Arrays and objects nested deeper than the limit.
        case tooDeep(limit: Int)
        /// A member name that this object already holds.
        case duplicateMember(String)
        /// A member that the caller does not know; made by `JSONReader.unknownMember`.
        case unknownMember(String)
        /// A value of another kind than the caller asked for.
        case wrongKind(expected: JSONKind, found: JSONKind)
        /// The reader was asked for something that its position does not allow.
        case misuse
    }

    /// What is wrong.
    public let kind: Kind
    /// Zero-based byte offset of the problem in the document.
    public let offset: Int
    /// The member in question, such as `metadata.tags[2]`; empty at the top of the document.
    public let path: String

    /// Makes an error at a byte offset; `path` names the member in question.
    public init(_ kind: Kind, offset: Int, path: String = "") {
        self.kind = kind
        self.offset = offset
        self.path = path
    }

    /// One sentence for the person who sent the document.
    public var message: String {
        if case .unknownMember(let name) = kind {
            // The path ends in the member itself.
            return "The member \"\(path.isEmpty ? name : path)\" is not known"
        }
        let place = path.isEmpty ? "at byte \(offset)" : "in \"\(path)\" at byte \(offset)"
        return "\(problem) \(place)"
    }

    private var problem: String {
        switch kind {
        case .unexpectedEnd: "The document ends too early"
        case .unexpectedByte(let byte): "Unexpected \(Self.phrase(byte))"
        case .byteOrderMark: "The document starts with a byte order mark"
        case .trailingData: "Something follows the end of the document"
        case .controlCharacter: "A control character must be escaped inside a string"
        case .invalidUTF8: "A string is not valid UTF-8"
        case .invalidEscape: "A string holds an unknown escape sequence"
        case .loneSurrogate: "A string holds half of a surrogate pair"
        case .nulCharacter: "A string holds the character U+0000, which is not accepted"
        case .invalidNumber: "A number is malformed"
        case .notAnInteger: "A whole number without fraction or exponent is expected"
        case .integerOutOfRange: "A whole number is out of range"
        case .tooDeep(let limit): "The document is nested deeper than \(limit) levels"
        case .duplicateMember(let name): "The member \"\(name)\" appears twice"
        case .unknownMember(let name): "The member \"\(name)\" is not known"
        case .wrongKind(let expected, let found): "Expected \(expected.phrase), found \(found.phrase)"
        case .misuse: "The document was read out of order"
        }
    }

    private static func phrase(_ byte: UInt8) -> String {
        guard byte > 0x20, byte < 0x7F else { return "byte 0x" + String(byte, radix: 16, uppercase: true) }
        return "character '\(Character(Unicode.Scalar(byte)))'"
    }
}

extension JSONError: CustomStringConvertible {
    /// The same as `message`.
    public var description: String { message }
}
