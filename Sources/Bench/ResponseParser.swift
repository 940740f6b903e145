/// Why the bytes of a server are no answer we accept.
enum ResponseError: Error, Equatable {
    case malformedHead
    case headTooLarge
    case missingLength
    case bodyTooLarge
}

/// One complete answer within a buffer.
struct ResponseFrame: Equatable {
    /// Which side of the service a read came from, by `Wallet-Source`.
    enum Source: Equatable { case unknown, projection, ledger }

    var status = 0
    var body = 0..<0
    /// The server closes the connection after this answer.
    var closes = false
    var source = Source.unknown
}

/// A strict reader of HTTP/1.1 answers with `Content-Length`.
enum ResponseParser {
    static let maximumHead = 16 * 1024
    static let maximumBody = 32 * 1024 * 1024

    /// The answer at the start of `bytes`; nil while it is incomplete.
    static func parse(_ bytes: Span<UInt8>) throws(ResponseError) -> ResponseFrame? {
        guard bytes.count >= 13 else {
            guard matches(bytes, 0, "HTTP/1.1 ", upTo: bytes.count) else { throw .malformedHead }
            return nil
        }
        guard matches(bytes, 0, "HTTP/1.1 ", upTo: bytes.count) else { throw .malformedHead }
        var frame = ResponseFrame()
        for index in 9..<12 {
            guard let digit = digit(bytes[index]) else { throw .malformedHead }
            frame.status = frame.status * 10 + digit
        }
        guard frame.status >= 200 else { throw .malformedHead }
        guard var line = try lineEnd(bytes, from: 12) else { return nil }
        var length: Int?
        while true {
            let start = line
            guard let end = try lineEnd(bytes, from: start) else { return nil }
            if end == start + 2 {
                line = end
                break
            }
            try readField(bytes, start..<(end - 2), into: &frame, length: &length)
            line = end
        }
        guard let length else { throw .missingLength }
        guard bytes.count - line >= length else { return nil }
        frame.body = line..<(line + length)
        return frame
    }

    /// The index after the line's CR LF; nil while it has not arrived.
    private static func lineEnd(_ bytes: Span<UInt8>, from start: Int) throws(ResponseError) -> Int? {
        var index = start
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\n") {
                guard index > start, bytes[index - 1] == UInt8(ascii: "\r") else { throw .malformedHead }
                return index + 1
            }
            index += 1
        }
        guard bytes.count < maximumHead else { throw .headTooLarge }
        return nil
    }

    private static func readField(
        _ bytes: Span<UInt8>, _ line: Range<Int>, into frame: inout ResponseFrame, length: inout Int?
    ) throws(ResponseError) {
        // The first letter and the length of the name rule out almost every field at once.
        switch bytes[line.lowerBound] | 0x20 {
        case UInt8(ascii: "c"):
            if let value = value(bytes, line, of: "content-length:") {
                guard length == nil, !value.isEmpty, value.count <= 9 else { throw .malformedHead }
                var number = 0
                for index in value {
                    guard let digit = digit(bytes[index]) else { throw .malformedHead }
                    number = number * 10 + digit
                }
                guard number <= maximumBody else { throw .bodyTooLarge }
                length = number
            } else if let value = value(bytes, line, of: "connection:") {
                frame.closes = frame.closes || (value.count == 5 && matches(bytes, value.lowerBound, "close", upTo: 5))
            }
        case UInt8(ascii: "t"):
            if value(bytes, line, of: "transfer-encoding:") != nil { throw .missingLength }
        case UInt8(ascii: "w"):
            if let value = value(bytes, line, of: "wallet-source:") {
                if value.count == 10, matches(bytes, value.lowerBound, "projection", upTo: 10) {
                    frame.source = .projection
                } else if value.count == 6, matches(bytes, value.lowerBound, "ledger", upTo: 6) {
                    frame.source = .ledger
                }
            }
        default: break
        }
    }

    /// The value of the field in `line`, without blanks around it, if its name is `name` (lower case, with the colon).
    private static func value(_ bytes: Span<UInt8>, _ line: Range<Int>, of name: StaticString) -> Range<Int>? {
        let count = name.utf8CodeUnitCount
        guard line.count >= count, matches(bytes, line.lowerBound, name, upTo: count) else { return nil }
        var start = line.lowerBound + count
        var end = line.upperBound
        while start < end, bytes[start] == UInt8(ascii: " ") || bytes[start] == UInt8(ascii: "\t") { start += 1 }
        while start < end, bytes[end - 1] == UInt8(ascii: " ") || bytes[end - 1] == UInt8(ascii: "\t") { end -= 1 }
        return start..<end
    }

    /// Whether `text` (at most its first `limit` bytes) stands at `start`, ignoring the case of letters.
    private static func matches(_ bytes: Span<UInt8>, _ start: Int, _ text: StaticString, upTo limit: Int) -> Bool {
        let count = min(text.utf8CodeUnitCount, limit)
        guard bytes.count - start >= count else { return false }
        return text.withUTF8Buffer { expected in
            for offset in 0..<count where lowered(bytes[start + offset]) != lowered(expected[offset]) { return false }
            return true
        }
    }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func digit(_ byte: UInt8) -> Int? {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? Int(byte - UInt8(ascii: "0")) : nil
    }
}
