import JSON
import Testing

/// Documents that must be accepted or refused, grouped as the public parsing suites group them.
@Suite struct GrammarTests {
    @Test(arguments: accepted) func accepts(_ text: String) throws {
        _ = try JSONValue(parsing: Array(text.utf8))
    }

    @Test(arguments: refused) func refuses(_ text: String) {
        #expect(throws: JSONError.self) { _ = try JSONValue(parsing: Array(text.utf8)) }
    }

    @Test(arguments: refusedBytes) func refusesBytes(_ bytes: [UInt8]) {
        #expect(throws: JSONError.self) { _ = try JSONValue(parsing: bytes) }
    }

    @Test(arguments: acceptedStrings) func decodesStrings(_ text: String, _ expected: String) throws {
        let value = try JSONValue(parsing: Array(text.utf8))
        #expect(value.string.map { Array($0.utf8) } == Array(expected.utf8))
    }

    @Test func refusesEndlessNesting() {
        for opening in ["[", "{\"a\":", "[{\"a\":"] {
            let text = String(repeating: opening, count: 100_000)
            #expect(throws: JSONError.self) { _ = try JSONValue(parsing: Array(text.utf8)) }
        }
    }

    static let accepted: [String] = [
        "null", "true", "false", "0", "-0", "1", "-1", "0.0", "-0.1", "1e1", "1E+2", "1e-2", "0e0", "0e+1", "1.5E9",
        "123456789012345678901234567890", "1e400", "-1e-400", "0.00000000000000000000000000000000000001",
        "99999999999999999999999999999999999999.99", "20e1", "123.456e78", "[]", "{}", "[[]]", "[{}]", "[0]", "[1,2]",
        " [] ", "\t[\n1 ,\r 2 ]\n", "{\"a\":1}", "{ \"a\" : 1 , \"b\" : 2 }", "{\"\":0}", "{\"a\":{\"a\":{\"a\":1}}}",
        "[{\"a\":1},{\"a\":1}]", "{\"a\":[1,{\"b\":null}],\"c\":false}", "\"\"", "\"a\"", "\" \"", "\"\u{7F}\"",
        "\"é\"", "\"€\"", "\"😀\"", "\"\u{FEFF}\"", "\"\u{FFFF}\"", "\"\u{10FFFF}\"", "\"\u{2028}\u{2029}\"",
        "\"/\"", "\"\\/\"", "{\"é\":1,\"e\u{301}\":2}", "{\"A\":1,\"a\":2}", "[1e5,true,null,\"x\"]",
        String(repeating: "[", count: 32) + String(repeating: "]", count: 32),
    ]

    static let acceptedStrings: [(String, String)] = [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041""#, "A"), (#""\u00e9""#, "é"),
        (#""\u00E9""#, "é"), (#""\u20ac""#, "€"), (#""\ud83d\ude00""#, "😀"), (#""\uD83D\uDE00x""#, "😀x"),
        (#""\udbff\udfff""#, "\u{10FFFF}"), (#""\ud800\udc00""#, "\u{10000}"), (#""\uffff""#, "\u{FFFF}"),
        (#""\u0001""#, "\u{1}"), (#""\u001f""#, "\u{1F}"), (#""\ud7ff\ue000""#, "\u{D7FF}\u{E000}"),
        (#""\\u0041""#, "\\u0041"), (#""a\u0062c""#, "abc"), (#""\u0022""#, "\""), (#""\u005c""#, "\\"),
        (#""é\né""#, "é\né"), (#""\uFEFF""#, "\u{FEFF}"),
    ]

    static let refused: [String] = [
        // Nothing, or only half of something.
        "", " ", "\n", "[", "{", "]", "}", "\"", "\"a", "[1", "[1,", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "t",
        "tru", "fals", "nul", "-", "1.", "1e", "1e+", "\"\\", "\"\\u", "\"\\u00", "[\"", "{\"",
        // Commas, colons and brackets out of place.
        "[,]", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1}", "{1]", "[1]]", "{}}", "{,}", "{\"a\":1,}", "{,\"a\":1}",
        "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}", "{\"a\",1}", "{:1}", "{1:1}", "{a:1}",
        "{null:1}", "{'a':1}", "{[]:1}", "[\"a\":1]", "{\"a\"}", "{\"a\":}", "[:]", ",", ":", "[1;2]", "(1)", "<1>",
        // More than one document.
        "1 2", "{}{}", "[][]", "null,", "{} x", "\"a\"\"b\"", "true false", "1,", "[]#", "{}//", "nullnull", "truex",
        // Literals that JSON does not know.
        "True", "NULL", "None", "undefined", "NaN", "Infinity", "-Infinity", "inf", "nan", "TRUE", "yes", "'a'", "a",
        "nulL", "t rue", "[nope]", "*", "&", "@", "$", "\\", "\\u0031", "`a`",
        // Numbers outside the grammar.
        "+1", "01", "-01", "00", "0x1", "1.e1", ".5", "-.5", "1..2", "1.2.3", "1e1.5", "1ee2", "1e", "1E-", "1 e1",
        "- 1", "--1", "1-", "1+1", "1_000", "1,000", "0b1", "1f", "1a", "[01]", "[1.]", "[-]", "[2.e3]", "0e", "0.e1",
        "-0x", "1e0x", "９", "1\u{660}", "[-a]", "[1.2a]", "{\"a\":+1}", "-foo", "1/2", "١", "0.1.", "9.e+", "-2.",
        "1\"",
        // Strings.
        "\"\t\"", "\"\n\"", "\"\r\"", "\"\u{1}\"", "\"\u{1F}\"", "\"\0\"", "\"\\x41\"", "\"\\a\"", "\"\\v\"", "\"\\0\"",
        "\"\\'\"", "\"\\U0041\"", "\"\\u004\"", "\"\\u00g0\"", "\"\\u 041\"", "\"\\u-041\"", "\"\\u+041\"", "\"\\ \"",
        "\"\\\n\"", "\"\\é\"", "\"\\u004é\"", "\"\\u0000\"", "\"a\\u0000b\"", "{\"\\u0000\":1}", "{\"a\nb\":1}",
        // Surrogates.
        "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"",
        "\"\\ud83d\\u0041\"", "\"\\ud83d\\ude0\"", "\"\\udbff\\ue000\"", "\"\\ud800\\\"", "{\"\\udead\":1}",
        "\"\\ud83d\\\\ude00\"", "\"\\ud83d \\ude00\"",
        // Duplicates, at any depth and however they are spelt.
        "{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"\\u0061\":1}", "{\"\":1,\"\":2}",
        "{\"x\":{\"a\":1,\"a\":2}}", "[{\"a\":1,\"a\":2}]", "{\"é\":1,\"\\u00e9\":2}", "{\"a\\/b\":1,\"a/b\":2}",
        // White space that JSON does not know, comments, byte order marks.
        "\u{B}1", "\u{C}1", "1\u{A0}", "\u{2028}1", "\u{3000}1", "[\u{B}]", "/* */1", "1 // x", "[1/**/]", "# x\n1",
        "\u{FEFF}1", "\u{FEFF}{}", "1\u{FEFF}", "1\0", "\0", "[1\0]", "\u{1}",
        // Too deep.
        String(repeating: "[", count: 33) + String(repeating: "]", count: 33),
        String(repeating: "{\"a\":", count: 33) + "1" + String(repeating: "}", count: 33),
    ]

    /// The middle of a string that is not UTF-8, and encodings that are not UTF-8.
    static let refusedBytes: [[UInt8]] =
        [
            [0x80], [0xBF], [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x80, 0x80],
            [0xE0, 0x9F, 0xBF], [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98],
            [0xF0, 0x28, 0x8C, 0xBC], [0xF0, 0x90, 0x28, 0xBC], [0xF0, 0x90, 0x8C, 0x28], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], [0xFE],
            [0xFF], [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80], [0x41, 0xE9, 0x41], [0x5C, 0xE9], [0x5C, 0x80],
        ].map { [0x22] + $0 + [0x22] }
        + [
            [0xEF, 0xBB, 0xBF, 0x31], [0xFE, 0xFF, 0x00, 0x31], [0xFF, 0xFE, 0x31, 0x00], [0x00, 0x31], [0x31, 0x00],
            [0xEF, 0xBB, 0xBF], [0xE5], [0x22, 0xC2], [0x22, 0xE2, 0x82], [0x5B, 0xFF, 0x5D],
        ]
}
