// Literals and numbers.

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

    /// Reads a number as its exact text, such as `10.50` or `-1e3`.
    public mutating func readNumberText() throws(JSONError) -> String {
        try require(.number)
        let range = try scanNumber()
        return string(JSONText(start: range.lowerBound, end: range.upperBound, hasEscapes: false))
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
