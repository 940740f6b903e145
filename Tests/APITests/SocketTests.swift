import Glibc
import HTTPServer
import JSON
import Observability
import Testing

@testable import API

/// The routes behind the HTTP server, spoken to over a socket.
@Suite struct SocketTests {
    private struct BrokenSocket: Error {}

    /// Sends the bytes on a connection of its own and reads until the server closes it.
    private func exchange(_ port: UInt16, _ text: String) throws -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw BrokenSocket() }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let bytes = Array(text.utf8)
        guard connected == 0, send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw BrokenSocket()
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            answer += buffer[..<count]
        }
        return String(decoding: answer, as: UTF8.self)
    }

    private func serve(_ site: Installation, _ body: (UInt16) throws -> Void) async throws {
        var configuration = HTTPServerConfiguration(port: 0)
        let api = site.api
        configuration.protocolError = { api.respond(to: $0) }
        let server = try HTTPServer(configuration: configuration, logger: .silent, metrics: MetricsRegistry()) {
            await api.respond(to: $0)
        }
        let running = Task { try await server.run() }
        defer { running.cancel() }
        try body(server.port)
        await server.stop()
        try await running.value
    }

    @Test func wholeRequests() async throws {
        try await Installation.run { site in
            let (path, _) = try await site.open("10")
            try await serve(site) { port in
                let body = #"{"amount":"1","reference_id":"k"}"#
                let post = """
                    POST \(path)/transfers/credit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r
                    Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)
                    """
                let first = try exchange(port, post)
                #expect(first.hasPrefix("HTTP/1.1 201 Created\r\n"))
                #expect(first.contains("\r\nETag: \"2\"\r\n"))
                #expect(try exchange(port, post).contains("\r\nIdempotent-Replayed: true\r\n"))
                let get = try exchange(port, "GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                #expect(get.contains(#""available":"9.00""#))
                let head = try exchange(port, "HEAD \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(head.hasSuffix("\r\n\r\n"))
                let pipelined = try exchange(
                    port,
                    "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
                        + "GET /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                #expect(pipelined.hasPrefix("HTTP/1.1 200"))
                #expect(pipelined.contains("HTTP/1.1 404 Not Found\r\n"))
            }
        }
    }

    @Test func refusalsOfTheServerAreProblems() async throws {
        try await Installation.run { site in
            try await serve(site) { port in
                let cases = [
                    (
                        "POST /v1/wallet HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                            + "Content-Length: 70000\r\n\r\n", 413, "payload_too_large"
                    ),
                    ("GET /v1/health HTTP/1.1\r\nHost : x\r\n\r\n", 400, "malformed_request"),
                    ("GET /v1/health HTTP/3.0\r\nHost: x\r\n\r\n", 505, "http_version_not_supported"),
                ]
                for (text, status, code) in cases {
                    let answer = try exchange(port, text)
                    #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer.prefix(40))")
                    #expect(answer.contains(#""code":"\#(code)""#))
                    #expect(answer.contains("application/problem+json"))
                }
            }
        }
    }
}
