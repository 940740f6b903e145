internal import Glibc

/// A fixture could not be set up.
public struct FixtureError: Error, CustomStringConvertible {
    /// Why not.
    public let description: String

    /// An error with its reason.
    public init(_ description: String) { self.description = description }
}

/// Programs started by the fixtures, without a shell between and without files of ours left open in them.
enum ChildProcess {
    /// Starts a program in a session of its own.
    ///
    /// - Parameters:
    ///   - input: the descriptor that becomes its standard input; nil for an empty one.
    ///   - log: the file its output is appended to.
    static func spawn(_ arguments: [String], input: Int32? = nil, log: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Descriptors that some library opened without O_CLOEXEC must not live on in a server.
        for descriptor in 3..<Int32(512) { posix_spawn_file_actions_addclose(&actions, descriptor) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        sigfillset(&defaults)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var blocked = sigset_t()
        sigemptyset(&blocked)
        posix_spawnattr_setsigmask(&attributes, &blocked)
        let ownSession: Int16 = 0x80
        let flags = ownSession | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK)
        posix_spawnattr_setflags(&attributes, flags)
        let environment = ["PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C.UTF-8", "TZ=UTC"]
        let words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { (words + variables).forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, arguments[0], &actions, &attributes, words, variables)
        guard code == 0 else { throw FixtureError("cannot start \(arguments[0]): \(String(cString: strerror(code)))") }
        return pid
    }

    /// Starts a program and waits for its end; anything but exit code 0 is an error with the end of the log.
    static func run(_ arguments: [String], log: String) throws {
        let pid = try spawn(arguments, log: log)
        let status = reap(pid)
        guard status == 0 else {
            throw FixtureError("\(arguments.joined(separator: " ")) ended with \(status): \(tail(of: log))")
        }
    }

    /// Waits for the end of a child; 0 if it ended well.
    @discardableResult
    static func reap(_ pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status
    }

    /// Whether a child has ended; it is reaped then.
    static func hasEnded(_ pid: pid_t) -> Bool { waitpid(pid, nil, WNOHANG) != 0 }

    /// The last lines of a file.
    static func tail(of path: String) -> String {
        contents(of: path).split(separator: "\n").suffix(15).joined(separator: "\n")
    }

    /// A small file as text; empty if it cannot be read.
    static func contents(of path: String) -> String {
        guard let file = fopen(path, "re") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&block, 1, block.count, file), count > 0 { bytes += block[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The names in a folder.
    static func entries(of path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// A TCP port nobody listens on at the moment.
    static func freePort() throws -> UInt16 {
        let (descriptor, port) = try LoopbackSocket.listen()
        close(descriptor)
        return port
    }
}

/// TCP on 127.0.0.1.
enum LoopbackSocket {
    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private static func make() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw FixtureError("no socket: \(String(cString: strerror(errno)))") }
        return descriptor
    }

    private static func call(
        _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = address(port)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    /// A listening socket on a free port.
    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = try make()
        guard call(0, { bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, 128) == 0 else {
            close(descriptor)
            throw FixtureError("cannot listen: \(String(cString: strerror(errno)))")
        }
        var bound = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &bound) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return (descriptor, UInt16(bigEndian: bound.sin_port))
    }

    /// A connected socket; nil if nobody listens.
    static func connect(to port: UInt16) -> Int32? {
        guard let descriptor = try? make() else { return nil }
        guard call(port, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }
}
