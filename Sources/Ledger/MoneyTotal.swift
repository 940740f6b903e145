/// What any number of sums of money add up to, in minor units. No wallet ever holds so much, but what went through one
/// may leave the range of money, and so may what all wallets have together.
public struct MoneyTotal: Hashable, Sendable {
    /// One more than the largest sum of money: 10^38.
    private static let base = Money.largest + 1
    /// How many digits `low` has at most.
    private static let lowDigits = 38

    /// How often `base` is in the total, rounded down.
    private var high: Int64 = 0
    /// The rest: from 0 to below `base`.
    private var low: Int128 = 0

    /// Nothing.
    public init() {}

    /// Reads a whole number as PostgreSQL writes it, `-12` for example; nil for any other text.
    public init?(text: String) {
        let digits = text.drop { $0 == "-" }
        guard text.count - digits.count <= 1, !digits.isEmpty, digits.allSatisfy({ "0"..."9" ~= $0 }),
            let high = digits.count > Self.lowDigits ? Int64(digits.dropLast(Self.lowDigits)) : 0,
            let low = Int128(digits.suffix(Self.lowDigits))
        else { return nil }
        (self.high, self.low) = (high, low)
        if digits.count < text.count { self = negated }
    }

    /// Adds a sum in the range of money.
    public mutating func add(_ minorUnits: Int128) {
        // Two sums may be more than the type holds: the carry is seen before they are added.
        if minorUnits >= Self.base - low {
            low = minorUnits - (Self.base - low)
            high += 1
        } else if low + minorUnits < 0 {
            low += minorUnits + Self.base
            high -= 1
        } else {
            low += minorUnits
        }
    }

    /// The total as a decimal in the asset's units with its full scale, as `Money.text` writes a sum.
    public func text(scale: Int) -> String {
        let magnitude = high < 0 ? negated : self
        var digits = "\(magnitude.low)"
        if magnitude.high > 0 {
            digits = "\(magnitude.high)" + String(repeating: "0", count: Self.lowDigits - digits.count) + digits
        }
        digits = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
        let fraction = scale > 0 ? "." + digits.suffix(scale) : ""
        return (high < 0 ? "-" : "") + digits.dropLast(scale) + fraction
    }

    private var negated: MoneyTotal {
        var result = self
        result.high = low == 0 ? -high : -high - 1
        result.low = low == 0 ? 0 : Self.base - low
        return result
    }
}

extension MoneyTotal: CustomStringConvertible {
    /// The minor units, such as `-1200`: what PostgreSQL writes for the same number.
    public var description: String { text(scale: 0) }
}
