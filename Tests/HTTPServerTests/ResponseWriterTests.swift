import Testing

@testable import HTTPServer

@Suite struct ResponseWriterTests {
    private func written(_ response: Response, _ framing: ResponseFraming = ResponseFraming()) -> String {
        var writer = ResponseWriter()
        writer.setDate(784_111_777)
        var output: [UInt8] = []
        writer.append(response, framing: framing, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    private let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

    @Test func writesHeadAndBody() {
        let response = Response(
            status: 201, headers: ResponseHeaders([("Content-Type", "application/json")]), body: Array("{}".utf8))
        #expect(
            written(response)
                == "HTTP/1.1 201 Created\r\n\(date)Content-Type: application/json\r\ncontent-length: 2\r\n\r\n{}")
    }

    @Test func framesByTheRequest() {
        let response = Response(status: 200, body: Array(repeating: 120, count: 1234))
        let head = written(response, ResponseFraming(sendsBody: false, closes: true))
        #expect(head == "HTTP/1.1 200 OK\r\n\(date)content-length: 1234\r\nconnection: close\r\n\r\n")
        #expect(written(response, ResponseFraming(isOldClient: true)).contains("\r\nconnection: keep-alive\r\n"))
        #expect(written(Response(status: 204, body: [1])) == "HTTP/1.1 204 No Content\r\n\(date)\r\n")
        #expect(written(Response(status: 304, body: [1])) == "HTTP/1.1 304 Not Modified\r\n\(date)\r\n")
        #expect(written(Response(status: 42)).hasPrefix("HTTP/1.1 500 Internal Server Error\r\n"))
        #expect(written(Response(status: 299)).hasPrefix("HTTP/1.1 299 Unknown\r\n"))
    }

    @Test func handlersCannotSplitAnswers() {
        let response = Response(
            status: 200,
            headers: ResponseHeaders([
                ("X", "a\r\nSet-Cookie: b\0"), ("Y\r\nZ", "c"), ("", "d"), ("Content-Length", "9"), ("DATE", "e"),
                ("transfer-encoding", "chunked"), ("Connection", "upgrade"), ("Keep-Alive", "f"), ("É", "g"),
                ("OK", "\tü"),
            ]))
        #expect(
            written(response)
                == "HTTP/1.1 200 OK\r\n\(date)X: a  Set-Cookie: b \r\nOK: \tü\r\ncontent-length: 0\r\n\r\n")
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
    ])
    func writesDates(_ second: Int, _ expected: String) {
        #expect(httpDate(second) == expected)
    }

    @Test func refusalsAreProblemDetails() {
        let response = ProtocolError.overloaded.defaultResponse
        #expect(response.status == 503)
        #expect(response.headers.all.contains { $0 == ("Retry-After", "1") })
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == #"{"type":"about:blank","title":"Service Unavailable","status":503,"code":"overloaded","#
                + #""detail":"The server has too many connections or too much to hold."}"#)
    }
}
