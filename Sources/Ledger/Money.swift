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

    /// Appends minor units as a decimal in the asset's units with its full scale, for example `10.50`.
    public static func append(_ minorUnits: Int128, scale: Int, to bytes: inout [UInt8]) {
        if minorUnits < 0 { bytes.append(0x2D) }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 80) { digits in
            var position = 80
            var written = 0
            var rest = minorUnits.magnitude
            // One 128-bit division for each 19 digits: the wide division is far slower than the narrow one.
            while rest > 0 || written <= scale {
                let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10_000_000_000_000_000_000)
                var part = UInt64(truncatingIfNeeded: remainder)
                rest = quotient
                var left = 19
                while left > 0, part > 0 || rest > 0 || written <= scale {
                    if written == scale, scale > 0 {
                        position -= 1
                        digits[position] = 0x2E
                    }
                    position -= 1
                    digits[position] = UInt8(truncatingIfNeeded: 0x30 + part % 10)
                    part /= 10
                    written += 1
                    left -= 1
                }
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(digits)[position...]))
        }
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
    public init(text: some Sequence<UInt8>) throws(Flaw) {
        var value: Int128 = 0
        var digits = 0
        var pointAt: Int?
        var leadingZero = false
        var tooLarge = false
        for byte in text {
            if byte == 0x2E {
                guard pointAt == nil, digits > 0 else { throw .notDecimal }
                pointAt = digits
                continue
            }
            guard (0x30...0x39).contains(byte) else { throw .notDecimal }
            if pointAt == nil, leadingZero { throw .notDecimal }
            if digits == 0, byte == 0x30 { leadingZero = true }
            digits += 1
            if digits > 100 { throw .outOfRange }
            // Kept in range while reading on: a later byte may still show that it is no number at all.
            if value > Money.largest / 10 { tooLarge = true } else { value = value * 10 + Int128(byte - 0x30) }
            if value > Money.largest { tooLarge = true }
        }
        guard digits > 0, pointAt != digits else { throw .notDecimal }
        if tooLarge { throw .outOfRange }
        var decimals = pointAt.map { digits - $0 } ?? 0
        writtenDecimals = decimals
        while decimals > 0, value % 10 == 0 {
            value /= 10
            decimals -= 1
        }
        unscaled = value
        self.decimals = decimals
    }

    /// True for `0`, `0.00` and the like.
    public var isZero: Bool { unscaled == 0 }

    /// The sum in minor units of an asset with `scale` decimals.
    /// Throws `amountPrecision` for more written decimals than the asset has, `amountOutOfRange` for an overflow.
    public func minorUnits(scale: Int) throws(Refusal) -> Int128 {
        guard writtenDecimals <= scale else { throw .amountPrecision(scale: scale) }
        var value = unscaled
        for _ in decimals..<scale {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow, product <= Money.largest else { throw .amountOutOfRange }
            value = product
        }
        return value
    }
}
