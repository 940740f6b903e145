import Ledger
import Testing

/// Decimals on arrays of digits: slow, plain and written without 128-bit numbers.
private enum DigitArrays {
    enum Reading: Equatable {
        case flaw
        case outOfRange
        case precision
        case minorUnits(String)
    }

    static let limit = 38

    /// What a text means in minor units of an asset with `scale` decimals.
    static func read(_ text: String, scale: Int) -> Reading {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(Array.init)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy("0123456789".contains) }),
            parts[0].count == 1 || parts[0][0] != "0"
        else { return .flaw }
        let fraction = parts.count == 2 ? parts[1] : []
        if stripped(parts[0] + fraction).count > limit { return .outOfRange }
        guard fraction.count <= scale else { return .precision }
        let digits = stripped(parts[0] + fraction + Array(repeating: "0", count: scale - fraction.count))
        return digits.count > limit ? .outOfRange : .minorUnits(String(digits))
    }

    /// The text of minor units, given as digits.
    static func write(_ minorUnits: String, negative: Bool, scale: Int) -> String {
        var digits = Array(minorUnits)
        while digits.count <= scale { digits.insert("0", at: 0) }
        if scale > 0 { digits.insert(".", at: digits.count - scale) }
        return (negative ? "-" : "") + String(digits)
    }

    private static func stripped(_ digits: [Character]) -> [Character] {
        let rest = Array(digits.drop { $0 == "0" })
        return rest.isEmpty ? ["0"] : rest
    }
}

@Suite("Money as text")
struct MoneyTests {
    private static let nines = String(repeating: "9", count: 38)

    private func read(_ text: String, scale: Int) -> DigitArrays.Reading {
        do throws(DecimalAmount.Flaw) {
            let amount = try DecimalAmount(text: text.utf8)
            do throws(Refusal) {
                return .minorUnits(String(try amount.minorUnits(scale: scale)))
            } catch {
                #expect(error == .amountOutOfRange || error == .amountPrecision(scale: scale), "\(text)")
                return error == .amountOutOfRange ? .outOfRange : .precision
            }
        } catch {
            return error == .outOfRange ? .outOfRange : .flaw
        }
    }

    @Test(
        "texts that are no sum of money",
        arguments: [
            "", ".", "1.", ".1", "1..2", "1.2.3", "00", "01", "00.1", "-1", "+1", "-0", "1e2", "1E2", "0x1", "1,5",
            " 1", "1 ", "1_000", "٣", "NaN", "inf", "\u{0}", "1\u{0}", "１",
        ])
    func badTexts(text: String) {
        #expect(throws: DecimalAmount.Flaw.notDecimal) { try DecimalAmount(text: text.utf8) }
    }

    @Test("a sum keeps what was written")
    func writtenDecimals() throws {
        let amount = try sum("10.500")
        #expect(amount.unscaled == 105 && amount.decimals == 1 && amount.writtenDecimals == 3 && !amount.isZero)
        #expect(throws: Refusal.amountPrecision(scale: 2)) { try amount.minorUnits(scale: 2) }
        #expect(try amount.minorUnits(scale: 3) == 10_500)
        #expect(try sum("0").isZero && sum("0.000").isZero && !sum("0.001").isZero)
        #expect(try sum("0.00").minorUnits(scale: 2) == 0)
    }

    @Test("the limit of money, at every scale", arguments: 0...30)
    func limits(scale: Int) throws {
        let largest = DigitArrays.write(Self.nines, negative: false, scale: scale)
        #expect(try sum(largest).minorUnits(scale: scale) == Money.largest)
        #expect(Money.text(Money.largest, scale: scale) == largest)
        #expect(Money.text(-Money.largest, scale: scale) == "-" + largest)
        #expect(Money.text(0, scale: scale) == (scale == 0 ? "0" : "0." + String(repeating: "0", count: scale)))
        #expect(Money.text(1, scale: scale) == DigitArrays.write("1", negative: false, scale: scale))
        // One more minor unit has 39 digits, written out or with its zeros left to the scale.
        let above = DigitArrays.write("1" + String(repeating: "0", count: 38), negative: false, scale: scale)
        #expect(read(above, scale: scale) == .outOfRange)
        let short = "1" + String(repeating: "0", count: 38 - scale)
        #expect(read(short, scale: scale) == .outOfRange)
        #expect(read(String(repeating: "9", count: 38 - scale), scale: scale) != .outOfRange)
    }

    @Test("texts of any length end")
    func longTexts() {
        #expect(read(String(repeating: "9", count: 100), scale: 0) == .outOfRange)
        #expect(read(String(repeating: "9", count: 100_000), scale: 0) == .outOfRange)
        #expect(read("0." + String(repeating: "0", count: 200), scale: 30) == .outOfRange)
        #expect(read("0." + String(repeating: "0", count: 31), scale: 30) == .precision)
    }

    @Test("sums leave the range of money as nil")
    func sums() {
        #expect(Money.sum(Money.largest - 1, 1) == Money.largest)
        #expect(Money.sum(Money.largest, 1) == nil)
        #expect(Money.sum(-Money.largest, -1) == nil)
        #expect(Money.sum(-Money.largest, 1) == 1 - Money.largest)
        #expect(Money.sum(Int128.max, Int128.max) == nil && Money.sum(Int128.min, Int128.min) == nil)
        #expect(Money.largest.description == Self.nines)
    }

    @Test("amounts are positive and in range")
    func amounts() {
        #expect(Amount(minorUnits: 0) == nil && Amount(minorUnits: -1) == nil)
        #expect(Amount(minorUnits: Money.largest)?.minorUnits == Money.largest)
        #expect(Amount(minorUnits: Money.largest + 1) == nil)
    }

    @Test("random texts read as the digit arrays read them")
    func randomReading() {
        var numbers = SeededNumbers.announced("random money texts")
        for _ in 0..<20_000 {
            let text = randomText(&numbers)
            let scale = numbers.below(31)
            let expected = DigitArrays.read(text, scale: scale)
            let actual = read(text, scale: scale)
            guard actual == expected else {
                Issue.record("seed \(numbers.seed): \(text) at scale \(scale): \(actual), expected \(expected)")
                return
            }
        }
    }

    @Test("random sums are written as the digit arrays write them, and read back")
    func randomWriting() throws {
        var numbers = SeededNumbers.announced("random money sums")
        for _ in 0..<20_000 {
            let width = UInt128(1) << UInt128(numbers.below(127))
            let value = Int128(UInt128.random(in: 0..<width, using: &numbers)) % (Money.largest + 1)
            let scale = numbers.below(31)
            let text = Money.text(value, scale: scale)
            let signed = Money.text(-value, scale: scale)
            guard text == DigitArrays.write(String(value), negative: false, scale: scale),
                signed == DigitArrays.write(String(value), negative: value > 0, scale: scale),
                try sum(text).minorUnits(scale: scale) == value
            else {
                Issue.record("seed \(numbers.seed): \(value) at scale \(scale): \(text)")
                return
            }
        }
    }

    /// Mostly well formed, of all lengths, now and then spoilt.
    private func randomText(_ numbers: inout SeededNumbers) -> String {
        func digits(_ count: Int) -> String {
            let plain = numbers.once(in: 3) ? Array("0009") : Array("0123456789")
            return String((0..<count).map { _ in plain[numbers.below(plain.count)] })
        }
        var text = String(digits(1 + numbers.below(40)).drop { $0 == "0" })
        if text.isEmpty { text = "0" }
        if !numbers.once(in: 4) { text += "." + digits(1 + numbers.below(32)) }
        if numbers.once(in: 10) {
            let spoiling = Array("0.-+e x")
            let place = text.index(text.startIndex, offsetBy: numbers.below(text.count + 1))
            text.insert(spoiling[numbers.below(spoiling.count)], at: place)
        }
        return text
    }
}
