import Ledger
import Testing

/// Totals are written and read exactly, within the range of money and beyond it.
@Suite struct MoneyTotalTests {
    private static let nines = String(repeating: "9", count: 38)

    private func total(_ sums: Int128...) -> MoneyTotal {
        sums.reduce(into: MoneyTotal()) { $0.add($1) }
    }

    @Test func withinTheRangeOfMoneyItIsTheSum() {
        let pairs: [(Int128, Int128)] = [
            (0, 0), (5, -5), (-5, 3), (1_250, -50), (Money.largest, -1), (-Money.largest, 1),
        ]
        for (left, right) in pairs {
            let sum = left + right
            #expect(total(left, right).description == "\(sum)")
            for scale in [0, 2, 3, 30] {
                #expect(total(left, right).text(scale: scale) == Money.text(sum, scale: scale))
            }
        }
    }

    @Test func beyondTheRangeOfMoneyNothingIsLost() {
        #expect(total(Money.largest, 1).description == "1" + String(repeating: "0", count: 38))
        #expect(total(-Money.largest, -1).description == "-1" + String(repeating: "0", count: 38))
        let twice = "1" + Self.nines.dropLast() + "8"
        #expect(total(Money.largest, Money.largest).description == twice)
        #expect(total(-Money.largest, -Money.largest).description == "-\(twice)")
        #expect(total(-Money.largest, -Money.largest).text(scale: 2) == "-\(twice.dropLast(2)).98")
        #expect(total(Money.largest, 1).text(scale: 30) == "100000000." + String(repeating: "0", count: 30))
    }

    @Test func whatWasTakenAwayIsGone() {
        #expect(total(Money.largest, Money.largest, -Money.largest, -Money.largest) == MoneyTotal())
        #expect(total(-Money.largest, -Money.largest, Money.largest, Money.largest, 7) == total(7))
        #expect(total(-1, Money.largest, 2) == total(Money.largest, 1))
    }

    @Test(arguments: [
        "0", "7", "-7", "-1200", nines, "-\(nines)", "1\(nines)", "-1\(nines)",
        "-2" + String(repeating: "0", count: 38), "9223372036854775807\(nines)",
    ])
    func whatIsReadIsWritten(_ text: String) {
        #expect(MoneyTotal(text: text)?.description == text)
    }

    @Test(arguments: ["", "-", "--1", "1-", "+1", "1.0", "NaN", " 1", "1e3", "٣", "9223372036854775808\(nines)"])
    func whatIsNoWholeNumberIsNotRead(_ text: String) {
        #expect(MoneyTotal(text: text) == nil)
    }
}
