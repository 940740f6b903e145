// Which bytes HTTP allows where, as two masks of 64 bits each.

/// A set of ASCII bytes. The masks are literals because a set that is computed is guarded by a check at each use;
/// the tests compare them with the characters.
struct ByteSet: Sendable {
    let low: UInt64
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        byte < 128 && ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 == 1
    }

    /// What names of methods and header fields consist of (`tchar`): letters, digits, ``!#$%&'*+-.^_`|~``.
    static let token = ByteSet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)

    /// What a path and a query consist of (`pchar`, `/`, `?`), percent signs included.
    static let target = ByteSet(low: 0xAFFF_FFF2_0000_0000, high: 0x47FF_FFFE_87FF_FFFF)

    /// What a host with an optional port consists of.
    static let host = ByteSet(low: 0x2FFF_7FF2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE)
}

/// The value of a hexadecimal digit, or nil.
@inline(__always)
func hexadecimalValue(_ byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
    default: nil
    }
}

/// Whether a byte may stand in a field's value: visible, space, tab, or beyond ASCII.
@inline(__always)
func isFieldValueByte(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte != 0x7F || byte == 0x09
}

/// Whether the bytes of `range` are `word`, which is given in small letters, whatever their case.
@inline(__always)
func equalsIgnoringCase(_ input: Span<UInt8>, _ range: Range<Int>, _ word: StaticString) -> Bool {
    guard range.count == word.utf8CodeUnitCount else { return false }
    return word.withUTF8Buffer { letters in
        for index in 0..<letters.count where lowercased(input[range.lowerBound + index]) != letters[index] {
            return false
        }
        return true
    }
}

/// A text from bytes that are known to be ASCII.
func asciiText(_ input: Span<UInt8>, _ range: Range<Int>) -> String {
    input.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
}
