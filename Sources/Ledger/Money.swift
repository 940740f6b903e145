/// The range of every sum of money: what `numeric(38,0)` holds.
public enum Money {
    /// The largest magnitude in minor units: 10^38 - 1.
    public static let largest: Int128 = 99_999_999_999_999_999_999_999_999_999_999_999_999

    /// The sum, or nil when it leaves the range of money.
    public static func sum(_ left: Int128, _ right: Int128) -> Int128? {
        let (sum, overflow) = left.addingReportingOverflow(right)
        guard !overflow, sum <= largest, sum >= -largest else { return nil }
        return sum
    }

    /// The greatest number of characters that a sum in an asset of this scale has.
    public static func textCapacity(scale: Int) -> Int { max(39, scale + 1) + 2 }

    /// Appends minor units as a decimal in the asset's units with its full scale, for example `10.50`.
    public static func append(_ minorUnits: Int128, scale: Int, to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: textCapacity(scale: scale)) { buffer in
            let length = write(minorUnits, scale: scale, to: buffer)
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(buffer)[..<length]))
        }
    }

    /// Writes the same text as `append` to the start of `buffer`, which has room for `textCapacity` characters;
    /// returns its length.
    public static func write(
        _ minorUnits: Int128, scale: Int, to buffer: UnsafeMutableBufferPointer<UInt8>
    ) -> Int {
        precondition(buffer.count >= textCapacity(scale: scale), "no room for a sum of money")
        let magnitude = minorUnits.magnitude
        let sign = minorUnits < 0 ? 1 : 0
        if sign == 1 { buffer[0] = 0x2D }
        let digits = max(digitCount(magnitude), scale + 1)
        let length = sign + digits + (scale > 0 ? 1 : 0)
        var position = length
        var rest = magnitude
        var part: UInt64 = 0
        // One 128-bit division for each 19 digits: the wide division is far slower than the narrow one.
        for index in 0..<digits {
            if index % 19 == 0 {
                if let narrow = UInt64(exactly: rest), narrow < 10_000_000_000_000_000_000 {
                    part = narrow
                    rest = 0
                } else {
                    let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10_000_000_000_000_000_000)
                    part = UInt64(truncatingIfNeeded: remainder)
                    rest = quotient
                }
            }
            if index == scale, index > 0 {
                position -= 1
                buffer[position] = 0x2E
            }
            position -= 1
            buffer[position] = UInt8(truncatingIfNeeded: 0x30 &+ part % 10)
            part /= 10
        }
        return length
    }

    private static func digitCount(_ value: UInt128) -> Int {
        var count = 1
        if var narrow = UInt64(exactly: value) {
            while narrow >= 10 {
                narrow /= 10
                count += 1
            }
            return count
        }
        var bound: UInt128 = 10
        while value >= bound {
            count += 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        return count
    }

    /// Minor units as a decimal in the asset's units with its full scale, for example `10.50`.
    public static func text(_ minorUnits: Int128, scale: Int) -> String {
        var bytes: [UInt8] = []
        append(minorUnits, scale: scale, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A sum of money that moves: 1 to 10^38 - 1 minor units.
public struct Amount: Hashable, Sendable {
    /// The sum in the asset's minor units; always positive.
    public let minorUnits: Int128

    /// Takes minor units; nil unless they are positive and in the range of money.
    public init?(minorUnits: Int128) {
        guard minorUnits > 0, minorUnits <= Money.largest else { return nil }
        self.minorUnits = minorUnits
    }
}

/// A sum as a client wrote it: digits and the number of decimals, before an asset gives it a scale.
public struct DecimalAmount: Hashable, Sendable {
    /// Why a text is no sum of money.
    public enum Flaw: Error, Hashable, Sendable {
        /// Not plain digits with at most one point between them.
        case notDecimal
        /// More digits than any sum may have.
        case outOfRange
    }

    /// The digits without the point and without trailing zeros behind it.
    public let unscaled: Int128
    /// How many of `unscaled`'s digits stand behind the point.
    public let decimals: Int
    /// How many digits the client wrote behind the point, trailing zeros included.
    public let writtenDecimals: Int

    /// Reads `0`, `12`, `12.50`: no sign, no exponent, no leading zeros, digits on both sides of a point.
    @inlinable
    public init(text: some Sequence<UInt8>) throws(Flaw) {
        let read = text.withContiguousStorageIfAvailable { DecimalAmount.read($0) }
        self = try (read ?? Array(text).withUnsafeBufferPointer { DecimalAmount.read($0) }).get()
    }

    /// Reads the same from UTF-8 bytes.
    public init(utf8 bytes: UnsafeBufferPointer<UInt8>) throws(Flaw) {
        var value: Int128 = 0
        // The first 18 digits fit into 64 bits, and most sums have no more.
        var narrow: Int64 = 0
        var digits = 0
        var pointAt: Int?
        var leadingZero = false
        var tooLarge = false
        for byte in bytes {
            let digit = byte &- 0x30
            guard digit <= 9 else {
                guard byte == 0x2E, pointAt == nil, digits > 0 else { throw .notDecimal }
                pointAt = digits
                continue
            }
            if pointAt == nil, leadingZero { throw .notDecimal }
            if digits == 0, digit == 0 { leadingZero = true }
            digits += 1
            if digits > 100 { throw .outOfRange }
            if digits <= 18 {
                narrow = narrow &* 10 &+ Int64(digit)
                continue
            }
            if digits == 19 { value = Int128(narrow) }
            // Kept in range while reading on: a later byte may still show that it is no number at all.
            if value > Money.largest / 10 { tooLarge = true } else { value = value * 10 + Int128(digit) }
            if value > Money.largest { tooLarge = true }
        }
        guard digits > 0, pointAt != digits else { throw .notDecimal }
        if tooLarge { throw .outOfRange }
        var decimals = pointAt.map { digits - $0 } ?? 0
        writtenDecimals = decimals
        if digits <= 18 {
            while decimals > 0, narrow % 10 == 0 {
                narrow /= 10
                decimals -= 1
            }
            value = Int128(narrow)
        }
        while digits > 18, decimals > 0, value % 10 == 0 {
            value /= 10
            decimals -= 1
        }
        unscaled = value
        self.decimals = decimals
    }

    @usableFromInline
    static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> Result<DecimalAmount, Flaw> {
        Result { () throws(Flaw) in try DecimalAmount(utf8: bytes) }
    }

    /// True for `0`, `0.00` and the like.
    public var isZero: Bool { unscaled == 0 }

    /// The sum in minor units of an asset with `scale` decimals.
    /// Throws `amountPrecision` for more written decimals than the asset has, `amountOutOfRange` for an overflow.
    public func minorUnits(scale: Int) throws(Refusal) -> Int128 {
        guard writtenDecimals <= scale else { throw .amountPrecision(scale: scale) }
        var value = unscaled
        var written = decimals
        if var narrow = Int64(exactly: value) {
            while written < scale, narrow < Int64.max / 10 {
                narrow *= 10
                written += 1
            }
            value = Int128(narrow)
        }
        for _ in written..<scale {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow, product <= Money.largest else { throw .amountOutOfRange }
            value = product
        }
        return value
    }
}
