import CSys
import Glibc

/// The server could not start or go on.
public struct HTTPServerError: Error, CustomStringConvertible, Sendable {
    /// What happened, as a sentence.
    public let description: String

    init(_ what: String, code: Int32) {
        description = "\(what): \(String(cString: strerror(code)))"
    }

    init(_ what: String) {
        description = what
    }
}

/// Opens the listening sockets of all loops on one address.
enum ListeningSocket {
    /// One socket a loop, and the port they share. With several, the kernel spreads connections over them; with one,
    /// a second server on the same port is refused as usual.
    static func open(host: String, port: UInt16, count: Int) throws(HTTPServerError) -> ([Int32], UInt16) {
        var sockets: [Int32] = []
        var boundPort = port
        for _ in 0..<count {
            do throws(HTTPServerError) {
                let socket = try openOne(host: host, port: boundPort, isShared: count > 1)
                sockets.append(socket)
                if boundPort == 0 { boundPort = try portOf(socket) }
            } catch {
                for socket in sockets { close(socket) }
                throw error
            }
        }
        return (sockets, boundPort)
    }

    private static func openOne(host: String, port: UInt16, isShared: Bool) throws(HTTPServerError) -> Int32 {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var results: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &results)
        guard status == 0, let first = results else {
            throw HTTPServerError("cannot resolve \(host): \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(first) }
        var code: Int32 = EADDRNOTAVAIL
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let entry = next {
            let socket = csys_listen(entry.pointee.ai_addr, entry.pointee.ai_addrlen, isShared ? 1 : 0)
            if socket >= 0 { return socket }
            code = errno
            next = entry.pointee.ai_next
        }
        throw HTTPServerError("cannot listen on \(host):\(port)", code: code)
    }

    private static func portOf(_ socket: Int32) throws(HTTPServerError) -> UInt16 {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutableBytes(of: &address) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { getsockname(socket, $0.baseAddress, &length) }
        }
        guard status == 0 else { throw HTTPServerError("cannot read the port", code: errno) }
        // The port stands at the same place for IPv4 and IPv6.
        return withUnsafeBytes(of: &address) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
    }

    /// An IP address as text; empty for other families.
    static func text(of address: sockaddr_storage) -> String {
        var copy = address
        let family = Int32(address.ss_family)
        let offset = family == AF_INET ? 4 : 8
        guard family == AF_INET || family == AF_INET6 else { return "" }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            let result = withUnsafeBytes(of: &copy) { bytes in
                inet_ntop(
                    family, bytes.baseAddress?.advanced(by: offset), text.baseAddress, socklen_t(INET6_ADDRSTRLEN))
            }
            return result.map { String(cString: $0) } ?? ""
        }
    }
}
