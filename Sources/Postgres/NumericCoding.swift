/// PostgreSQL's binary form of `numeric`: digits to the base 10000 after a head of four 16-bit words (number of digits,
/// weight of the first, sign, decimal places). Whole numbers only.
enum NumericCoding {
    private static let negative: UInt16 = 0x4000

    /// Appends a whole number: at most 10 digits to the base 10000, because 2^127 has 39 decimal digits.
    @inline(__always)
    static func append(_ value: Int128, to buffer: inout WireBuffer) {
        let sign = value < 0 ? negative : 0
        let magnitude = value.magnitude
        if let small = UInt64(exactly: magnitude) {
            append(small, sign: sign, to: &buffer)
        } else {
            appendWide(magnitude, sign: sign, to: &buffer)
        }
    }

    private static func append(_ magnitude: UInt64, sign: UInt16, to buffer: inout WireBuffer) {
        var digits = 0
        var rest = magnitude
        while rest > 0 {
            digits &+= 1
            rest /= 10_000
        }
        let place = head(digits: digits, sign: sign, to: &buffer)
        fill(magnitude, place: place, from: 0, count: digits)
    }

    @inline(never)
    private static func appendWide(_ magnitude: UInt128, sign: UInt16, to buffer: inout WireBuffer) {
        // Blocks of 16 decimal digits, so that all but two divisions work on 64 bits.
        let block: UInt128 = 10_000_000_000_000_000
        let (upper, low) = magnitude.quotientAndRemainder(dividingBy: block)
        let (high, middle) = upper.quotientAndRemainder(dividingBy: block)
        var leading = high > 0 ? UInt64(truncatingIfNeeded: high) : UInt64(truncatingIfNeeded: middle)
        var leadingDigits = 0
        let first = leading
        while leading > 0 {
            leadingDigits += 1
            leading /= 10_000
        }
        let digits = leadingDigits + (high > 0 ? 8 : 4)
        let place = head(digits: digits, sign: sign, to: &buffer)
        fill(first, place: place, from: 0, count: leadingDigits)
        if high > 0 { fill(UInt64(truncatingIfNeeded: middle), place: place, from: leadingDigits, count: 4) }
        fill(UInt64(truncatingIfNeeded: low), place: place, from: digits - 4, count: 4)
    }

    @inline(__always)
    private static func head(digits: Int, sign: UInt16, to buffer: inout WireBuffer) -> UnsafeMutableRawPointer {
        let place = buffer.extend(by: 8 + 2 * digits)
        place.storeBytes(of: Int16(truncatingIfNeeded: digits).bigEndian, as: Int16.self)
        place.storeBytes(
            of: Int16(truncatingIfNeeded: max(0, digits &- 1)).bigEndian, toByteOffset: 2, as: Int16.self)
        place.storeBytes(of: sign.bigEndian, toByteOffset: 4, as: UInt16.self)
        place.storeBytes(of: 0, toByteOffset: 6, as: UInt16.self)
        return place + 8
    }

    @inline(__always)
    private static func fill(_ value: UInt64, place: UnsafeMutableRawPointer, from first: Int, count: Int) {
        var rest = value
        var index = first &+ count &- 1
        while index >= first {
            let digit = UInt16(truncatingIfNeeded: rest % 10_000)
            place.storeBytes(of: digit.bigEndian, toByteOffset: 2 &* index, as: UInt16.self)
            rest /= 10_000
            index &-= 1
        }
    }

    /// The whole number in the binary form, or why it is none.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Result<Int128, Problem> {
        guard bytes.count >= 8 else { return .failure(.malformed) }
        func word(_ offset: Int) -> UInt16 {
            UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        }
        let digits = Int(word(0))
        let weight = Int(Int16(bitPattern: word(2)))
        let sign = word(4)
        guard sign == 0 || sign == negative else { return .failure(.notFinite) }
        guard word(6) == 0 else { return .failure(.fractional) }
        guard bytes.count == 8 + 2 * digits else { return .failure(.malformed) }
        guard digits > 0 else { return .success(0) }
        guard weight >= digits - 1 else { return .failure(.fractional) }
        guard weight < 10 else { return .failure(.tooLarge) }
        if weight < 4 {
            // At most 16 decimal digits: no overflow, and no 128-bit arithmetic.
            var value: Int64 = 0
            for index in 0...weight {
                value = value &* 10_000 &+ (index < digits ? Int64(word(8 + 2 * index)) : 0)
            }
            return .success(Int128(sign == 0 ? value : -value))
        }
        // Accumulated with its sign: the smallest Int128 has no positive counterpart.
        var value: Int128 = 0
        for index in 0...weight {
            let digit = index < digits ? Int128(word(8 + 2 * index)) : 0
            let (shifted, first) = value.multipliedReportingOverflow(by: 10_000)
            let (sum, second) =
                sign == 0 ? shifted.addingReportingOverflow(digit) : shifted.subtractingReportingOverflow(digit)
            guard !first, !second else { return .failure(.tooLarge) }
            value = sum
        }
        return .success(value)
    }

    enum Problem: String, Error {
        case malformed = "malformed numeric"
        case notFinite = "NaN or infinity is no whole number"
        case fractional = "numeric with decimal places is no whole number"
        case tooLarge = "numeric exceeds 128 bits"
    }
}
