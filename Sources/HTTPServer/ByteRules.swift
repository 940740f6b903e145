// Which bytes HTTP allows where, as two masks of 64 bits each.

/// A set of ASCII bytes.
struct ByteSet: Sendable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    init(_ text: StaticString) {
        text.withUTF8Buffer { bytes in
            for byte in bytes {
                if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte & 63) }
            }
        }
    }

    private init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        byte < 128 && ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 == 1
    }

    func union(_ other: ByteSet) -> ByteSet { ByteSet(low: low | other.low, high: high | other.high) }

    private static let alphanumeric = ByteSet("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

    /// What names of methods and header fields consist of (`tchar`).
    static let token = alphanumeric.union(ByteSet("!#$%&'*+-.^_`|~"))

    /// What a path and a query consist of (`pchar`, `/`, `?`), percent signs included.
    static let target = alphanumeric.union(ByteSet("-._~!$&'()*+,;=:@/?%"))

    /// What a host with an optional port consists of.
    static let host = alphanumeric.union(ByteSet("-._~!$&'()*+,;=:[]%"))
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
