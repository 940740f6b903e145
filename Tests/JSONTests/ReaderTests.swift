import JSON
import Testing

@Suite struct ReaderTests {
    @Test func readsMemberByMember() throws {
        var reader = JSONReader(Array(#"{"amount":10.50,"n":-3,"tags":["a","b"],"ok":true,"gone":null} "#.utf8))
        var tags: [String] = []
        try reader.beginObject()
        #expect(try reader.nextMember() == "amount")
        #expect(try reader.peekKind() == .number)
        #expect(try reader.readNumberText() == "10.50")
        #expect(try reader.nextMember() == "n")
        #expect(try reader.readInt64() == -3)
        #expect(try reader.nextMember() == "tags")
        try reader.beginArray()
        while try reader.nextElement() { tags.append(try reader.readString()) }
        #expect(tags == ["a", "b"])
        #expect(try reader.nextMember() == "ok")
        #expect(try reader.readBool())
        #expect(try reader.nextMember() == "gone")
        #expect(try reader.readNullIfPresent())
        #expect(try reader.nextMember() == nil)
        try reader.finish()
    }

    /// A value that was refused within is dropped, and reading goes on behind it.
    @Test func skipsWhatItRefused() throws {
        let names = (0..<20).map { #""n\#($0)":0"# }.joined(separator: ",")
        let values = [
            #""\u0000""#, #"{"a":{"b":[1,"\ud800\u0041"]},"c":"\udfff"}"#, #"{"\u0000":1,"\u0000a":2,"\uD800":3}"#,
            #"{\#(names),"a":["\ud800"]}"#, String(repeating: "[", count: 40) + String(repeating: "]", count: 40),
        ]
        for value in values {
            var reader = JSONReader(Array(#"{"\u0061":1,"l":[2,\#(value),3],"b":4}"#.utf8))
            var seen: [Int64] = []
            try reader.beginObject()
            #expect(try reader.nextMember() == "a")
            seen.append(try reader.readInt64())
            #expect(try reader.nextMember() == "l")
            try reader.beginArray()
            while try reader.nextElement() {
                let place = reader.place
                if try reader.peekKind() == .number {
                    seen.append(try reader.readInt64())
                } else {
                    let refusal = refusal(&reader)
                    #expect(refusal != nil)
                    try reader.skipValue(from: place)
                }
            }
            #expect(try reader.nextMember() == "b")
            seen.append(try reader.readInt64())
            #expect(try reader.nextMember() == nil)
            try reader.finish()
            #expect(seen == [1, 2, 3, 4], "\(value)")
        }
    }

    private func refusal(_ reader: inout JSONReader) -> JSONError? {
        do throws(JSONError) {
            _ = try reader.readValue()
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        (#"["\u0000",nope]"#, JSONError.Kind.unexpectedByte(UInt8(ascii: "o"))),
        (#"{"a":"\u0000","a":1}"#, .duplicateMember("a")), (#"["\u0000","\ud8"]"#, .invalidEscape),
        (#"["\u0000""#, .unexpectedEnd), ("[\"\\u0000\",\"\t\"]", .controlCharacter),
    ])
    func skippingIsStrict(_ text: String, _ kind: JSONError.Kind) throws {
        var reader = JSONReader(Array(text.utf8))
        let place = reader.place
        let first = refusal(&reader)
        #expect(first?.kind == .nulCharacter)
        do {
            try reader.skipValue(from: place)
            Issue.record("accepted \(text)")
        } catch {
            #expect(error.kind == kind)
        }
        // Only what was refused is read so leniently.
        var next = JSONReader(Array(#"["\u0000","\u0000"]"#.utf8))
        try next.beginArray()
        #expect(try next.nextElement())
        try next.skipValue(from: next.place)
        #expect(try next.nextElement())
        let second = refusal(&next)
        #expect(second?.kind == .nulCharacter)
    }

    @Test(arguments: [
        ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("0", 0), ("-0", 0), ("-1", -1),
    ])
    func readsIntegers(_ text: String, _ expected: Int64) throws {
        var reader = JSONReader(Array(text.utf8))
        #expect(try reader.readInt64() == expected)
    }

    @Test(arguments: [
        ("9223372036854775808", JSONError.Kind.integerOutOfRange), ("-9223372036854775809", .integerOutOfRange),
        ("99999999999999999999999", .integerOutOfRange), ("1.0", .notAnInteger), ("1e3", .notAnInteger),
        ("99999999999999999999999.5", .notAnInteger), ("\"1\"", .wrongKind(expected: .number, found: .string)),
    ])
    func refusesIntegers(_ text: String, _ kind: JSONError.Kind) {
        #expect(throws: JSONError(kind, offset: 0)) {
            var reader = JSONReader(Array(text.utf8))
            _ = try reader.readInt64()
        }
    }

    @Test(arguments: [
        (#"{"a":{"b":[1,{"c":nope}]}}"#, JSONError.Kind.unexpectedByte(UInt8(ascii: "o")), "a.b[1].c"),
        (#"{"a":1,"b":2,"a":3}"#, .duplicateMember("a"), ""), (#"{"a":{"b":1,"b":2}}"#, .duplicateMember("b"), "a"),
        (#"[1,"\ud800"]"#, .loneSurrogate, "[1]"), (#"{"a":"\u0000"}"#, .nulCharacter, "a"),
        (#"{"a":01}"#, .invalidNumber, "a"), (#"{"a":1"#, .unexpectedEnd, ""), (#"{"a":[[1 2]]}"#, .invalidNumber, ""),
        ("\u{FEFF}1", .byteOrderMark, ""), ("1 1", .trailingData, ""), ("{\"a\":\"\t\"}", .controlCharacter, "a"),
    ])
    func namesTheMember(_ text: String, _ kind: JSONError.Kind, _ path: String) {
        do {
            _ = try JSONValue(parsing: Array(text.utf8))
            Issue.record("accepted \(text)")
        } catch {
            guard text != #"{"a":[[1 2]]}"# else {
                #expect(error.path == "a[0]")
                return
            }
            #expect(error.kind == kind)
            #expect(error.path == path)
            #expect(!error.message.isEmpty)
        }
    }

    @Test func namesUnknownMembersAndWrongKinds() throws {
        var reader = JSONReader(Array(#"{"meta":{"amuont":1}}"#.utf8))
        try reader.beginObject()
        #expect(try reader.nextMember() == "meta")
        try reader.beginObject()
        let name = try #require(try reader.nextMember())
        #expect(reader.unknownMember(name).message == #"The member "meta.amuont" is not known"#)
        #expect(throws: JSONError(.wrongKind(expected: .string, found: .number), offset: 18, path: "meta.amuont")) {
            _ = try reader.readString()
        }
    }

    @Test func findsDuplicatesInLargeObjects() throws {
        for repeated in [0, 5, 15, 16, 17, 18, 500, 998] {
            var names = (0..<1000).map { "n\($0)" }
            let unique = "{" + names.map { "\"\($0)\":0" }.joined(separator: ",") + "}"
            #expect(try JSONValue(parsing: Array(unique.utf8)).members?.count == 1000)
            names[999] = "n\(repeated)"
            let text = "{" + names.map { "\"\($0)\":0" }.joined(separator: ",") + "}"
            #expect(throws: JSONError.self) { _ = try JSONValue(parsing: Array(text.utf8)) }
        }
    }

    @Test func refusesReadingOutOfOrder() throws {
        var reader = JSONReader(Array("[1]".utf8))
        #expect(throws: JSONError(.misuse, offset: 0)) { _ = try reader.nextElement() }
        try reader.beginArray()
        #expect(throws: JSONError(.misuse, offset: 1)) { _ = try reader.nextMember() }
        #expect(throws: JSONError.self) { try reader.finish() }
        #expect(try reader.nextElement())
        // The element was not read, so the array cannot go on.
        #expect(throws: JSONError.self) { _ = try reader.nextElement() }
    }

    @Test func depthLimitIsExactAndBounded() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONValue(parsing: nested(3), maxDepth: 3)
        #expect(throws: JSONError(.tooDeep(limit: 3), offset: 3, path: "[0][0][0]")) {
            _ = try JSONValue(parsing: nested(4), maxDepth: 3)
        }
        _ = try JSONValue(parsing: nested(512), maxDepth: .max)
        #expect(throws: JSONError.self) { _ = try JSONValue(parsing: nested(513), maxDepth: .max) }
        #expect(throws: JSONError.self) { _ = try JSONValue(parsing: nested(1), maxDepth: -1) }
    }

    @Test func rawBytesKeepTheirSpelling() throws {
        var reader = JSONReader(Array(#"{"m": {"a" : [1.0, "\u0041"]} , "n":1}"#.utf8))
        try reader.beginObject()
        _ = try reader.nextMember()
        #expect(try reader.readRawBytes() == Array(#"{"a" : [1.0, "\u0041"]}"#.utf8))
        #expect(try reader.nextMember() == "n")
        try reader.skipValue()
        #expect(try reader.nextMember() == nil)
    }
}
