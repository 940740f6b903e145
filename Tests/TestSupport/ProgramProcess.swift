import Foundation
internal import Glibc
internal import Synchronization

/// How a process ended.
public enum ProcessEnd: Equatable, Sendable, CustomStringConvertible {
    /// It ended by itself with this code.
    case exit(Int32)
    /// A signal ended it.
    case signal(Int32)

    init(waitStatus status: Int32) {
        let signal = status & 0x7f
        self = signal == 0 ? .exit((status >> 8) & 0xff) : .signal(signal)
    }

    /// The end in words.
    public var description: String {
        switch self {
        case .exit(let code): "exit code \(code)"
        case .signal(let number): "signal \(number)"
        }
    }
}

/// A program under test: started with its output in a file, sent signals, and waited for. It never outlives the
/// `TemporaryFolder` its log is in, which never outlives the tests.
public final class ProgramProcess: Sendable {
    private enum Life {
        case running(pid_t)
        case ended(ProcessEnd)
    }

    private let life: Mutex<Life>
    /// The file its output is appended to.
    public let log: String
    /// Its process id, while it runs and after.
    public let pid: Int32

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - arguments: the program's path and its arguments.
    ///   - environment: the only variables it gets besides `PATH`, `LC_ALL` and `TZ`.
    ///   - folder: where its log and its process id are kept.
    ///   - name: the name of the log, without its ending.
    /// - Throws: `FixtureError` when it cannot be started.
    public init(
        _ arguments: [String], environment: [String: String] = [:], in folder: TemporaryFolder, name: String
    ) throws {
        log = "\(folder.path)/\(name).log"
        let variables = environment.map { "\($0.key)=\($0.value)" }
        let words = variables.isEmpty ? arguments : ["/usr/bin/env"] + variables + arguments
        pid = try ChildProcess.spawn(words, log: log)
        life = Mutex(.running(pid))
        folder.watch(pid)
    }

    /// How it ended; nil while it runs.
    public var end: ProcessEnd? {
        life.withLock { life in
            guard case .running(let pid) = life else {
                if case .ended(let end) = life { return end }
                return nil
            }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let end = ProcessEnd(waitStatus: status)
            life = .ended(end)
            return end
        }
    }

    /// Whether it runs.
    public var isRunning: Bool { end == nil }

    /// Asks it to stop (SIGTERM).
    public func terminate() { send(SIGTERM) }

    /// Ends it as a crash does (`kill -9`).
    public func kill() { send(SIGKILL) }

    /// Freezes it; its connections stay open.
    public func pause() { send(SIGSTOP) }

    /// Ends the freeze.
    public func resume() { send(SIGCONT) }

    private func send(_ signal: Int32) {
        life.withLock { life in
            if case .running(let pid) = life { _ = Glibc.kill(pid, signal) }
        }
    }

    /// Waits for its end.
    ///
    /// - Throws: `NeverHappened` when it still runs at the deadline.
    @discardableResult
    public func waitForEnd(within limit: Duration = .seconds(30)) async throws -> ProcessEnd {
        try await eventually(within: limit, "the end of process \(pid)") { end != nil }
        return end ?? .exit(-1)
    }

    /// All it wrote.
    public var output: String { ChildProcess.contents(of: log) }

    /// The last lines it wrote.
    public var outputTail: String { ChildProcess.tail(of: log) }
}

/// A folder under the temporary one that is removed with everything that was started in it, however the tests end: a
/// small process holds the reading end of a pipe that closes when this process is gone.
public final class TemporaryFolder: Sendable {
    private struct Watcher {
        let pid: pid_t
        let pipe: Int32
    }

    /// Its path.
    public let path: String
    private let watcher = Mutex<Watcher?>(nil)

    /// Makes a folder.
    ///
    /// - Parameter name: the beginning of its name.
    /// - Throws: `FixtureError` when it cannot be made.
    public init(_ name: String = "wallet-system") throws {
        let temporary = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(temporary)/\(name)-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw FixtureError("no temporary folder: \(String(cString: strerror(errno)))")
        }
        path = String(cString: made)
        try ChildProcess.run(["touch", "\(path)/pids"], log: "/dev/null")
        // A pid alone may belong to somebody else by now: its command line must name the folder, too.
        let script = """
            cat >/dev/null
            while read -r pid mark; do
                if tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$mark"; then kill -KILL "$pid"; fi
            done <"$1/pids"
            rm -rf "$1"
            exit 0
            """
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw FixtureError("no pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let pid = try ChildProcess.spawn(["sh", "-c", script, "watch", path], input: ends[0], log: "/dev/null")
        watcher.withLock { $0 = Watcher(pid: pid, pipe: ends[1]) }
    }

    deinit { remove() }

    /// Lets a process end with the folder.
    ///
    /// - Parameters:
    ///   - pid: the process.
    ///   - mark: what its command line holds; by default the folder's path.
    public func watch(_ pid: Int32, markedBy mark: String? = nil) {
        guard let file = fopen("\(path)/pids", "ae") else { return }
        fputs("\(pid) \(mark ?? path)/\n", file)
        fclose(file)
    }

    /// Writes a file into it.
    ///
    /// - Returns: the file's path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    /// Ends what runs in it and removes it.
    public func remove() {
        let watcher = watcher.withLock { watcher in
            defer { watcher = nil }
            return watcher
        }
        guard let watcher else { return }
        close(watcher.pipe)
        ChildProcess.reap(watcher.pid)
    }
}

/// TCP ports on 127.0.0.1.
public enum Ports {
    /// A port nobody listens on at the moment.
    public static func free() throws -> UInt16 { try ChildProcess.freePort() }
}
