import Glibc

/// How an answer goes onto the wire, apart from what it says.
struct ResponseFraming: Sendable {
    /// Left out for HEAD.
    var sendsBody = true
    /// Whether the connection ends with this answer.
    var closes = false
    /// HTTP/1.0 clients have to be told that a connection stays open.
    var isOldClient = false
}

/// Appends answers to a buffer. Pure but for the date, which is set from outside once a second.
struct ResponseWriter {
    private var dateLine: [UInt8] = []
    private var dateSecond = Int.min

    /// Sets the moment for the `Date` field, in seconds since 1970 UTC.
    mutating func setDate(_ second: Int) {
        guard second != dateSecond else { return }
        dateSecond = second
        dateLine = Array("\r\ndate: \(httpDate(second))".utf8)
    }

    /// Appends status line, header fields and body of `response`.
    func append(_ response: Response, framing: ResponseFraming, to output: inout [UInt8]) {
        let isBodiless = response.status == 204 || response.status == 304
        let sendsBody = framing.sendsBody && !isBodiless
        // The lines that are not header fields take less than 192 bytes together.
        var bound = 192 + dateLine.count
        for header in response.headers { bound += header.name.utf8.count + header.value.utf8.count + 4 }
        output.reserveCapacity(output.count + bound + (sendsBody ? response.body.count : 0))
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bound) { buffer in
            var head = HeadBuffer(bytes: buffer)
            head.appendStatusLine(response.status)
            dateLine.withUnsafeBufferPointer { head.append($0) }
            for header in response.headers { head.appendField(header.name, header.value) }
            if !isBodiless {
                head.append("\r\ncontent-length: ")
                head.append(response.body.count)
            }
            if framing.closes {
                head.append("\r\nconnection: close")
            } else if framing.isOldClient {
                head.append("\r\nconnection: keep-alive")
            }
            head.append("\r\n\r\n")
            output.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[..<head.count]))
        }
        if sendsBody { output.append(contentsOf: response.body) }
    }
}

/// The head of one answer while it is written: appending to an array piece by piece would check its room each time.
private struct HeadBuffer {
    let bytes: UnsafeMutableBufferPointer<UInt8>
    private(set) var count = 0

    init(bytes: UnsafeMutableBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    mutating func append(_ source: UnsafeBufferPointer<UInt8>) {
        precondition(source.count <= bytes.count - count, "the head outgrew its bound")
        _ = UnsafeMutableBufferPointer(rebasing: bytes[count...]).update(fromContentsOf: source)
        count += source.count
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ number: Int) {
        if number >= 10 { append(number / 10) }
        precondition(count < bytes.count, "the head outgrew its bound")
        bytes[count] = UInt8(ascii: "0") + UInt8(number % 10)
        count += 1
    }

    mutating func appendStatusLine(_ status: Int) {
        switch status {
        case 200: append("HTTP/1.1 200 OK")
        case 201: append("HTTP/1.1 201 Created")
        default:
            let status = (200...599).contains(status) ? status : 500
            append("HTTP/1.1 ")
            append(status)
            append(" ")
            append(reasonPhrase(of: status))
        }
    }

    /// Appends a field unless its name is malformed or the server's own; control characters in the value, which could
    /// start another field, become spaces.
    mutating func appendField(_ name: String, _ value: String) {
        var (name, value) = (name, value)
        let start = count
        append("\r\n")
        let isAllowed = name.withUTF8 { source in
            guard !source.isEmpty, source.allSatisfy({ ByteSet.token.contains($0) }), !Self.isOwn(source) else {
                return false
            }
            append(source)
            return true
        }
        guard isAllowed else {
            count = start
            return
        }
        append(": ")
        let valueStart = count
        value.withUTF8 { append($0) }
        for index in valueStart..<count where !isFieldValueByte(bytes[index]) { bytes[index] = 0x20 }
    }

    /// Whether a field is the server's to write.
    private static func isOwn(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        let own: StaticString
        switch name.count {
        case 4: own = "date"
        case 10: own = lowercased(name[0]) == UInt8(ascii: "k") ? "keep-alive" : "connection"
        case 14: own = "content-length"
        case 17: own = "transfer-encoding"
        default: return false
        }
        return equalsIgnoringCase(name.span, 0..<name.count, own)
    }
}

/// A moment in the form that HTTP wants, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
func httpDate(_ second: Int) -> String {
    var time = time_t(second)
    var parts = tm()
    gmtime_r(&time, &parts)
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let date = "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(1900 + parts.tm_year)"
    return "\(date) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
}

/// The customary words for a status code.
func reasonPhrase(of status: Int) -> StaticString {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 207: "Multi-Status"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 422: "Unprocessable Content"
    case 428: "Precondition Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: "Unknown"
    }
}
