import JSON
import Ledger

/// Reads a request's JSON object member by member and collects what is wrong with it.
///
/// A value of the wrong kind or out of bounds is noted and reading goes on, so that one answer names several mistakes;
/// a document that is not JSON ends the reading.
struct BodyReader {
    /// The members that stopped being readable or broke a rule.
    private(set) var errors: [FieldError]
    /// Whether a sum was above every range; it is refused with another code when nothing else is wrong.
    private(set) var isOutOfRange = false
    /// Whether the document was read to its end, so that a member that was not seen is missing.
    private(set) var isComplete = false

    private var reader: JSONReader
    private let isEmpty: Bool

    /// The longest metadata in canonical form, in bytes.
    static let metadataLimit = 8192

    /// The place of the operation that is being read in the list that a batch is; nil outside of one. Fields are named
    /// by their place in the operation.
    var item: Int?

    /// For a route's body; `errors` are what was found before.
    init(_ body: [UInt8], errors: [FieldError] = []) {
        reader = JSONReader(body)
        isEmpty = body.isEmpty
        self.errors = errors
    }

    /// For a batch: the values of its operations may be as deep as those of a route's body.
    init(batch body: [UInt8], errors: [FieldError]) {
        reader = JSONReader(body, maxDepth: 34)
        isEmpty = body.isEmpty
        self.errors = errors
    }

    /// Reads the whole document. A document that is not JSON ends the reading with an error; so does one that is
    /// missing and may not be.
    mutating func document(mayBeEmpty: Bool = false, _ read: (inout BodyReader) throws(JSONError) -> Void) {
        guard !isEmpty else {
            isComplete = mayBeEmpty
            if !mayBeEmpty { refuse("", .required, "A JSON object is expected in the body.") }
            return
        }
        do throws(JSONError) {
            try read(&self)
            try reader.finish()
            isComplete = true
        } catch {
            note(error)
        }
    }

    /// Reads an object. `read` reads the value of the member whose index in `words` it is given, or returns false when
    /// it has no place here.
    mutating func object(
        _ words: JSONWords, _ read: (Int, inout BodyReader) throws(JSONError) -> Bool
    ) throws(JSONError) {
        try reader.beginObject()
        while let index = try reader.nextMember(among: words) {
            do throws(JSONError) {
                if index != JSONWords.unknown, try read(index, &self) { continue }
                let name = field(reader.path)
                errors.append(FieldError(name, .unknown, "The member \"\(name)\" is not known here."))
            } catch {
                guard case .wrongKind = error.kind else { throw error }
                note(error)
            }
            try reader.skipValue()
        }
    }

    /// Reads an array; `read` reads one element, or returns false when it does not want it.
    mutating func array(_ read: (inout BodyReader) throws(JSONError) -> Bool) throws(JSONError) {
        try reader.beginArray()
        while try reader.nextElement() {
            if try read(&self) { continue }
            try reader.skipValue()
        }
    }

    /// Reads one value. What spoils this value and not the document is noted, and the value skipped; false then.
    mutating func attempt(_ read: (inout BodyReader) throws(JSONError) -> Void) throws(JSONError) -> Bool {
        let place = reader.place
        do throws(JSONError) {
            try read(&self)
            return true
        } catch {
            switch error.kind {
            case .wrongKind, .nulCharacter, .loneSurrogate, .tooDeep: try reader.skipValue(from: place)
            default: throw error
            }
            note(error)
            return false
        }
    }

    /// Notes an error that the caller found.
    mutating func refuse(_ field: String, _ code: FieldError.Code, _ message: String) {
        errors.append(FieldError(field, code, message))
    }

    /// Throws what was found.
    func check() throws(Problem) {
        guard errors.isEmpty else { throw Problem(invalid: errors) }
        guard !isOutOfRange else { throw BodyReader.outOfRange }
    }

    /// What was found after the first `count` errors, which is then forgotten; nil when that is nothing.
    mutating func takeFindings(after count: Int) -> Problem? {
        let found = Array(errors[count...])
        let wasOutOfRange = isOutOfRange
        errors.removeLast(found.count)
        isOutOfRange = false
        if !found.isEmpty { return Problem(invalid: found) }
        return wasOutOfRange ? BodyReader.outOfRange : nil
    }

    private static let outOfRange = Problem(.amountOutOfRange, "The amount is above every range.")

    /// A path within the operation that is being read.
    private func field(_ path: String) -> String {
        guard let item else { return path }
        let place = "operations[\(item)]"
        guard path.hasPrefix(place) else { return path }
        return String(path.dropFirst(place.count).drop { $0 == "." })
    }

    private mutating func note(_ error: JSONError) {
        let code: FieldError.Code =
            switch error.kind {
            case .wrongKind, .notAnInteger: .wrongType
            case .duplicateMember: .duplicate
            case .unknownMember: .unknown
            case .integerOutOfRange: .outOfRange
            default: .malformed
            }
        var field = field(error.path)
        if case .duplicateMember(let name) = error.kind { field = field.isEmpty ? name : "\(field).\(name)" }
        errors.append(FieldError(field, code, error.message + "."))
    }
}

// MARK: - Values

extension BodyReader {
    /// A text of 1 to `limit` characters (Unicode scalars) without control characters.
    mutating func line(_ field: String, limit: Int) throws(JSONError) -> String? {
        let text = try reader.readString()
        guard let text = bounded(text, field, limit: limit) else { return nil }
        for scalar in text.unicodeScalars where BodyReader.isControl(scalar) {
            refuse(field, .malformed, "\"\(field)\" must not hold control characters.")
            return nil
        }
        return text
    }

    /// A text of at most `limit` characters (Unicode scalars).
    mutating func text(_ field: String, limit: Int) throws(JSONError) -> String? {
        let text = try reader.readString()
        guard text.utf8.count <= limit || text.unicodeScalars.count <= limit else {
            refuse(field, .tooLong, "\"\(field)\" has more than \(limit) characters.")
            return nil
        }
        return text
    }

    /// Whether the value is null; it is read then.
    mutating func null() throws(JSONError) -> Bool {
        try reader.readNullIfPresent()
    }

    /// True or false.
    mutating func boolean(_ field: String) throws(JSONError) -> Bool {
        try reader.readBool()
    }

    /// A word of a closed list, as it is written.
    mutating func word(_ field: String) throws(JSONError) -> String {
        try reader.readString()
    }

    /// A UUID.
    mutating func uuid(_ field: String) throws(JSONError) -> RawUUID? {
        let text = try reader.readText()
        if let uuid = reader.withUTF8(of: text, { RawUUID(utf8: $0) }) { return uuid }
        refuse(field, .malformed, "\"\(field)\" is not a UUID.")
        return nil
    }

    /// A whole number.
    mutating func integer(_ field: String, in range: ClosedRange<Int64>) throws(JSONError) -> Int64? {
        guard try reader.peekKind() == .number else { return try reader.readInt64() }
        let text = try reader.readNumberText()
        if let number = Int64(text), range.contains(number) { return number }
        let isWhole = text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2D }
        refuse(
            field, isWhole ? .outOfRange : .wrongType,
            "\"\(field)\" must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        return nil
    }

    /// An RFC 3339 date-time.
    mutating func moment(_ field: String) throws(JSONError) -> Timestamp? {
        let text = try reader.readString()
        if let moment = Timestamp(text: text) { return moment }
        refuse(field, .malformed, "\"\(field)\" is not an RFC 3339 date-time with at most six decimals.")
        return nil
    }

    /// A sum of money: a decimal string, or a number taken by its text.
    mutating func amount(_ field: String, mayBeZero: Bool) throws(JSONError) -> DecimalAmount? {
        let text = try reader.peekKind() == .number ? try reader.readNumberText() : try reader.readString()
        do throws(DecimalAmount.Flaw) {
            let amount = try DecimalAmount(text: text.utf8)
            if mayBeZero || !amount.isZero { return amount }
            refuse(field, .notPositive, "\"\(field)\" must be above zero.")
        } catch {
            switch error {
            case .outOfRange: isOutOfRange = true
            case .notDecimal:
                refuse(field, .malformed, "\"\(field)\" must be a plain decimal such as \"10.50\", without a sign.")
            }
        }
        return nil
    }

    /// A JSON object in canonical form.
    mutating func metadata(_ field: String) throws(JSONError) -> String? {
        let kind = try reader.peekKind()
        guard kind == .object else { throw reader.error(.wrongKind(expected: .object, found: kind)) }
        let bytes = try reader.readValue().canonicalBytes
        guard bytes.count <= BodyReader.metadataLimit else {
            refuse(field, .tooLong, "\"\(field)\" is larger than \(BodyReader.metadataLimit) bytes.")
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func bounded(_ text: String, _ field: String, limit: Int) -> String? {
        guard !text.isEmpty else {
            refuse(field, .tooShort, "\"\(field)\" must not be empty.")
            return nil
        }
        guard text.utf8.count <= limit || text.unicodeScalars.count <= limit else {
            refuse(field, .tooLong, "\"\(field)\" has more than \(limit) characters.")
            return nil
        }
        return text
    }

    /// The general category Cc.
    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }
}
