import Foundation
import Glibc
import Synchronization

/// The processes that tests start, none of which outlives the tests: those of this run are killed when it exits,
/// those of a run that was killed itself when the next one begins. (The kernel's parent-death signal is of no use: it
/// comes when the starting thread ends, not the process.)
enum TestProcesses {
    private struct State {
        var running: Set<pid_t> = []
        var directories = 0
        var isPrepared = false
    }

    private static let state = Mutex(State())
    private static let prefix = "wallet-test-nats-"
    private static var home: String { "/tmp/\(prefix)\(getpid())" }

    /// A fresh directory that belongs to this run.
    static func makeDirectory() throws -> String {
        let (number, isFirst) = state.withLock { state in
            defer { state.isPrepared = true }
            state.directories += 1
            return (state.directories, !state.isPrepared)
        }
        if isFirst {
            sweep()
            atexit { TestProcesses.killAll() }
        }
        let path = "\(home)/\(number)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Starts a program whose output goes to a file. The pid is written beside it, for a later sweep.
    static func spawn(_ arguments: [String], log: String, in directory: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own: an interrupt on the terminal ends the tests first, which then end the server.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, arguments[0], &actions, &attributes, &words, environ)
        guard code == 0 else {
            throw NATSServer.StartError(reason: "\(arguments[0]): \(String(cString: strerror(code)))")
        }
        state.withLock { _ = $0.running.insert(pid) }
        try? String(pid).write(toFile: "\(directory)/pid", atomically: true, encoding: .utf8)
        return pid
    }

    /// Whether the process ended by itself; it stays to be reaped.
    static func hasEnded(_ pid: pid_t) -> Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo == SIGCHLD
    }

    /// Waits until a stop signal, which the system delivers at its leisure, has halted all threads of a process.
    static func waitUntilStopped(_ pid: pid_t, within patience: Duration) {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            var info = siginfo_t()
            let status = waitid(P_PID, id_t(pid), &info, WSTOPPED | WNOHANG)
            if status != 0 || info.si_signo == SIGCHLD { return }
            var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
            nanosleep(&pause, nil)
        }
    }

    /// Waits for the end of a process; kills it when it takes too long.
    static func reap(_ pid: pid_t, killAfter patience: Duration) {
        let deadline = ContinuousClock.now + patience
        var status: Int32 = 0
        while waitpid(pid, &status, WNOHANG) == 0 {
            if ContinuousClock.now > deadline { _ = kill(pid, SIGKILL) }
            var pause = timespec(tv_sec: 0, tv_nsec: 2_000_000)
            nanosleep(&pause, nil)
        }
        state.withLock { _ = $0.running.remove(pid) }
    }

    private static func killAll() {
        for pid in state.withLock({ $0.running }) {
            _ = kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        try? FileManager.default.removeItem(atPath: home)
    }

    /// Ends what an earlier, killed run left behind, recognised by its directory in the command line.
    private static func sweep() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? []
        for name in names where name.hasPrefix(prefix) {
            let root = "/tmp/\(name)"
            guard let owner = pid_t(name.dropFirst(prefix.count)), owner != getpid(), kill(owner, 0) != 0,
                errno == ESRCH
            else { continue }
            for child in (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [] {
                let text = (try? String(contentsOfFile: "\(root)/\(child)/pid", encoding: .utf8)) ?? ""
                guard let pid = pid_t(text), let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"),
                    String(decoding: line, as: UTF8.self).contains("\(root)/\(child)/")
                else { continue }
                _ = kill(pid, SIGKILL)
            }
            try? FileManager.default.removeItem(atPath: root)
        }
    }
}
