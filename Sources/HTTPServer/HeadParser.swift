import Glibc

/// How a request's body is delimited.
enum BodyFraming: Equatable, Sendable {
    case none
    case length(Int)
    case chunked
}

/// A parsed request line with its header fields.
struct RequestHead: Sendable {
    var method = HTTPMethod.get
    var path = ""
    var query: String?
    var headers = HTTPHeaders()
    /// The y of HTTP/1.y.
    var minorVersion = 1
    var keepsAlive = true
    var framing = BodyFraming.none
    var expectsContinue = false
}

/// Reads a request's head line by line, each line once, as it arrives.
///
/// Strict where leniency is how requests get smuggled: lines end in CR LF and nothing else, no line continues another,
/// no space before a colon, one Content-Length or one Transfer-Encoding `chunked` but never both. What is decided
/// depends on the bytes alone and not on how they were split.
struct HeadParser: Sendable {
    enum Outcome: Sendable {
        case needsMore
        /// The head and the number of bytes it took.
        case complete(RequestHead, length: Int)
        case failed(ProtocolError)
    }

    private let limits: RequestLimits
    private var head = RequestHead()
    private var fields: [HTTPHeaders.Field] = []
    /// Where the next line starts.
    private var lineStart = 0
    /// Bytes already searched for the end of that line.
    private var scanned = 0
    private var sawRequestLine = false
    private var sawEmptyLine = false
    private var hostCount = 0
    private var contentLength: Int?
    private var isChunked = false
    private var connectionCloses = false
    private var connectionKeepsAlive = false

    init(limits: RequestLimits) {
        self.limits = limits
    }

    /// The method, once the request line has been read.
    var method: HTTPMethod? { sawRequestLine ? head.method : nil }

    /// Goes on parsing. `input` starts at the request's first byte each time: all that was given before, and more.
    mutating func parse(_ input: Span<UInt8>) -> Outcome {
        do throws(ProtocolError) {
            while let lineEnd = try nextLineEnd(input) {
                let line = lineStart..<lineEnd - 2
                lineStart = lineEnd
                if !sawRequestLine {
                    // One empty line before a request is what careless clients send after a body.
                    if line.isEmpty {
                        guard !sawEmptyLine else { throw .malformed("Empty lines precede the request line.") }
                        sawEmptyLine = true
                        continue
                    }
                    try parseRequestLine(input, line)
                    sawRequestLine = true
                    fields.reserveCapacity(16)
                } else if line.isEmpty {
                    return .complete(try finish(input, length: lineEnd), length: lineEnd)
                } else {
                    try parseField(input, line)
                }
            }
            return .needsMore
        } catch {
            return .failed(error)
        }
    }

    /// The end of the current line, after its CR LF; nil when it has not arrived yet.
    private mutating func nextLineEnd(_ input: Span<UInt8>) throws(ProtocolError) -> Int? {
        if !sawRequestLine { try checkBeginning(input) }
        let end = min(input.count, limits.maxHeadBytes)
        let index = input.withUnsafeBufferPointer { bytes in
            guard scanned < end, let start = bytes.baseAddress else { return scanned }
            let found = memchr(start + scanned, 0x0A, end - scanned)
            return found.map { start.distance(to: $0.assumingMemoryBound(to: UInt8.self)) } ?? end
        }
        scanned = index
        guard index < end else {
            guard end < limits.maxHeadBytes else { throw sawRequestLine ? .headTooLarge : .targetTooLong }
            return nil
        }
        guard index > lineStart, input[index - 1] == 0x0D else {
            throw .malformed("A line does not end in carriage return and line feed.")
        }
        scanned = index + 1
        return index + 1
    }

    /// Refuses at once what cannot become a request, such as a TLS handshake: its sender would wait for an answer.
    private func checkBeginning(_ input: Span<UInt8>) throws(ProtocolError) {
        var index = lineStart
        while index < input.count, ByteSet.token.contains(input[index]) {
            guard index - lineStart < 32 else { throw .malformed("The method is too long.") }
            index += 1
        }
        guard index < input.count else { return }
        let isEmptyLine = index == lineStart && (input[index] == 0x0D || input[index] == 0x0A)
        guard isEmptyLine || (index > lineStart && input[index] == 0x20) else {
            throw .malformed("The request line does not start with a method.")
        }
    }

    private mutating func finish(_ input: Span<UInt8>, length: Int) throws(ProtocolError) -> RequestHead {
        guard hostCount == 1 || (hostCount == 0 && head.minorVersion == 0) else {
            throw .malformed("A request needs exactly one Host field.")
        }
        if isChunked {
            guard contentLength == nil else {
                throw .malformed("Content-Length and Transfer-Encoding exclude each other.")
            }
            guard head.minorVersion == 1 else { throw .malformed("HTTP/1.0 has no transfer encodings.") }
            head.framing = .chunked
        } else if let contentLength, contentLength > 0 {
            head.framing = .length(contentLength)
        }
        head.keepsAlive = !connectionCloses && (head.minorVersion == 1 || connectionKeepsAlive)
        if head.minorVersion == 0 { head.expectsContinue = false }
        let bytes = input.extracting(first: length).withUnsafeBufferPointer { Array($0) }
        head.headers = HTTPHeaders(bytes: bytes, fields: fields)
        return head
    }
}

// MARK: - The request line

extension HeadParser {
    private mutating func parseRequestLine(_ input: Span<UInt8>, _ line: Range<Int>) throws(ProtocolError) {
        var index = line.lowerBound
        while index < line.upperBound, ByteSet.token.contains(input[index]) { index += 1 }
        guard index > line.lowerBound, index < line.upperBound, input[index] == 0x20 else {
            throw .malformed("The request line does not start with a method.")
        }
        head.method = HTTPMethod(asciiText(input, line.lowerBound..<index))
        let targetStart = index + 1
        index = targetStart
        while index < line.upperBound, input[index] != 0x20 { index += 1 }
        guard index < line.upperBound else { throw .malformed("The request line names no HTTP version.") }
        let target = targetStart..<index
        try parseVersion(input, index + 1..<line.upperBound)
        try parseTarget(input, target)
    }

    private mutating func parseVersion(_ input: Span<UInt8>, _ range: Range<Int>) throws(ProtocolError) {
        let start = range.lowerBound
        func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") <= 9 }
        guard range.count == 8, equalsIgnoringCase(input, start..<start + 5, "http/"),
            input[start] == UInt8(ascii: "H"),
            input[start + 1] == UInt8(ascii: "T"), input[start + 2] == UInt8(ascii: "T"),
            input[start + 3] == UInt8(ascii: "P"), isDigit(input[start + 5]), input[start + 6] == UInt8(ascii: "."),
            isDigit(input[start + 7])
        else { throw .malformed("The request line does not end in an HTTP version.") }
        guard input[start + 5] == UInt8(ascii: "1"), input[start + 7] <= UInt8(ascii: "1") else {
            throw .unknownVersion
        }
        head.minorVersion = Int(input[start + 7] - UInt8(ascii: "0"))
    }

    private mutating func parseTarget(_ input: Span<UInt8>, _ range: Range<Int>) throws(ProtocolError) {
        guard !range.isEmpty else { throw .malformed("The request target is empty.") }
        if input[range.lowerBound] == UInt8(ascii: "*") {
            guard range.count == 1, head.method == .options else {
                throw .malformed("The target * is for OPTIONS alone.")
            }
            head.path = "*"
            return
        }
        let start = try originStart(input, range)
        var queryStart: Int?
        var index = start
        while index < range.upperBound {
            let byte = input[index]
            guard ByteSet.target.contains(byte) else {
                throw .malformed("The request target holds a byte that must be percent-encoded.")
            }
            if byte == UInt8(ascii: "?"), queryStart == nil { queryStart = index }
            if byte == UInt8(ascii: "%") {
                guard index + 2 < range.upperBound, hexadecimalValue(input[index + 1]) != nil,
                    hexadecimalValue(input[index + 2]) != nil
                else { throw .malformed("A percent sign is not followed by two hexadecimal digits.") }
            }
            index += 1
        }
        let pathEnd = queryStart ?? range.upperBound
        head.path = start == pathEnd ? "/" : asciiText(input, start..<pathEnd)
        head.query = queryStart.map { asciiText(input, $0 + 1..<range.upperBound) }
    }

    /// Where path and query start: at once in the origin form, after the authority in the absolute form
    /// (`http://host/path`), which every server must accept. Other forms are for proxies.
    private func originStart(_ input: Span<UInt8>, _ range: Range<Int>) throws(ProtocolError) -> Int {
        if input[range.lowerBound] == UInt8(ascii: "/") { return range.lowerBound }
        let authority = range.lowerBound + 7
        guard authority < range.upperBound, equalsIgnoringCase(input, range.lowerBound..<authority, "http://") else {
            throw .malformed("The request target is not a path.")
        }
        var index = authority
        while index < range.upperBound, ByteSet.host.contains(input[index]) { index += 1 }
        guard index > authority else { throw .malformed("The request target names no host.") }
        guard index == range.upperBound || input[index] == UInt8(ascii: "/") || input[index] == UInt8(ascii: "?") else {
            throw .malformed("The request target names a malformed host.")
        }
        return index
    }
}

// MARK: - Header fields

extension HeadParser {
    private mutating func parseField(_ input: Span<UInt8>, _ line: Range<Int>) throws(ProtocolError) {
        let field = try FieldLine(input, line)
        guard fields.count < limits.maxFields else { throw .headTooLarge }
        fields.append(
            HTTPHeaders.Field(
                nameStart: UInt16(field.name.lowerBound), nameEnd: UInt16(field.name.upperBound),
                valueStart: UInt16(field.value.lowerBound), valueEnd: UInt16(field.value.upperBound)))
        switch field.name.count {
        case 4 where equalsIgnoringCase(input, field.name, "host"):
            hostCount += 1
            for index in field.value where !ByteSet.host.contains(input[index]) {
                throw .malformed("The Host field is malformed.")
            }
        case 6 where equalsIgnoringCase(input, field.name, "expect"):
            guard equalsIgnoringCase(input, field.value, "100-continue") else { throw .unknownExpectation }
            head.expectsContinue = true
        case 10 where equalsIgnoringCase(input, field.name, "connection"):
            noteConnection(input, field.value)
        case 14 where equalsIgnoringCase(input, field.name, "content-length"):
            try noteContentLength(input, field.value)
        case 17 where equalsIgnoringCase(input, field.name, "transfer-encoding"):
            guard !isChunked else { throw .malformed("Transfer-Encoding appears twice.") }
            guard equalsIgnoringCase(input, field.value, "chunked") else { throw .unknownEncoding }
            isChunked = true
        default: break
        }
    }

    private mutating func noteContentLength(_ input: Span<UInt8>, _ value: Range<Int>) throws(ProtocolError) {
        guard contentLength == nil else { throw .malformed("Content-Length appears twice.") }
        guard !value.isEmpty, value.count == 1 || input[value.lowerBound] != UInt8(ascii: "0") else {
            throw .malformed("Content-Length is not a plain decimal number.")
        }
        var length = 0
        for index in value {
            let digit = input[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { throw .malformed("Content-Length is not a plain decimal number.") }
            // Saturates far above any limit, where only "too large" matters.
            length = length > Int.max / 100 ? length : length * 10 + Int(digit)
        }
        contentLength = length
    }

    /// Notes `close` and `keep-alive` in the comma-separated list of a Connection field.
    private mutating func noteConnection(_ input: Span<UInt8>, _ value: Range<Int>) {
        var start = value.lowerBound
        while start < value.upperBound {
            var end = start
            while end < value.upperBound, input[end] != UInt8(ascii: ",") { end += 1 }
            let word = trimmed(input, start..<end)
            if equalsIgnoringCase(input, word, "close") { connectionCloses = true }
            if equalsIgnoringCase(input, word, "keep-alive") { connectionKeepsAlive = true }
            start = end + 1
        }
    }
}

/// The places of name and value in a field line of a head or a trailer.
struct FieldLine {
    let name: Range<Int>
    let value: Range<Int>

    init(_ input: Span<UInt8>, _ line: Range<Int>) throws(ProtocolError) {
        var index = line.lowerBound
        while index < line.upperBound, ByteSet.token.contains(input[index]) { index += 1 }
        guard index > line.lowerBound, index < line.upperBound, input[index] == UInt8(ascii: ":") else {
            throw .malformed("A header field has a malformed name.")
        }
        name = line.lowerBound..<index
        value = trimmed(input, index + 1..<line.upperBound)
        for index in value where !isFieldValueByte(input[index]) {
            throw .malformed("A header field holds a control character.")
        }
    }
}

/// The range without spaces and tabs at its ends.
private func trimmed(_ input: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, input[start] == 0x20 || input[start] == 0x09 { start += 1 }
    while end > start, input[end - 1] == 0x20 || input[end - 1] == 0x09 { end -= 1 }
    return start..<end
}
