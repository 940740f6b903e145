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
        let body = sendsBody ? response.body.count : 0
        // The lines that are no fields of the response take less than 192 bytes together.
        output.reserveCapacity(output.count + 192 + dateLine.count + response.headers.bytes.count + body)
        output.appendStatusLine(response.status)
        output.append(contentsOf: dateLine)
        output.append(contentsOf: response.headers.bytes)
        if !isBodiless {
            output.append("\r\ncontent-length: ")
            output.append(number: response.body.count)
        }
        if framing.closes {
            output.append("\r\nconnection: close")
        } else if framing.isOldClient {
            output.append("\r\nconnection: keep-alive")
        }
        output.append("\r\n\r\n")
        if sendsBody { output.append(contentsOf: response.body) }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    fileprivate mutating func append(number: Int) {
        if number >= 10 { append(number: number / 10) }
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }

    fileprivate mutating func appendStatusLine(_ status: Int) {
        switch status {
        case 200: append("HTTP/1.1 200 OK")
        case 201: append("HTTP/1.1 201 Created")
        default:
            let status = (200...599).contains(status) ? status : 500
            append("HTTP/1.1 ")
            append(number: status)
            append(" ")
            append(reasonPhrase(of: status))
        }
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
