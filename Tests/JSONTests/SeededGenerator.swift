import JSON

/// SplitMix64: small, and the same sequence for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    /// A random tree without duplicate names.
    mutating func document(depth: Int) -> JSONValue {
        switch below(depth > 0 ? 7 : 5) {
        case 0: return .null
        case 1: return .boolean(below(2) == 0)
        case 2, 3: return .number(number())
        case 4: return .string(text())
        case 5: return .array((0..<below(5)).map { _ in document(depth: depth - 1) })
        default:
            return .object((0..<below(5)).map { JSONValue.Member("\($0)\(text())", document(depth: depth - 1)) })
        }
    }

    private mutating func number() -> String {
        var text = below(3) == 0 ? "-" : ""
        text += below(4) == 0 ? "0" : String(Int.random(in: 1...999_999_999_999, using: &self))
        if below(3) == 0 { text += ".\(below(100_000))" }
        if below(5) == 0 { text += ["e", "E"][below(2)] + ["", "+", "-"][below(3)] + "\(below(40))" }
        return text
    }

    // Without U+FEFF, which Foundation drops from strings.
    private mutating func text() -> String {
        let scalars = Array("abcXYZ09 _-/\"\\\n\t\u{1}\u{7F}éß€\u{2028}中😀\u{10FFFF}".unicodeScalars)
        return String(String.UnicodeScalarView((0..<below(12)).map { _ in scalars[below(scalars.count)] }))
    }

    /// The tree as a document, with random white space and random escapes.
    mutating func spell(_ value: JSONValue) -> [UInt8] {
        var bytes = space()
        switch value {
        case .null: bytes += Array("null".utf8)
        case .boolean(let flag): bytes += Array((flag ? "true" : "false").utf8)
        case .number(let text): bytes += Array(text.utf8)
        case .string(let text): bytes += quote(text)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                bytes += (index > 0 ? [UInt8(ascii: ",")] : []) + spell(element)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                bytes += (index > 0 ? [UInt8(ascii: ",")] : []) + space() + quote(member.name) + space()
                bytes += [UInt8(ascii: ":")] + spell(member.value)
            }
            bytes += space() + [UInt8(ascii: "}")]
        }
        return bytes + space()
    }

    private mutating func space() -> [UInt8] {
        below(3) == 0 ? (0..<below(3)).map { _ in [0x20, 0x0A, 0x0D, 0x09][below(4)] } : []
    }

    private mutating func quote(_ text: String) -> [UInt8] {
        var output = "\""
        for scalar in text.unicodeScalars {
            let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
            guard mustEscape || below(4) == 0 else {
                output.unicodeScalars.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let hexadecimal = String(unit, radix: 16, uppercase: below(2) == 0)
                output += "\\u" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
            }
        }
        return Array((output + "\"").utf8)
    }

    /// The document with one to three random changes.
    mutating func damage(_ document: [UInt8]) -> [UInt8] {
        let interesting = Array("{}[]\",:\\u0019+-.eEntf \n".utf8) + [0x00, 0x1F, 0x7F, 0x80, 0xC3, 0xED, 0xFF]
        var bytes = document
        for _ in 0...below(3) {
            let index = below(bytes.count + 1)
            switch below(4) {
            case 0 where index < bytes.count: bytes.remove(at: index)
            case 1 where index < bytes.count: bytes[index] = interesting[below(interesting.count)]
            case 2: bytes.removeLast(min(bytes.count, below(4)))
            default: bytes.insert(interesting[below(interesting.count)], at: index)
            }
        }
        return bytes
    }
}
