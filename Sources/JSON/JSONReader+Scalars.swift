// Values without structure: literals, numbers and strings.

extension JSONReader {
    /// Reads `null`.
    public mutating func readNull() throws(JSONError) {
        try require(.null)
        try literal("null")
    }

    /// Reads `null` when that is the next value and says whether it was.
    public mutating func readNullIfPresent() throws(JSONError) -> Bool {
        guard try peekKind() == .null else { return false }
        try literal("null")
        return true
    }

    /// Reads `true` or `false`.
    public mutating func readBool() throws(JSONError) -> Bool {
        try require(.boolean)
        let isTrue = bytes[position] == UInt8(ascii: "t")
        try literal(isTrue ? "true" : "false")
        return isTrue
    }

    /// Reads a string, its escapes resolved.
    public mutating func readString() throws(JSONError) -> String {
        try require(.string)
        return try scanString()
    }

    /// Reads a number as its exact text, such as `10.50` or `-1e3`.
    public mutating func readNumberText() throws(JSONError) -> String {
        try require(.number)
        return String(decoding: bytes[try scanNumber()], as: UTF8.self)
    }

    /// Reads a whole number of 64 bits; a fraction or an exponent is refused, even a superfluous one.
    public mutating func readInt64() throws(JSONError) -> Int64 {
        try require(.number)
        let range = try scanNumber()
        var digits = range
        let isNegative = bytes[range.lowerBound] == UInt8(ascii: "-")
        if isNegative { digits = range.lowerBound + 1..<range.upperBound }
        var value: Int64 = 0
        for index in digits {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { throw error(.notAnInteger, at: range.lowerBound) }
            // Built downwards, because Int64.min has no positive counterpart.
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, underflow) = scaled.subtractingReportingOverflow(Int64(digit))
            guard !overflow, !underflow else { throw error(integerProblem(in: digits), at: range.lowerBound) }
            value = next
        }
        guard !isNegative else { return value }
        guard value != .min else { throw error(.integerOutOfRange, at: range.lowerBound) }
        return -value
    }

    /// `integerOutOfRange`, or `notAnInteger` when the long number is not a whole one either.
    private func integerProblem(in digits: Range<Int>) -> JSONError.Kind {
        let isWhole = bytes[digits].allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return isWhole ? .integerOutOfRange : .notAnInteger
    }

    private mutating func literal(_ text: StaticString) throws(JSONError) {
        for index in 0..<text.utf8CodeUnitCount {
            guard position < bytes.count else { throw error(.unexpectedEnd) }
            let wanted = text.withUTF8Buffer { $0[index] }
            guard bytes[position] == wanted else { throw unexpected() }
            position += 1
        }
    }
}

// MARK: - Numbers

extension JSONReader {
    /// The bytes of the number at the reader's position.
    mutating func scanNumber() throws(JSONError) -> Range<Int> {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        if position < bytes.count, bytes[position] == UInt8(ascii: "0") {
            position += 1
        } else {
            try scanDigits(from: start)
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            try scanDigits(from: start)
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try scanDigits(from: start)
        }
        if position < bytes.count {
            // A delimiter has to follow; without this check "01" would be reported as two values.
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09, UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"): break
            default: throw error(.invalidNumber, at: start)
            }
        }
        return start..<position
    }

    private mutating func scanDigits(from start: Int) throws(JSONError) {
        let first = position
        while position < bytes.count, bytes[position] &- UInt8(ascii: "0") <= 9 { position += 1 }
        guard position > first else {
            throw position < bytes.count ? error(.invalidNumber, at: start) : error(.unexpectedEnd)
        }
    }
}

// MARK: - Strings

extension JSONReader {
    /// The string whose opening quote is at the reader's position.
    mutating func scanString() throws(JSONError) -> String {
        let start = position + 1
        var end = start
        var hasEscapes = false
        var allBits: UInt8 = 0
        bytes.withUnsafeBufferPointer { bytes in
            while end < bytes.count {
                let byte = bytes[end]
                if byte < 0x20 || byte == UInt8(ascii: "\"") { break }
                if byte == UInt8(ascii: "\\") {
                    hasEscapes = true
                    end += 1
                }
                allBits |= byte
                end += 1
            }
        }
        position = min(end, bytes.count)
        guard end < bytes.count else { throw error(.unexpectedEnd) }
        guard bytes[end] == UInt8(ascii: "\"") else { throw error(.controlCharacter) }
        if allBits >= 0x80 { try validateUTF8(start..<end) }
        position = end + 1
        if hasEscapes { return try unescape(start..<end) }
        return bytes.withUnsafeBufferPointer { String(decoding: $0[start..<end], as: UTF8.self) }
    }

    private func unescape(_ range: Range<Int>) throws(JSONError) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
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
                index = try unescapeUnicode(at: index, limit: range.upperBound, into: &output)
                continue
            default: throw error(.invalidEscape, at: index)
            }
            index += 2
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Appends the character of the `\u` escape at `index` (with its second half) and returns the index after it.
    private func unescapeUnicode(
        at index: Int, limit: Int, into output: inout [UInt8]
    ) throws(JSONError) -> Int {
        var value = try hexadecimal(at: index, limit: limit)
        var next = index + 6
        if value & 0xFC00 == 0xD800 {
            guard next + 1 < limit, bytes[next] == UInt8(ascii: "\\"), bytes[next + 1] == UInt8(ascii: "u") else {
                throw error(.loneSurrogate, at: index)
            }
            let low = try hexadecimal(at: next, limit: limit)
            guard low & 0xFC00 == 0xDC00 else { throw error(.loneSurrogate, at: index) }
            value = 0x10000 + (value & 0x3FF) << 10 + (low & 0x3FF)
            next += 6
        }
        guard value != 0 else { throw error(.nulCharacter, at: index) }
        guard let scalar = Unicode.Scalar(value) else { throw error(.loneSurrogate, at: index) }
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
