import JSON
import Ledger

/// Turns the members of an event into values, straight from the document's bytes.
struct FieldValues {
    let reader: JSONReader

    func required<Value>(_ value: Value?, _ member: @autoclosure () -> String) throws(EventFlaw) -> Value {
        guard let value else { throw .missing(member()) }
        return value
    }

    func text(_ text: JSONText) -> String { reader.string(text) }

    func optionalText(_ text: JSONText?) -> String? {
        guard let text else { return nil }
        return reader.string(text)
    }

    func word<Word>(_ text: JSONText, _ list: WordList<Word>) -> Word? {
        list[reader.withUTF8(of: text) { list.words.index(of: $0) }]
    }

    /// A word of a closed list.
    func word<Word>(
        _ text: JSONText?, of list: WordList<Word>, _ member: @autoclosure () -> String
    ) throws(EventFlaw) -> Word {
        let text = try required(text, member())
        guard let word = word(text, list) else { throw .invalid(member: member(), value: reader.string(text)) }
        return word
    }

    func uuid(_ text: JSONText?, _ member: @autoclosure () -> String) throws(EventFlaw) -> RawUUID {
        let text = try required(text, member())
        guard let uuid = reader.withUTF8(of: text, { RawUUID(utf8: $0) }) else {
            throw .invalid(member: member(), value: reader.string(text))
        }
        return uuid
    }

    func moment(_ text: JSONText?, _ member: @autoclosure () -> String) throws(EventFlaw) -> Timestamp {
        let text = try required(text, member())
        guard let moment = reader.withUTF8(of: text, { Timestamp(utf8: $0) }) else {
            throw .invalid(member: member(), value: reader.string(text))
        }
        return moment
    }

    /// Minor units. Sums in events may be below zero where an overdraft was used.
    func money(_ text: JSONText?, _ scale: Int, _ member: @autoclosure () -> String) throws(EventFlaw) -> Int128 {
        let text = try required(text, member())
        let sum: Int128? = reader.withUTF8(of: text) { bytes in
            let isNegative = bytes.first == 0x2D
            let digits = isNegative ? UnsafeBufferPointer(rebasing: bytes.dropFirst()) : bytes
            guard let decimal = try? DecimalAmount(utf8: digits), let sum = try? decimal.minorUnits(scale: scale) else {
                return nil
            }
            return isNegative ? -sum : sum
        }
        guard let sum else { throw .invalid(member: member(), value: reader.string(text)) }
        return sum
    }
}

/// A closed list of words and what they stand for.
struct WordList<Word: Sendable>: Sendable {
    let words: JSONWords
    private let meanings: [Word]

    init(_ meanings: [Word], _ word: (Word) -> String) {
        words = JSONWords(meanings.map(word))
        self.meanings = meanings
    }

    /// What the word with an index of `words` stands for; nil for an unknown one.
    subscript(index: Int) -> Word? { index == JSONWords.unknown ? nil : meanings[index] }
}
