import Glibc
import JSON
import Runtime

/// The version of a NATS server.
public struct ServerVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The first number, as in 2.10.27.
    public let major: Int
    /// The second number.
    public let minor: Int
    /// The third number.
    public let patch: Int

    /// Makes a version from its numbers.
    public init(major: Int, minor: Int, patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads `2.10.27`, with anything after a `-` ignored.
    public init?(text: String) {
        let release = text.drop { $0 == "v" }.prefix { $0 != "-" && $0 != "+" }
        let numbers = release.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 3, let major = numbers[0], let minor = numbers[1], let patch = numbers[2] else {
            return nil
        }
        self.init(major: major, minor: minor, patch: patch)
    }

    /// Servers before this one have JetStream faults that lose messages, and no `sync_interval: always`.
    public static let firstAdvised = ServerVersion(major: 2, minor: 10, patch: 27)

    /// Compares number by number.
    public static func < (left: ServerVersion, right: ServerVersion) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }

    /// The version as text.
    public var description: String { "\(major).\(minor).\(patch)" }

    /// Reads the greeting a server sends to whoever connects; the client library keeps it to itself. Blocks.
    static func ask(_ address: NATSAddress, timeout: Duration) -> ServerVersion? {
        guard let greeting = Greeting.read(address, timeout: timeout) else { return nil }
        guard greeting.starts(with: "INFO ".utf8), let info = try? JSONValue(parsing: Array(greeting.dropFirst(5)))
        else { return nil }
        return info["version"]?.string.flatMap { ServerVersion(text: $0) }
    }
}

/// The first line a server sends, read over a connection of its own.
private enum Greeting {
    private static let greatestLength = 1 << 16

    static func read(_ address: NATSAddress, timeout: Duration) -> [UInt8]? {
        let deadline = Clock.system.monotonicNanoseconds() + UInt64(max(0, timeout.wholeNanoseconds))
        guard let socket = connect(address, deadline) else { return nil }
        defer { Glibc.close(socket) }
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while line.count < greatestLength, isReady(socket, Int16(POLLIN), deadline) {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            line += buffer[0..<count]
            if let end = line.firstIndex(of: 0x0A) { return Array(line[..<end].filter { $0 != 0x0D }) }
        }
        return nil
    }

    private static func connect(_ address: NATSAddress, _ deadline: UInt64) -> Int32? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.host, String(address.port), &hints, &found) == 0 else { return nil }
        defer { freeaddrinfo(found) }
        var candidate = found
        while let info = candidate?.pointee {
            let socket = Glibc.socket(
                info.ai_family, info.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
                info.ai_protocol)
            if socket >= 0 {
                let begun = Glibc.connect(socket, info.ai_addr, info.ai_addrlen)
                if begun == 0 || (errno == EINPROGRESS && isReady(socket, Int16(POLLOUT), deadline)) { return socket }
                Glibc.close(socket)
            }
            candidate = info.ai_next
        }
        return nil
    }

    private static func isReady(_ socket: Int32, _ events: Int16, _ deadline: UInt64) -> Bool {
        let now = Clock.system.monotonicNanoseconds()
        guard now < deadline else { return false }
        var entry = pollfd(fd: socket, events: events, revents: 0)
        return poll(&entry, 1, Int32(clamping: (deadline - now) / 1_000_000 + 1)) > 0
    }
}
