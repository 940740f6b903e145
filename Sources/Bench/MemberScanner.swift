/// Reads single members out of the service's JSON answers without building a document. A member is found by its quoted
/// name followed by a colon, which cannot occur inside a string (its quotes would be escaped there). Where a name
/// occurs at several levels, the first occurrence from `start` counts.
enum MemberScanner {
    /// The index of the value of member `name`; nil when there is none.
    static func value(of name: StaticString, in body: Span<UInt8>, from start: Int = 0) -> Int? {
        let count = name.utf8CodeUnitCount
        guard count > 0, start >= 0 else { return nil }
        return name.withUTF8Buffer { wanted -> Int? in
            var index = start
            while index + count + 2 < body.count {
                guard body[index] == UInt8(ascii: "\""), body[index + 1] == wanted[0],
                    body[index + count + 1] == UInt8(ascii: "\"")
                else {
                    index += 1
                    continue
                }
                var matched = 1
                while matched < count, body[index + 1 + matched] == wanted[matched] { matched += 1 }
                var after = skipBlanks(body, index + count + 2)
                guard matched == count, after < body.count, body[after] == UInt8(ascii: ":") else {
                    index += 1
                    continue
                }
                after = skipBlanks(body, after + 1)
                return after < body.count ? after : nil
            }
            return nil
        }
    }

    /// A whole number from 0; nil when the member is missing or something else.
    static func integer(_ name: StaticString, in body: Span<UInt8>, from start: Int = 0) -> Int64? {
        guard let index = value(of: name, in: body, from: start) else { return nil }
        return integer(in: body, at: index)
    }

    /// The text of a string member without escapes; nil when the member is missing or something else.
    static func string(_ name: StaticString, in body: Span<UInt8>, from start: Int = 0) -> String? {
        guard let open = value(of: name, in: body, from: start), body[open] == UInt8(ascii: "\"") else { return nil }
        var bytes: [UInt8] = []
        var index = open + 1
        while index < body.count, body[index] != UInt8(ascii: "\"") {
            guard body[index] != UInt8(ascii: "\\") else { return nil }
            bytes.append(body[index])
            index += 1
        }
        return index < body.count ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// Money with two decimals in minor units; nil when the member is missing or of another form.
    static func cents(_ name: StaticString, in body: Span<UInt8>, from start: Int = 0) -> Int64? {
        guard let text = string(name, in: body, from: start) else { return nil }
        return cents(text)
    }

    /// `"12.34"` as 1234; nil for any other form.
    static func cents(_ text: String) -> Int64? {
        let isNegative = text.hasPrefix("-")
        let parts = text.dropFirst(isNegative ? 1 : 0).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts[1].utf8.count == 2 else { return nil }
        guard parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }) else { return nil }
        guard let number = Int64(parts[0] + parts[1]) else { return nil }
        return isNegative ? -number : number
    }

    /// The version of the wallet as a transfer's answer states it. The service writes `wallet` last and in it `version`
    /// last, so that the digits before the closing braces are it; any other order is found by name.
    static func walletVersion(in body: Span<UInt8>) -> Int64? {
        var end = body.count
        while end > 0, isBlank(body[end - 1]) || body[end - 1] == UInt8(ascii: "}") { end -= 1 }
        var start = end
        while start > 0, (48...57).contains(body[start - 1]) { start -= 1 }
        if start < end, ends(body, at: start, with: "\"version\":") { return integer(in: body, at: start) }
        guard let wallet = value(of: "wallet", in: body) else { return nil }
        return integer("version", in: body, from: wallet)
    }

    private static func ends(_ body: Span<UInt8>, at end: Int, with text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard end >= count else { return false }
        return text.withUTF8Buffer { wanted in
            for offset in 0..<count where body[end - count + offset] != wanted[offset] { return false }
            return true
        }
    }

    private static func integer(in body: Span<UInt8>, at start: Int) -> Int64? {
        var number: Int64 = 0
        var index = start
        while index < body.count, (48...57).contains(body[index]) {
            guard index - start < 18 else { return nil }
            number = number * 10 + Int64(body[index] - 48)
            index += 1
        }
        return index > start ? number : nil
    }

    private static func skipBlanks(_ body: Span<UInt8>, _ start: Int) -> Int {
        var index = start
        while index < body.count, isBlank(body[index]) { index += 1 }
        return index
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d
    }
}
