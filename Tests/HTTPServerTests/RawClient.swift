import Glibc
import HTTPServer
import Observability
import Runtime

/// A client that says exactly what it is told to. Its calls block: use it on a thread of its own.
final class RawClient {
    struct Answer: Equatable {
        var status: Int
        var head: String
        var body: String
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let socket: Int32
    private var received: [UInt8] = []
    private var isClosed = false

    init(port: UInt16, receiveBuffer: Int32 = 0) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if receiveBuffer > 0 {
            var size = receiveBuffer
            setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            Glibc.close(socket)
            isClosed = true
            throw Failure(description: "cannot connect: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close() }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// Sends what the server still takes; one that has closed is not an error here.
    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// The next answer; nil when the connection ends first. `expectsBody` is false after HEAD.
    func answer(expectsBody: Bool = true) throws -> Answer? {
        let end = Array("\r\n\r\n".utf8)
        var headEnd = 0
        while true {
            if let found = received.indices.first(where: { received[$0...].starts(with: end) }) {
                headEnd = found + 4
                break
            }
            guard try fill() else { return nil }
        }
        let head = String(decoding: received[..<headEnd], as: UTF8.self)
        var length = 0
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length: ") {
            length = expectsBody ? Int(line.dropFirst(16)) ?? 0 : 0
        }
        while received.count < headEnd + length { guard try fill() else { return nil } }
        let body = String(decoding: received[headEnd..<headEnd + length], as: UTF8.self)
        received.removeFirst(headEnd + length)
        return Answer(status: Int(head.dropFirst(9).prefix(3)) ?? 0, head: head.lowercased(), body: body)
    }

    /// Whether the server has closed the connection without another byte. Waits for it.
    func isEnded() throws -> Bool { try received.isEmpty && !fill() }

    /// Waits for the first bytes of an answer.
    func answerBegins() throws -> Bool { try !received.isEmpty || fill() }

    /// Reads until the connection ends and returns the number of bytes.
    func drain() throws -> Int {
        while try fill() {}
        return received.count
    }

    private func fill() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &buffer, buffer.count, 0)
        if count < 0, errno == EAGAIN { throw Failure(description: "no answer within 20 s") }
        guard count > 0 else { return false }
        received += buffer[..<count]
        return true
    }

    func shutdownWrite() { _ = shutdown(socket, Int32(SHUT_WR)) }

    /// Closes with a reset instead of an orderly end.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        Glibc.close(socket)
    }
}

/// Runs a server on a free port, `body` on a thread of its own beside it, and then drains the server.
func withServer(
    _ configure: (inout HTTPServerConfiguration) -> Void = { _ in }, metrics: MetricsRegistry = MetricsRegistry(),
    handler: @escaping @Sendable (Request) async -> Response = echo,
    _ body: @escaping @Sendable (UInt16) throws -> Void
) async throws {
    var configuration = HTTPServerConfiguration(port: 0)
    configure(&configuration)
    let server = try HTTPServer(configuration: configuration, logger: .silent, metrics: metrics, handler: handler)
    let port = server.port
    async let running: Void = server.run()
    do {
        try await runOnOwnThread("client") { try body(port) }
    } catch {
        await server.stop()
        try? await running
        throw error
    }
    await server.stop()
    try await running
}

/// Answers with the request in one line, then its body.
@Sendable func echo(_ request: Request) async -> Response {
    let line = "\(request.method.name) \(request.path) "
    return Response(
        status: 200, headers: ResponseHeaders([("Content-Type", "text/plain")]), body: Array(line.utf8) + request.body)
}

func get(_ path: String, _ fields: String = "") -> String { "GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n" }

func post(_ path: String, _ body: String, _ fields: String = "") -> String {
    "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
}
