import JSON
import Testing

@Suite struct WriterTests {
    @Test func placesCommas() {
        var writer = JSONWriter(capacity: 1)
        writer.object { writer in
            writer.member("id", "a\"b")
            writer.member("version", Int64.min)
            writer.member("count", 0)
            writer.member("ok", true)
            writer.member("none", String?.none)
            writer.member("raw", raw: Array("[1]".utf8))
            writer.object("wallet") { _ in }
            writer.array("items") { writer in
                writer.integer(1)
                writer.string("x")
                writer.object { $0.member("y", 12_345) }
                writer.null()
                writer.beginArray()
                writer.endArray()
            }
            writer.name("é\n")
            writer.number(text: "10.50")
        }
        let expected =
            #"{"id":"a\"b","version":-9223372036854775808,"count":0,"ok":true,"none":null,"raw":[1],"wallet":{},"#
            + #""items":[1,"x",{"y":12345},null,[]],"é\n":10.50}"#
        #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
        #expect(String(decoding: writer.finish(), as: UTF8.self) == expected)
    }

    @Test func escapesOnlyWhatMust() throws {
        let every = String(String.UnicodeScalarView((1..<0x100).compactMap { Unicode.Scalar($0) }))
        var writer = JSONWriter(capacity: 1)
        writer.string(every)
        let bytes = writer.finish()
        #expect(try JSONValue(parsing: bytes).string == every)
        #expect(
            String(decoding: bytes, as: UTF8.self).hasPrefix(
                #""\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r"#))
        #expect(!bytes.contains(0x1F))
        #expect(String(decoding: bytes, as: UTF8.self).contains("/0123"))
    }

    @Test func growsAtEveryLength() throws {
        for length in 0..<300 {
            let text = String(repeating: "x", count: length)
            var writer = JSONWriter(capacity: 64)
            writer.beginArray()
            writer.string(text)
            writer.integer(Int64(length))
            writer.string(text + "\u{1}")
            writer.endArray()
            #expect(
                try JSONValue(parsing: writer.finish())
                    == .array([.string(text), .number("\(length)"), .string(text + "\u{1}")]))
        }
    }

    @Test func integersOfEveryLength() {
        var value: Int64 = 1
        for _ in 0..<19 {
            for candidate in [value, -value, value - 1, value &+ 1] {
                var writer = JSONWriter()
                writer.integer(candidate)
                #expect(String(decoding: writer.finish(), as: UTF8.self) == "\(candidate)")
            }
            value = value &* 10
        }
    }

    @Test func canonicalFormSortsAtEveryLevel() throws {
        let one = try JSONValue(parsing: Array(#"{"b":[{"z":1,"a":2}],"a":"\u00e9","Z":1.0}"#.utf8))
        let other = try JSONValue(parsing: Array(#" { "Z":1.0, "a":"é", "b":[ {"a":2,"z":1} ] }"#.utf8))
        #expect(one.canonicalBytes == other.canonicalBytes)
        #expect(String(decoding: one.canonicalBytes, as: UTF8.self) == #"{"Z":1.0,"a":"é","b":[{"a":2,"z":1}]}"#)
        #expect(String(decoding: one.compactBytes, as: UTF8.self) == #"{"b":[{"z":1,"a":2}],"a":"é","Z":1.0}"#)
    }

    @Test func canonicalFormSortsByUTF8() {
        let names = ["\u{FFFF}", "\u{10000}", "é", "e\u{301}", "a", "", "aa"]
        let value = JSONValue.object(names.map { JSONValue.Member($0, .null) })
        let written = try? JSONValue(parsing: value.canonicalBytes)
        #expect(
            written?.members?.map { Array($0.name.utf8) } == [
                [], [0x61], [0x61, 0x61], [0x65, 0xCC, 0x81], [0xC3, 0xA9], [0xEF, 0xBF, 0xBF],
                [0xF0, 0x90, 0x80, 0x80],
            ])
    }

    @Test func emptiesWithoutGivingUpItsBuffer() {
        var writer = JSONWriter()
        writer.object { $0.member("a", 1) }
        writer.removeAll()
        writer.object { $0.member("b", 2) }
        #expect(String(decoding: writer.bytes, as: UTF8.self) == #"{"b":2}"#)
    }
}
