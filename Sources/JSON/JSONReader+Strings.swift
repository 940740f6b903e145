/// A string in the document that a `JSONReader` has read and checked, as its place there: `string(_:)` and
/// `withUTF8(of:_:)` of the same reader give its text.
public struct JSONText: Sendable {
    /// The first byte behind the opening quote.
    @usableFromInline let start: Int
    /// The closing quote.
    @usableFromInline let end: Int
    /// Whether a backslash stands in between.
    @usableFromInline let hasEscapes: Bool

    init(start: Int, end: Int, hasEscapes: Bool) {
        self.start = start
        self.end = end
        self.hasEscapes = hasEscapes
    }

    /// Its length as it is written.
    var length: Int { end - start }
}

extension JSONReader {
    /// Reads a string, its escapes resolved.
    public mutating func readString() throws(JSONError) -> String {
        try require(.string)
        let text = try scanQuoted()
        guard !text.hasEscapes else { return String(decoding: try unescape(text), as: UTF8.self) }
        return string(text)
    }

    /// Reads a string and checks all of it, without making a `String`.
    public mutating func readText() throws(JSONError) -> JSONText {
        try require(.string)
        return try scanText()
    }

    /// The string at `text`, its escapes resolved.
    public func string(_ text: JSONText) -> String {
        withUTF8(of: text) { String(decoding: $0, as: UTF8.self) }
    }

    /// Lends the UTF-8 of the string at `text`, its escapes resolved; the buffer is valid only inside `body`.
    @inlinable
    public func withUTF8<Result, Failure: Error>(
        of text: JSONText, _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(text.start <= text.end && text.end <= bytes.count, "a text of another document")
        if text.hasEscapes {
            return try resolved(text).withUnsafeBufferPointer { buffer throws(Failure) in try body(buffer) }
        }
        return try bytes.withUnsafeBufferPointer { buffer throws(Failure) in
            try body(UnsafeBufferPointer(rebasing: buffer[text.start..<text.end]))
        }
    }

    /// The UTF-8 of a string that has escapes. They were checked when it was read, so none is refused here.
    @usableFromInline
    func resolved(_ text: JSONText) -> [UInt8] {
        (try? unescape(text)) ?? []
    }

    /// The string whose opening quote is at the reader's position.
    mutating func scanText() throws(JSONError) -> JSONText {
        let text = try scanQuoted()
        if text.hasEscapes { _ = try unescape(text) }
        return text
    }

    /// The string whose opening quote is at the reader's position, its escapes not yet checked.
    private mutating func scanQuoted() throws(JSONError) -> JSONText {
        let start = position + 1
        var end = start
        var hasEscapes = false
        var allBits: UInt64 = 0
        bytes.withUnsafeBytes { bytes in
            while true {
                end = JSONReader.endOfPlainText(bytes, from: end, collecting: &allBits)
                guard end < bytes.count, bytes[end] == UInt8(ascii: "\\") else { break }
                hasEscapes = true
                end += 2
            }
        }
        position = min(end, bytes.count)
        guard end < bytes.count else { throw error(.unexpectedEnd) }
        guard bytes[end] == UInt8(ascii: "\"") else { throw error(.controlCharacter) }
        if allBits & 0x8080_8080_8080_8080 != 0 { try validateUTF8(start..<end) }
        position = end + 1
        return JSONText(start: start, end: end, hasEscapes: hasEscapes)
    }

    /// The first quote, backslash or control character from `start` on, or the end; the bits of the bytes in front of
    /// it are added to `allBits`.
    @inline(__always)
    private static func endOfPlainText(
        _ bytes: UnsafeRawBufferPointer, from start: Int, collecting allBits: inout UInt64
    ) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var end = start
        while end + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self))
            // A byte's highest bit is set in these when it is below 0x20, a quote, a backslash. A borrow may set it
            // falsely, but only behind a byte for which it is rightly set.
            let control = (word &- ones &* 0x20) & ~word
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            let special =
                (control | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)) & (ones &* 0x80)
            if special != 0 {
                let plainBits = UInt64(special.trailingZeroBitCount & ~7)
                allBits |= word & ((1 << plainBits) &- 1)
                return end + Int(plainBits / 8)
            }
            allBits |= word
            end += 8
        }
        while end < bytes.count {
            let byte = bytes[end]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            allBits |= UInt64(byte)
            end += 1
        }
        return end
    }

    /// The string's UTF-8 with its escapes resolved.
    private func unescape(_ text: JSONText) throws(JSONError) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.length)
        var index = text.start
        while index < text.end {
            let byte = bytes[index]
            guard byte == UInt8(ascii: "\\") else {
                output.append(byte)
                index += 1
                continue
            }
            switch bytes[index + 1] {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(bytes[index + 1])
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "u"):
                index = try unescapeUnicode(at: index, limit: text.end, into: &output)
                continue
            default: throw error(.invalidEscape, at: index)
            }
            index += 2
        }
        return output
    }

    /// Appends the character of the `\u` escape at `index` (with its second half) and returns the index after it.
    private func unescapeUnicode(
        at index: Int, limit: Int, into output: inout [UInt8]
    ) throws(JSONError) -> Int {
        var value = try hexadecimal(at: index, limit: limit)
        var next = index + 6
        if value & 0xFC00 == 0xD800, next + 1 < limit, bytes[next] == UInt8(ascii: "\\"),
            bytes[next + 1] == UInt8(ascii: "u")
        {
            let low = try hexadecimal(at: next, limit: limit)
            if low & 0xFC00 == 0xDC00 {
                value = 0x10000 + (value & 0x3FF) << 10 + (low & 0x3FF)
                next += 6
            }
        }
        // Half of a pair has no scalar.
        guard value != 0, let scalar = Unicode.Scalar(value) else {
            guard acceptsAnyText else { throw error(value == 0 ? .nulCharacter : .loneSurrogate, at: index) }
            // A stand-in that no text holds: member names that differ still do.
            output.append(0)
            output.append(contentsOf: bytes[index + 2..<index + 6].map { $0 | 0x20 })
            return index + 6
        }
        output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        return next
    }

    /// The four hexadecimal digits of the `\u` escape at `index`.
    private func hexadecimal(at index: Int, limit: Int) throws(JSONError) -> UInt32 {
        guard index + 6 <= limit else { throw error(.invalidEscape, at: index) }
        var value: UInt32 = 0
        for digit in bytes[index + 2..<index + 6] {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(digit - UInt8(ascii: "A") + 10)
            default: throw error(.invalidEscape, at: index)
            }
        }
        return value
    }

    /// Well-formed byte sequences as table 3-7 of the Unicode standard lists them.
    private func validateUTF8(_ range: Range<Int>) throws(JSONError) {
        var index = range.lowerBound
        while index < range.upperBound {
            let lead = bytes[index]
            let (length, second): (Int, ClosedRange<UInt8>) =
                switch lead {
                case 0x00...0x7F: (1, 0x80...0xBF)
                case 0xC2...0xDF: (2, 0x80...0xBF)
                case 0xE0: (3, 0xA0...0xBF)
                case 0xED: (3, 0x80...0x9F)
                case 0xE1...0xEF: (3, 0x80...0xBF)
                case 0xF0: (4, 0x90...0xBF)
                case 0xF1...0xF3: (4, 0x80...0xBF)
                case 0xF4: (4, 0x80...0x8F)
                default: throw error(.invalidUTF8, at: index)
                }
            guard index + length <= range.upperBound else { throw error(.invalidUTF8, at: index) }
            if length > 1 {
                guard second.contains(bytes[index + 1]),
                    bytes[index + 2..<max(index + 2, index + length)].allSatisfy({ $0 & 0xC0 == 0x80 })
                else { throw error(.invalidUTF8, at: index) }
            }
            index += length
        }
    }
}
