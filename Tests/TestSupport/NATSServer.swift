import Foundation
import Glibc
public import Messaging
import Synchronization

/// A real nats-server with JetStream, on a free port and a directory of its own, to be killed, paused and restarted.
///
/// The program is `NATS_SERVER_BIN` when set, else `.local/tools/bin/nats-server` of the package, else the one in the
/// path. Its functions block for a moment.
public final class NATSServer: Sendable {
    /// What the server is started with.
    public struct Options: Sendable {
        /// Sync every message to disk; ignored by servers that do not know the setting.
        public var syncAlways = false
        /// A name that clients must give, with `password`.
        public var user: String?
        /// The password that belongs to `user`.
        public var password: String?
        /// Bytes a message may have at most; the server's default when nil.
        public var maxPayload: Int?

        /// The defaults: no password, no sync.
        public init() {}
    }

    /// Why a server did not start.
    public struct StartError: Error, CustomStringConvertible {
        /// The reason with the end of the server's log.
        public let description: String

        /// Makes an error with the given reason.
        public init(reason: String) { description = reason }
    }

    /// The server's port on 127.0.0.1; the same after a restart.
    public let port: UInt16
    /// Holds configuration, log and JetStream's files.
    public let directory: String
    private let options: Options
    private let process = Mutex<pid_t?>(nil)

    /// Starts a server and waits until it answers with JetStream on.
    public init(_ options: Options = Options()) throws {
        self.options = options
        directory = try TestProcesses.makeDirectory()
        port = try Self.freePort()
        try start()
    }

    private init(_ options: Options, port: UInt16, directory: String) throws {
        self.options = options
        self.port = port
        self.directory = directory
        try start()
    }

    deinit { kill() }

    /// The address for clients, with name and password when the server wants them.
    public var url: String {
        guard let user = options.user else { return "nats://127.0.0.1:\(port)" }
        return "nats://\(user):\(options.password ?? "")@127.0.0.1:\(port)"
    }

    /// A configuration to connect with.
    public func configuration(name: String = "test") throws -> NATSConfiguration {
        try NATSConfiguration(urls: [url], name: name)
    }

    /// Whether the process runs (or is paused).
    public var isRunning: Bool { process.withLock { $0 != nil } }

    /// Starts the server on its port and directory, and waits until it answers.
    public func start() throws {
        guard !isRunning else { return }
        try configurationText().write(toFile: "\(directory)/server.conf", atomically: true, encoding: .utf8)
        let pid = try TestProcesses.spawn(
            [Self.executable, "-c", "\(directory)/server.conf"], log: "\(directory)/server.log", in: directory)
        process.withLock { $0 = pid }
        let deadline = ContinuousClock.now + .seconds(15)
        while ContinuousClock.now < deadline {
            if let greeting = Self.greeting(port: port), greeting.contains("\"jetstream\":true") { return }
            if TestProcesses.hasEnded(pid) { break }
            var pause = timespec(tv_sec: 0, tv_nsec: 10_000_000)
            nanosleep(&pause, nil)
        }
        kill()
        throw StartError(reason: "\(Self.executable) does not answer: \(logTail)")
    }

    /// Starts another server in this one's place, with its port and files but another password.
    public func restartedWithPassword(_ password: String) throws -> NATSServer {
        kill()
        var changed = options
        changed.password = password
        return try NATSServer(changed, port: port, directory: directory)
    }

    /// Ends the server in order and waits for its end.
    public func stop() { end(SIGTERM) }

    /// `kill -9`, and waits until the process is gone.
    public func kill() { end(SIGKILL) }

    /// Freezes the server, and waits until it stands still: it keeps its connections and answers nothing.
    public func pause() {
        signal(SIGSTOP)
        if let pid = process.withLock({ $0 }) { TestProcesses.waitUntilStopped(pid, within: .seconds(5)) }
    }

    /// Ends the freeze.
    public func resume() { signal(SIGCONT) }

    /// Removes JetStream's files, running or not: what a lost disk does.
    public func deleteJetStreamDirectory() throws {
        let path = "\(directory)/jetstream"
        if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
    }

    /// Ends the server and removes its directory.
    public func remove() {
        kill()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// The last lines of the server's log.
    public var logTail: String {
        let text = (try? String(contentsOfFile: "\(directory)/server.log", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(8).joined(separator: "\n")
    }

    private func configurationText() -> String {
        var lines = [
            "listen: \"127.0.0.1:\(port)\"", "server_name: \"test-\(port)\"",
            "jetstream {", "store_dir: \"\(directory)\"", "max_mem: 64MB", "max_file: 4GB",
        ]
        // Servers before 2.10 refuse to start with the word.
        if options.syncAlways, !Self.version.hasPrefix("2.9.") { lines.append("sync_interval: always") }
        lines.append("}")
        if let user = options.user {
            lines.append("authorization { user: \"\(user)\", password: \"\(options.password ?? "")\" }")
        }
        if let maxPayload = options.maxPayload { lines.append("max_payload: \(maxPayload)") }
        return lines.joined(separator: "\n") + "\n"
    }

    private func signal(_ number: Int32) {
        process.withLock { if let pid = $0 { _ = Glibc.kill(pid, number) } }
    }

    private func end(_ number: Int32) {
        guard
            let pid = process.withLock({ pid in
                defer { pid = nil }
                return pid
            })
        else { return }
        _ = Glibc.kill(pid, number)
        // A paused process ends only when it runs.
        _ = Glibc.kill(pid, SIGCONT)
        TestProcesses.reap(pid, killAfter: .seconds(10))
    }
}

extension NATSServer {
    /// The program that is started.
    public static let executable: String = {
        if let path = ProcessInfo.processInfo.environment["NATS_SERVER_BIN"], !path.isEmpty { return path }
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let candidates = ["\(package)/.local/tools/bin/nats-server", "/usr/sbin/nats-server", "/usr/bin/nats-server"]
        return candidates.first { access($0, X_OK) == 0 } ?? "nats-server"
    }()

    /// The program's version, such as `2.10.27`.
    public static let version: String = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = ["--version"]
        let pipe = Pipe()
        process.standardOutput = pipe
        guard (try? process.run()) != nil else { return "unknown" }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self).split(separator: "v").last ?? "unknown"
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }()

    /// A port that nobody listens on now.
    static func freePort() throws -> UInt16 {
        try withSocket { socket in
            var address = loopback(port: 0)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
                }
            }
            guard isBound else { throw StartError(reason: "no free port") }
            return UInt16(bigEndian: address.sin_port)
        }
    }

    /// The first line the server sends, or nil when it does not listen.
    private static func greeting(port: UInt16) -> String? {
        try? withSocket { socket in
            var address = loopback(port: port)
            let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            var limit = timeval(tv_sec: 1, tv_usec: 0)
            setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = isConnected ? recv(socket, &buffer, buffer.count, 0) : 0
            guard count > 0 else { throw StartError(reason: "no greeting") }
            return String(decoding: buffer[0..<count], as: UTF8.self)
        }
    }

    private static func withSocket<Result>(_ body: (Int32) throws -> Result) throws -> Result {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw StartError(reason: "no socket") }
        defer { Glibc.close(socket) }
        return try body(socket)
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
