import Glibc

/// Host and port of a plain `http://` address.
struct HTTPAuthority: Sendable, Equatable {
    let host: String
    let port: UInt16

    /// The value of the `Host` field.
    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Reads `http://host[:port][/]`.
    init(url: String) throws(BenchOptionError) {
        func fail(_ reason: String) -> BenchOptionError { BenchOptionError(option: "--url", reason: reason) }
        guard url.hasPrefix("http://") else { throw fail("must begin with http://") }
        var rest = url.dropFirst("http://".count)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.contains("/"), !rest.contains("@"), !rest.contains("?"), !rest.contains("#") else {
            throw fail("must be http://host:port without a path")
        }
        var name = rest
        var digits: Substring = "80"
        if rest.hasPrefix("[") {
            guard let close = rest.firstIndex(of: "]") else { throw fail("has an unclosed [") }
            name = rest[rest.index(after: rest.startIndex)..<close]
            let tail = rest[rest.index(after: close)...]
            guard tail.isEmpty || tail.hasPrefix(":") else { throw fail("must be http://host:port") }
            if !tail.isEmpty { digits = tail.dropFirst() }
        } else if let colon = rest.lastIndex(of: ":") {
            name = rest[..<colon]
            digits = rest[rest.index(after: colon)...]
        }
        let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
        guard !name.isEmpty, isPlain, let number = UInt16(digits), number > 0 else {
            throw fail("must be http://host:port")
        }
        host = String(name)
        port = number
    }
}

/// A resolved address to connect to.
struct SocketAddress: Sendable {
    private let family: Int32
    private let bytes: [UInt8]

    /// Throws `BenchError.unreachable` when the name has no address.
    init(resolving authority: HTTPAuthority) throws(BenchError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(authority.host, String(authority.port), &hints, &list)
        defer { if list != nil { freeaddrinfo(list) } }
        guard code == 0, let first = list?.pointee, let address = first.ai_addr else {
            throw .unreachable("\(authority.host): \(String(cString: gai_strerror(code)))")
        }
        family = first.ai_family
        bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(first.ai_addrlen)))
    }

    /// Starts a non-blocking connection: its descriptor, or nil when the system refuses at once.
    func connect() -> Int32? {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { return nil }
        var enabled: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &enabled, socklen_t(MemoryLayout<Int32>.size))
        let result = bytes.withUnsafeBytes { raw -> Int32 in
            guard let address = raw.assumingMemoryBound(to: sockaddr.self).baseAddress else { return -1 }
            return Glibc.connect(descriptor, address, socklen_t(raw.count))
        }
        guard result == 0 || errno == EINPROGRESS else {
            close(descriptor)
            return nil
        }
        return descriptor
    }
}

/// What a non-blocking socket operation came to.
enum SocketProgress: Equatable {
    case moved(Int)
    case wouldBlock
    /// The peer closed, or the connection broke.
    case ended
}

/// Thin calls on a non-blocking descriptor.
enum Socket {
    static func send(_ descriptor: Int32, _ bytes: [UInt8], from start: Int, to end: Int) -> SocketProgress {
        while true {
            let sent = bytes.withUnsafeBytes { raw in
                Glibc.send(descriptor, raw.baseAddress.map { $0 + start }, end - start, Int32(MSG_NOSIGNAL))
            }
            if sent >= 0 { return .moved(sent) }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .wouldBlock : .ended
        }
    }

    static func receive(_ descriptor: Int32, into bytes: inout [UInt8]) -> SocketProgress {
        while true {
            let received = bytes.withUnsafeMutableBytes { raw in recv(descriptor, raw.baseAddress, raw.count, 0) }
            if received > 0 { return .moved(received) }
            if received == 0 { return .ended }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .wouldBlock : .ended
        }
    }

    /// The error a connection attempt ended with; 0 for success.
    static func pendingError(_ descriptor: Int32) -> Int32 {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { return errno }
        return code
    }
}

/// Nanoseconds of the monotonic clock.
func monotonicNow() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}
