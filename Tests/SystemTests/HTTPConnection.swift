import Foundation
import Glibc
import JSON

/// A request as it goes out.
struct HTTPRequest: Sendable {
    var method: String
    let path: String
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    static func get(_ path: String, _ headers: (name: String, value: String)...) -> HTTPRequest {
        HTTPRequest(method: "GET", path: path, headers: headers)
    }

    static func post(_ path: String, _ body: String = "", _ headers: (name: String, value: String)...) -> HTTPRequest {
        let type = body.isEmpty ? [] : [(name: "Content-Type", value: "application/json")]
        return HTTPRequest(method: "POST", path: path, headers: type + headers, body: Array(body.utf8))
    }

    /// The bytes on the wire.
    func bytes(host: String) -> [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n"
        for header in headers { head += "\(header.name): \(header.value)\r\n" }
        if method != "GET", method != "HEAD" { head += "Content-Length: \(body.count)\r\n" }
        return Array((head + "\r\n").utf8) + body
    }
}

/// An answer as it came in.
struct HTTPAnswer: Sendable {
    let status: Int
    let headers: [(name: String, value: String)]
    let body: [UInt8]

    /// The value of a header, whatever the case of its name.
    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The body; `null` when it is no JSON.
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }

    /// The problem's code, if it is one.
    var code: String? { json["code"]?.string }

    /// Whether the server told it for the second time.
    var isReplay: Bool { header("Idempotent-Replayed") == "true" }

    /// The body without what differs from request to request by definition.
    var content: [UInt8] {
        if status >= 400 { return Self.comparable(json).canonicalBytes }
        guard body.starts(with: #"{"results":"#.utf8), let results = json["results"]?.array else { return body }
        let told = results.map { result in
            JSONValue.object(
                (result.members ?? []).filter { $0.name != "replayed" }.map {
                    $0.name == "problem" ? .init($0.name, Self.comparable($0.value)) : $0
                })
        }
        return JSONValue.array(told).canonicalBytes
    }

    private static func comparable(_ problem: JSONValue) -> JSONValue {
        .object((problem.members ?? []).filter { $0.name != "correlation_id" })
    }

    /// Whether the outcome is known, of a batch the outcome of each operation.
    var isDefinite: Bool {
        guard status < 500 else { return false }
        guard body.starts(with: #"{"results":"#.utf8) else { return true }
        return (json["results"]?.array ?? []).allSatisfy { $0["status"]?.int64 ?? 500 < 500 }
    }

    /// One line for a message.
    var summary: String { "\(status) \(String(decoding: body.prefix(400), as: UTF8.self))" }
}

/// Why there is no answer.
enum HTTPFailure: Error, Equatable {
    /// Nobody listens: the request was not sent.
    case refused
    /// The connection ended before the answer had come whole.
    case lost
    /// The server closed the idle connection before it could see the request: not a byte of an answer came.
    case closed
    /// There was no answer in time.
    case silent
    /// The bytes are no HTTP/1.1 answer that this client understands.
    case garbled(String)
}

/// One keep-alive connection, blocking; opened at the first request and again after each failure.
final class HTTPConnection {
    let port: UInt16
    private var socket: Int32?
    private var received: [UInt8] = []
    private let patience: Int

    /// `patience` is how many seconds to wait for each piece of an answer.
    init(port: UInt16, patience: Int = 30) {
        self.port = port
        self.patience = patience
    }

    deinit { close() }

    /// Sends a request and waits for its answer.
    func exchange(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPAnswer {
        try send(request)
        return try receive(headless: request.method == "HEAD")
    }

    /// Sends a request without waiting.
    func send(_ request: HTTPRequest) throws(HTTPFailure) {
        try send(bytes: request.bytes(host: "127.0.0.1:\(port)"))
    }

    /// Sends any bytes.
    func send(bytes: [UInt8]) throws(HTTPFailure) {
        let socket = try open()
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                close()
                throw .lost
            }
            sent += count
        }
    }

    /// Waits for one answer.
    func receive(headless: Bool = false) throws(HTTPFailure) -> HTTPAnswer {
        do throws(HTTPFailure) {
            var end = headEnd()
            while end == nil {
                try fill()
                end = headEnd()
            }
            let head = String(decoding: received[..<(end ?? 0)], as: UTF8.self)
            let (status, headers) = try Self.parse(head)
            received.removeFirst((end ?? 0) + 4)
            if status == 100 { return try receive(headless: headless) }
            let answer = HTTPAnswer(status: status, headers: headers, body: [])
            let body = try headless || status == 204 ? [] : self.body(of: answer)
            if answer.header("Connection")?.lowercased() == "close" { close() }
            return HTTPAnswer(status: status, headers: headers, body: body)
        } catch {
            close()
            throw error
        }
    }

    /// Ends the connection.
    func close() {
        if let socket { Glibc.close(socket) }
        socket = nil
        received = []
    }

    /// Whether it is open as far as this side knows.
    var isOpen: Bool { socket != nil }

    private func body(of answer: HTTPAnswer) throws(HTTPFailure) -> [UInt8] {
        guard let text = answer.header("Content-Length"), let length = Int(text) else {
            throw .garbled("an answer without Content-Length")
        }
        while received.count < length { try fill() }
        defer { received.removeFirst(length) }
        return Array(received[..<length])
    }

    private static func parse(
        _ head: String
    ) throws(HTTPFailure) -> (status: Int, headers: [(name: String, value: String)]) {
        let lines = head.components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw .garbled("the status line \(lines[0].prefix(80))")
        }
        var headers: [(name: String, value: String)] = []
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw .garbled("the header \(line.prefix(80))") }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            headers.append((String(line[..<colon]), value))
        }
        return (status, headers)
    }

    private func headEnd() -> Int? {
        guard received.count >= 4 else { return nil }
        return (0...(received.count - 4)).first { received[$0..<($0 + 4)].elementsEqual([13, 10, 13, 10]) }
    }

    private func fill() throws(HTTPFailure) {
        guard let socket else { throw .lost }
        var block = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(socket, &block, block.count, 0)
            if count > 0 { return received.append(contentsOf: block[..<count]) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN || errno == EWOULDBLOCK { throw .silent }
            throw received.isEmpty ? .closed : .lost
        }
    }

    private func open() throws(HTTPFailure) -> Int32 {
        if let socket { return socket }
        let opened = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard opened >= 0 else { throw .refused }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        var yes: Int32 = 1
        setsockopt(opened, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(opened, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(opened, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(opened, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            Glibc.close(opened)
            throw .refused
        }
        socket = opened
        return opened
    }
}
