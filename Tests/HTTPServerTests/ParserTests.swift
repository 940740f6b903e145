import Testing

@testable import HTTPServer

@Suite struct ParserTests {
    @Test func acceptsWhatItMust() {
        for (input, expected) in RequestCases.accepted {
            #expect(Assembly.results(of: input) == expected, "\(input.debugDescription)")
        }
    }

    @Test func refusesWithTheRightStatus() {
        #expect(RequestCases.refused.count > 200)
        for (input, status) in RequestCases.refused {
            let shown = String(input.prefix(200)).debugDescription
            #expect(Assembly.refusal(of: input) == status, "\(shown)")
        }
    }

    /// Bytes beyond ASCII that are not UTF-8 cannot be written as Swift text.
    @Test func refusesRawBytes() {
        for byte in UInt8(0x80)...0xFF {
            for place in [
                "GET /X HTTP/1.1\r\nHost: a\r\n\r\n", "GXT / HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\nX: a\r\n\r\n",
            ] {
                let bytes = Array(place.utf8).map { $0 == UInt8(ascii: "X") ? byte : $0 }
                #expect(Assembly.results(of: [bytes]).first?.hasPrefix("400") == true)
            }
        }
    }

    @Test func everySplitGivesTheSame() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        for input in RequestCases.accepted.map(\.input) + RequestCases.refused.map(\.input) {
            let bytes = Array(input.utf8)
            let whole = Assembly.results(of: [bytes])
            let shown = String(input.prefix(200)).debugDescription
            // Feeding byte by byte hands all bytes of a long head over again each time.
            if bytes.count < 3_000 {
                #expect(Assembly.results(of: bytes.map { [$0] }) == whole, "\(shown)")
                for cut in 0...min(bytes.count, 300) {
                    #expect(
                        Assembly.results(of: [Array(bytes[..<cut]), Array(bytes[cut...])]) == whole, "\(cut) \(shown)")
                }
            }
            for _ in 0..<20 {
                #expect(Assembly.results(of: random.split(bytes)) == whole, "seed \(seed) \(shown)")
            }
        }
    }

    @Test func limitsAreExact() {
        let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(Assembly.refusal(of: head, limits: RequestLimits(maxHeadBytes: head.utf8.count)) == 0)
        #expect(Assembly.refusal(of: head, limits: RequestLimits(maxHeadBytes: head.utf8.count - 1)) == 431)
        #expect(Assembly.refusal(of: head, limits: RequestLimits(maxHeadBytes: 16)) == 431)
        #expect(Assembly.refusal(of: head, limits: RequestLimits(maxHeadBytes: 15)) == 414)
        #expect(Assembly.refusal(of: head, limits: RequestLimits(maxFields: 1)) == 0)
        #expect(Assembly.refusal(of: head, limits: RequestLimits(maxFields: 0)) == 431)
        let limits = RequestLimits(bodyLimit: { method, path in method == .post && path == "/large" ? 100 : 4 })
        for (path, size, status) in [("/large?a", 100, 0), ("/large", 101, 413), ("/", 4, 0), ("/", 5, 413)] {
            let body = String(repeating: "x", count: size)
            let line = "POST \(path) HTTP/1.1\r\nHost: a\r\n"
            let chunks = body.map { "1\r\n\($0)\r\n" }.joined() + "0\r\n\r\n"
            #expect(Assembly.refusal(of: line + "Content-Length: \(size)\r\n\r\n" + body, limits: limits) == status)
            #expect(
                Assembly.refusal(of: line + "Transfer-Encoding: chunked\r\n\r\n" + chunks, limits: limits) == status)
            // Refused as soon as the head is there.
            #expect(Assembly.refusal(of: line + "Content-Length: \(size)\r\n\r\n", limits: limits) == status)
        }
    }

    @Test func asksForContinueOnce() throws {
        var assembler = RequestAssembler(limits: RequestLimits())
        let head = Array(RequestCases.fields(["Expect: 100-Continue", "Content-Length: 2"]).utf8)
        guard case (head.count, .needsMore(sendContinue: true)) = assembler.advance(head.span) else {
            Issue.record("no continue")
            return
        }
        guard case (1, .needsMore(sendContinue: false)) = assembler.advance([97].span),
            case (1, .request(_, let body)) = assembler.advance([98, 99].span)
        else {
            Issue.record("no request")
            return
        }
        #expect(body == [97, 98])
    }

    @Test func byteSetsHoldTheirCharacters() {
        let letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        let sets = [
            (ByteSet.token, "!#$%&'*+-.^_`|~"), (.target, "-._~!$&'()*+,;=:@/?%"), (.host, "-._~!$&'()*+,;=:[]%"),
        ]
        for (set, others) in sets {
            let held = (UInt8.min...UInt8.max).filter { set.contains($0) }
            #expect(held == Array((letters + others).utf8).sorted())
        }
    }

    @Test func headersAreFoundWhateverTheirCase() {
        let headers = HTTPHeaders([("Idempotency-Key", "a"), ("X", "1"), ("x", "2"), ("Naïve", "ü")])
        #expect(headers["idempotency-key"] == "a")
        #expect(headers["IDEMPOTENCY-KEY"] == "a")
        #expect(headers["idempotency-ke"] == nil)
        #expect(headers["x"] == "1")
        #expect(headers.values(of: "X") == ["1", "2"])
        #expect(headers["naïve"] == "ü")
        #expect(headers.count == 4)
        let latin = HTTPHeaders(
            bytes: [0x58, 0xE9], fields: [.init(nameStart: 0, nameEnd: 1, valueStart: 1, valueEnd: 2)])
        #expect(latin["x"] == "é")
    }

    @Test func aFieldThatMayStandOnce() {
        let headers = HTTPHeaders([("A", "usual"), ("B", "usual!"), ("C", "Usual"), ("D", ""), ("e", "1"), ("E", "1")])
        for (name, value) in [("a", "usual"), ("b", "usual!"), ("c", "Usual"), ("d", ""), ("x", nil)] {
            for usual in ["usual", ""] {
                #expect(headers.single(name, usually: usual) == (value, false))
            }
        }
        #expect(headers.single("e", usually: "usual") == ("1", true))
        #expect(headers.single("E") == ("1", true))
    }

    @Test func neverTrapsOnNoise() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let words = [
            "GET ", "POST ", "/", "/a?b", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "Host: a\r\n", "\r\n", "\n", "\r", ":", " ",
            "\t", "\0",
            "Content-Length: ", "Transfer-Encoding: chunked\r\n", "5", "0", "fffffff", "Expect: 100-continue\r\n", ";",
            "é", "%",
            "Connection: close\r\n", "X: y\r\n", "\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\n",
        ].map { Array($0.utf8) }
        for _ in 0..<20_000 {
            var bytes = random.below(2) == 0 ? Array("POST / HTTP/1.1\r\nHost: a\r\n".utf8) : []
            for _ in 0..<random.below(12) { bytes += words[random.below(words.count)] }
            let whole = Assembly.results(of: [bytes])
            #expect(Assembly.results(of: random.split(bytes)) == whole, "seed \(seed): \(bytes)")
        }
    }
}
