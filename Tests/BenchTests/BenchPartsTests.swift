import Testing

@testable import Bench

@Suite struct LatencyHistogramTests {
    @Test func percentilesAreWithinOnePercentOfTheExactOnes() {
        let seed = UInt64.random(in: .min ... .max)
        print("histogram seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for spread in [7, 20, 33, 42] {
            var histogram = LatencyHistogram()
            var exact: [Int64] = []
            for _ in 0..<5000 {
                // Even over the exponents, so that all sizes of bucket are used.
                let value = Int64(random.next() >> UInt64(64 - 1 - random.below(spread)))
                histogram.record(value)
                exact.append(value)
            }
            exact.sort()
            for fraction in [0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1] {
                let rank = max(1, Int((fraction * 5000).rounded(.up)))
                let expected = exact[rank - 1]
                let actual = histogram.percentile(fraction)
                #expect(actual >= expected && Double(actual) <= Double(expected) * 1.01, "at \(fraction), seed \(seed)")
            }
            #expect(histogram.maximum == exact.last)
        }
    }

    @Test func edges() {
        var histogram = LatencyHistogram()
        #expect(histogram.percentile(0.5) == 0)
        histogram.record(-5)
        #expect(histogram.maximum == 0 && histogram.count == 1)
        histogram.record(.max)
        #expect(histogram.maximum == .max)
        var other = LatencyHistogram()
        other.record(127)
        other.record(128)
        other.merge(histogram)
        #expect(other.count == 4)
        #expect(other.percentile(0.5) == 127)
        other.reset()
        #expect(other.count == 0 && other.percentile(1) == 0)
    }
}

@Suite struct ArrivalScheduleTests {
    @Test func fixedGapsAreEqualAndStaggered() {
        var schedule = ArrivalSchedule(.fixed, rate: 1000, start: 5_000_000, offset: 0.5, seed: 1)
        var times: [Int64] = []
        for _ in 0..<4 {
            times.append(schedule.next)
            schedule.advance()
        }
        #expect(times == [5_500_000, 6_500_000, 7_500_000, 8_500_000])
    }

    @Test func poissonGapsHaveTheRateAndItsSpread() {
        var schedule = ArrivalSchedule(.poisson, rate: 1000, start: 0, offset: 0, seed: 42)
        var last: Int64 = 0
        var gaps: [Double] = []
        for _ in 0..<20_000 {
            #expect(schedule.next >= last)
            gaps.append(Double(schedule.next - last))
            last = schedule.next
            schedule.advance()
        }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        #expect((980_000...1_020_000).contains(mean))
        // Of exponential gaps, 1 - 1/e are below the mean.
        let below = Double(gaps.count { $0 < mean }) / Double(gaps.count)
        #expect((0.62...0.645).contains(below))
    }
}

@Suite struct ResponseParserTests {
    private static func parse(_ text: String) throws -> ResponseFrame? {
        let bytes = Array(text.utf8)
        return try ResponseParser.parse(bytes.span)
    }

    @Test func anAnswerIsReadOnlyOnceItIsWhole() throws {
        let head = """
            HTTP/1.1 201 Created\r\nServer: x\r\nWALLET-Source:  projection \r\nConnection: Close\r\n\
            Content-Length: 11\r\nETag: "3"\r\n\r\n
            """
        let bytes = Array((head + #"{"a":"b\n"}"#).utf8)
        for count in 0..<bytes.count {
            #expect(try ResponseParser.parse(bytes.span.extracting(first: count)) == nil, "\(count) bytes")
        }
        let frame = try #require(try ResponseParser.parse(bytes.span))
        #expect(frame.status == 201 && frame.closes && frame.source == .projection)
        #expect(frame.body == head.utf8.count..<bytes.count)
        let following = bytes + Array("HTTP/1.1".utf8)
        #expect(try ResponseParser.parse(following.span)?.body == frame.body)
    }

    @Test func plainHeads() throws {
        let text = "HTTP/1.1 503 \r\ncontent-length:0\r\nWallet-Source: ledger\r\n\r\n"
        let end = text.utf8.count
        let frame = try #require(try Self.parse(text))
        #expect(frame == ResponseFrame(status: 503, body: end..<end, closes: false, source: .ledger))
    }

    @Test(arguments: [
        "HTTP/1.0 200 OK\r\n\r\n", "SSH-2.0", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
    ])
    func hostileHeadsAreRefused(_ text: String) {
        #expect(throws: ResponseError.self) { try Self.parse(text) }
    }

    @Test func anEndlessHeadIsRefused() {
        let text = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: ResponseParser.maximumHead)
        #expect(throws: ResponseError.headTooLarge) { try Self.parse(text) }
    }
}

@Suite struct MemberScannerTests {
    @Test func theWalletVersionIsFoundInAnyOrder() {
        func version(_ text: String) -> Int64? {
            let bytes = Array(text.utf8)
            return MemberScanner.walletVersion(in: bytes.span)
        }
        #expect(version(#"{"id":"x","wallet":{"balance":"1.00","version":42}}"#) == 42)
        #expect(version(#"{"wallet" : { "version" : 7, "balance":"1.00"} , "version":9, "n":8}"#) == 7)
        #expect(version(#"{"x":"\"wallet\":{\"version\":1}","wallet":{"version":2}, "n":1 }"#) == 2)
        #expect(version(#"{"wallet":{"version":null}}"#) == nil)
        #expect(version(#"{"version":12}"#) == 12)
        #expect(version("") == nil)
        #expect(version(#"{"wallet":{"version":9999999999999999999}}"#) == nil)
    }

    @Test func membersByName() {
        let bytes = Array(#"{"code":"overloaded","amount":"-12.34","odd":"a\"b","n":5}"#.utf8)
        #expect(MemberScanner.string("code", in: bytes.span) == "overloaded")
        #expect(MemberScanner.string("odd", in: bytes.span) == nil)
        #expect(MemberScanner.string("n", in: bytes.span) == nil)
        #expect(MemberScanner.string("missing", in: bytes.span) == nil)
        #expect(MemberScanner.cents("amount", in: bytes.span) == -1234)
        #expect(MemberScanner.integer("n", in: bytes.span) == 5)
    }

    @Test(arguments: ["1", "1.2", "1.234", ".12", "1,23", "1.2.3", "", "99999999999999999999.00", "+1.00", "1.-1"])
    func moneyOfAnotherFormIsRefused(_ text: String) {
        #expect(MemberScanner.cents(text) == nil)
    }
}

@Suite struct BookCheckTests {
    @Test func versionsMustBeNamedOnceEach() {
        var tally = WalletTally()
        tally.acknowledge(Effect(balance: 5), version: 2)
        tally.acknowledge(Effect(balance: 5), version: 2)
        let statement = WalletStatement(sums: Effect(balance: 10), available: 10, version: 3)
        let found = BookCheck.differences(tally, statement, openingBalance: 0)
        #expect(found == ["the answers did not name each version from 2 to 3 once"])
        #expect(BookCheck.sumOfVersions(through: 1) == 0)
        #expect(BookCheck.sumOfVersions(through: 4) == 9)
    }

    @Test func changesWithoutAVersionAreCounted() {
        var tally = WalletTally()
        #expect(tally.reached == 1)
        tally.acknowledge(Effect(balance: 5), version: 2)
        #expect(tally.reached == 2)
        tally.acknowledge(Effect(balance: 5), version: nil)
        tally.acknowledge(Effect(balance: 5), version: nil)
        #expect(tally.reached == 4)
        var sum = WalletTally()
        sum.merge(tally)
        sum.merge(tally)
        #expect(sum.unnamedChanges == 4 && sum.reached == 7)
        func found(_ version: Int64) -> [String] {
            let statement = WalletStatement(sums: Effect(balance: 15), available: 15, version: version)
            return BookCheck.differences(tally, statement, openingBalance: 0)
        }
        #expect(found(4) == [])
        #expect(found(5) == ["version is 5, expected 4"])
    }

    @Test func moneyBetweenWalletsSumsUpToWhatWasThere() {
        func found(_ balances: [Int64], _ debits: Int64 = 3) -> [String] {
            let statements = balances.enumerated().map { index, balance in
                let sums = Effect(
                    balance: balance, pendingDebit: index == 0 ? debits : 0, pendingCredit: index == 1 ? 3 : 0)
                return WalletStatement(sums: sums, available: balance, version: 1)
            }
            return BookCheck.differences(inAll: statements, openingBalance: 100)
        }
        #expect(found([90, 110]) == [])
        #expect(found([90, 111]) == ["the balances of all wallets sum up to 2.01, not to 2.00"])
        #expect(found([90, 110], 4) == ["of all wallets 0.04 are announced and 0.03 reserved"])
    }

    @Test func doubtWidensTheRangeOnlyOfWhatItTouches() {
        var tally = WalletTally()
        tally.doubt(Effect(balance: -7, pendingCredit: -7))
        func found(_ balance: Int64, _ pending: Int64, _ version: Int64) -> [String] {
            let sums = Effect(balance: balance, pendingCredit: pending)
            let statement = WalletStatement(sums: sums, available: balance - pending, version: version)
            return BookCheck.differences(tally, statement, openingBalance: 100)
        }
        #expect(found(100, 0, 1) == [])
        #expect(found(93, -7, 2) == [])
        #expect(found(92, -7, 2) == ["balance is 0.92, expected 0.93 to 1.00"])
        #expect(found(100, 1, 2) == ["pending_credit is 0.01, expected -0.07 to 0.00"])
        #expect(found(100, 0, 3) == ["version is 3, expected 1 to 2"])
    }
}
