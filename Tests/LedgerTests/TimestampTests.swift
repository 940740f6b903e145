import Ledger
import Testing

@Suite("Timestamps as text")
struct TimestampTests {
    /// Microseconds known from elsewhere (GNU date), with the text in UTC.
    private static let known: [(Int64, String)] = [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
        (951_868_800_000_000, "2000-03-01T00:00:00.000000Z"),
        (-2_203_891_200_000_000, "1900-03-01T00:00:00.000000Z"),
        (-2_203_891_200_000_001, "1900-02-28T23:59:59.999999Z"),
        (1_709_164_800_000_000, "2024-02-29T00:00:00.000000Z"),
        (1_735_689_599_000_000, "2024-12-31T23:59:59.000000Z"),
        (1_795_255_200_123_456, "2026-11-21T10:00:00.123456Z"),
        (2_147_483_648_000_000, "2038-01-19T03:14:08.000000Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ]

    @Test("known moments, both ways")
    func knownMoments() {
        for (microseconds, text) in Self.known {
            let moment = Timestamp(microseconds: microseconds)
            #expect(moment.text == text && moment.description == text)
            #expect(Timestamp(text: text) == moment, "\(text)")
        }
        #expect(Timestamp.earliest.microseconds == Self.known[12].0)
        #expect(Timestamp.latest.microseconds == Self.known[13].0)
    }

    @Test("other writings of the same moment")
    func otherWritings() {
        let moment = Timestamp(microseconds: 1_795_255_200_500_000)
        for text in [
            "2026-11-21T10:00:00.5Z", "2026-11-21t10:00:00.500z", "2026-11-21T10:00:00.500000+00:00",
            "2026-11-21T10:00:00.5-00:00", "2026-11-21T11:30:00.5+01:30", "2026-11-20T10:01:00.5-23:59",
            "2026-11-22T09:59:00.50000+23:59", "2026-11-21T00:15:00.5-09:45",
        ] {
            #expect(Timestamp(text: text) == moment, "\(text)")
        }
        #expect(Timestamp(text: "2027-01-01T00:30:00+01:00")?.text == "2026-12-31T23:30:00.000000Z")
        #expect(Timestamp(text: "2024-02-29T23:30:00-01:00")?.text == "2024-03-01T00:30:00.000000Z")
        #expect(Timestamp(text: "0001-01-01T00:00:00-00:01")?.text == "0001-01-01T00:01:00.000000Z")
    }

    @Test(
        "texts that are no moment",
        arguments: [
            "", "2026-11-21", "2026-11-21T10:00:00", "2026-11-21 10:00:00Z", "2026-11-21T10:00Z",
            "2026-11-21T10:00:00.Z", "2026-11-21T10:00:00.1234567Z", "2026-11-21T10:00:00,5Z",
            "2026-11-21T10:00:00+0100", "2026-11-21T10:00:00+01", "2026-11-21T10:00:00+24:00",
            "2026-11-21T10:00:00+01:60", "2026-11-21T10:00:00ZZ", " 2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z ",
            "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
            "2026-04-31T00:00:00Z", "2026-06-31T00:00:00Z", "2026-09-31T00:00:00Z", "2026-11-31T00:00:00Z",
            "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-02-30T00:00:00Z",
            "2026-11-21T24:00:00Z", "2026-11-21T10:60:00Z", "2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "10000-01-01T00:00:00Z", "-001-01-01T00:00:00Z",
            "26-11-21T10:00:00Z", "2026-1-21T10:00:00Z", "2026/11/21T10:00:00Z", "20261121T100000Z",
            "2026-11-21T1０:00:00Z", "now", "1795255200",
        ])
    func badTexts(text: String) {
        #expect(Timestamp(text: text) == nil)
    }

    @Test("every day of 400 years, counted one by one")
    func everyDay() {
        var (year, month, day) = (1750, 1, 1)
        var microseconds: Int64 = -6_942_499_200_000_000
        while year < 2150 {
            let date = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)"
            let text = "\(date)T00:00:00.000000Z"
            guard Timestamp(microseconds: microseconds).text == text,
                Timestamp(text: text)?.microseconds == microseconds
            else {
                Issue.record("\(text) is not \(microseconds)")
                return
            }
            let leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
            let lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            day += 1
            if day > lengths[month - 1] { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
            microseconds += 86_400_000_000
        }
    }

    @Test("random moments go round")
    func roundTrips() {
        var numbers = SeededNumbers.announced("random moments")
        for _ in 0..<20_000 {
            let range = Timestamp.earliest.microseconds...Timestamp.latest.microseconds
            let moment = Timestamp(microseconds: Int64.random(in: range, using: &numbers))
            guard Timestamp(text: moment.text) == moment, moment.text.utf8.count == 27 else {
                Issue.record("seed \(numbers.seed): \(moment.microseconds)")
                return
            }
        }
    }

    @Test("order and addition")
    func arithmetic() {
        #expect(second(1) < second(2) && !(second(2) < second(2)))
        #expect(second(1).adding(seconds: 60) == second(61) && second(61).adding(seconds: -60) == second(1))
        #expect(Timestamp.latest.adding(seconds: 0) == .latest && Timestamp.latest.adding(seconds: 1) == nil)
        #expect(Timestamp.earliest.adding(seconds: -1) == nil)
        #expect(second(0).adding(seconds: .max) == nil && second(0).adding(seconds: .min) == nil)
        #expect(second(0).adding(seconds: Int64.max / 1_000_000) == nil)
    }

    @Test("a moment outside the years 1 to 9999 has some text, and no crash")
    func outside() {
        for microseconds in [Int64.min, Int64.max] {
            #expect(Timestamp(microseconds: microseconds).text.utf8.count == 27)
        }
    }
}
