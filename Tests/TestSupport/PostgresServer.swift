internal import Glibc
public import Postgres
internal import Synchronization

/// A PostgreSQL cluster of the tests' own: a temporary folder, a free port on 127.0.0.1, a Unix socket in the folder.
///
/// A watcher process holds the reading end of a pipe whose writing end only this process has: however this process
/// ends, the watcher sees it, ends the server and deletes the folder.
public final class PostgresServer: Sendable {
    private struct State {
        var pid: pid_t?
        var watcher: (pid: pid_t, pipe: Int32)?
    }

    /// The TCP port on 127.0.0.1.
    public let port: UInt16
    /// The folder of everything; the Unix socket is in it, too.
    public let folder: String
    private let settings: [(String, String)]
    private let state = Mutex(State())

    private static let sharedServer = Result<PostgresServer, any Error> { try PostgresServer(durable: false) }

    /// The one that tests of a process share; each test uses a database of its own in it. Never stop it.
    public static func shared() throws -> PostgresServer { try sharedServer.get() }

    /// A new cluster, started.
    ///
    /// - Parameters:
    ///   - durable: whether commits reach the disk: on for tests that crash the server.
    ///   - settings: more settings of the server.
    public init(durable: Bool = true, settings: [String: String] = [:]) throws {
        Self.removeStale
        self.folder = try Self.makeFolder()
        self.port = try ChildProcess.freePort()
        let onOff = durable ? "on" : "off"
        self.settings =
            [
                ("fsync", onOff), ("full_page_writes", onOff), ("shared_buffers", "64MB"), ("max_connections", "500"),
                ("listen_addresses", "127.0.0.1"), ("port", String(port)), ("unix_socket_directories", folder),
                ("timezone", "UTC"), ("log_timezone", "UTC"), ("max_wal_size", "512MB"), ("logging_collector", "off"),
            ] + settings.sorted { $0.key < $1.key }
        try watch()
        do {
            let initdb = try Self.binary("initdb")
            try ChildProcess.run(
                Self.asServerUser + [
                    initdb, "-D", folder + "/data", "-U", "wallet", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                    "--no-sync",
                ], log: log)
            try start()
        } catch {
            remove()
            throw error
        }
    }

    deinit { remove() }

    private var log: String { folder + "/log" }

    /// The end of the server's log.
    public var logTail: String { ChildProcess.tail(of: log) }

    /// All that the server wrote into its log, over all its starts.
    public var logText: String { ChildProcess.contents(of: log) }

    /// A connection URL over TCP.
    ///
    /// - Parameters:
    ///   - database: the name of the database.
    ///   - port: another port that leads here, such as a `FaultProxy`'s.
    public func url(database: String = "postgres", port: UInt16? = nil) -> String {
        "postgresql://wallet@127.0.0.1:\(port ?? self.port)/\(database)"
    }

    /// A configuration over TCP.
    public func configuration(
        database: String = "postgres", port: UInt16? = nil
    ) throws -> PostgresConfiguration {
        try PostgresConfiguration(url: url(database: database, port: port), applicationName: "wallet-tests")
    }

    /// An open connection.
    public func connect(database: String = "postgres") throws -> PostgresConnection {
        let connection = PostgresConnection(configuration: try configuration(database: database))
        try connection.connect()
        return connection
    }

    /// Starts the server after `stop` or `kill`, on the same port with the same data, and waits until it answers.
    public func start() throws {
        try state.withLock { state in
            guard state.pid == nil else { return }
            let end = ContinuousClock.now + .seconds(60)
            var failure = ""
            while ContinuousClock.now < end {
                let options = settings.flatMap { ["-c", "\($0.0)=\($0.1)"] }
                let pid = try ChildProcess.spawn(
                    Self.asServerUser + [try Self.binary("postgres"), "-D", folder + "/data"] + options, log: log)
                if try waitUntilReady(pid, until: end) {
                    state.pid = pid
                    return
                }
                // After a kill the old server's children may hold the shared memory for a moment longer.
                failure = logTail
                poll(nil, 0, 100)
            }
            throw FixtureError("the server does not start: \(failure)")
        }
    }

    private func waitUntilReady(_ pid: pid_t, until end: ContinuousClock.Instant) throws -> Bool {
        let configuration = try configuration()
        while ContinuousClock.now < end {
            if ChildProcess.hasEnded(pid) { return false }
            let connection = PostgresConnection(configuration: configuration)
            if (try? connection.connect()) != nil { return true }
            poll(nil, 0, 20)
        }
        Glibc.kill(pid, SIGKILL)
        ChildProcess.reap(pid)
        throw FixtureError("the server does not answer: \(logTail)")
    }

    /// Stops the server in order, ending all sessions (`fast` mode), and waits until it is gone.
    public func stop() { end(SIGINT) }

    /// Ends the server as a crash does (`kill -9`) and waits until its main process is gone.
    public func kill() { end(SIGKILL) }

    /// Stops and starts.
    public func restart() throws {
        stop()
        try start()
    }

    private func end(_ signal: Int32) {
        state.withLock { state in
            guard let pid = state.pid else { return }
            Glibc.kill(pid, signal)
            ChildProcess.reap(pid)
            state.pid = nil
        }
    }

    /// Ends the server and deletes its folder.
    public func remove() {
        end(SIGQUIT)
        state.withLock { state in
            guard let watcher = state.watcher else { return }
            close(watcher.pipe)
            ChildProcess.reap(watcher.pid)
            state.watcher = nil
        }
    }

    /// Starts the process that cleans up when this one ends.
    private func watch() throws {
        let script = """
            cat >/dev/null
            pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
            if [ -n "$pid" ] && tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$1/data"; then
                kill -QUIT "$pid"
                n=0
                while kill -0 "$pid" 2>/dev/null && [ $n -lt 50 ]; do n=$((n + 1)); sleep 0.1; done
                kill -KILL "$pid" 2>/dev/null
            fi
            rm -rf "$1"
            exit 0
            """
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw FixtureError("no pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let pid = try ChildProcess.spawn(["sh", "-c", script, "watch", folder], input: ends[0], log: "/dev/null")
        state.withLock { $0.watcher = (pid, ends[1]) }
    }
}

extension PostgresServer {
    private static let prefix = "wallet-pg-"
    private static let folderNumber = Atomic<Int>(0)

    private static var temporary: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

    private static func makeFolder() throws -> String {
        let number = folderNumber.add(1, ordering: .relaxed).newValue
        let path = "\(temporary)/\(prefix)\(getpid())-\(number)"
        guard mkdir(path, 0o755) == 0 else {
            throw FixtureError("cannot make \(path): \(String(cString: strerror(errno)))")
        }
        if geteuid() == 0 {
            guard let entry = getpwnam("postgres") else { throw FixtureError("there is no user postgres") }
            guard chown(path, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 else {
                throw FixtureError("cannot give \(path) to the user postgres")
            }
        }
        return path
    }

    /// PostgreSQL refuses to run as root; tests in a container often do.
    private static var asServerUser: [String] {
        guard geteuid() == 0 else { return [] }
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    }

    /// The newest installed version's program.
    static func binary(_ name: String) throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = ChildProcess.entries(of: root).compactMap(Int.init).sorted(by: >)
        for version in versions {
            let path = "\(root)/\(version)/bin/\(name)"
            if access(path, X_OK) == 0 { return path }
        }
        throw FixtureError("there is no \(name) under \(root)/*/bin")
    }

    /// Folders of processes that are gone and whose watcher is gone, too (a machine that was switched off).
    private static let removeStale: Void = {
        for name in ChildProcess.entries(of: temporary) where name.hasPrefix(prefix) {
            guard let owner = name.dropFirst(prefix.count).split(separator: "-").first.flatMap({ pid_t($0) }),
                Glibc.kill(owner, 0) != 0, errno == ESRCH
            else { continue }
            let path = "\(temporary)/\(name)"
            let pid = ChildProcess.contents(of: path + "/data/postmaster.pid").split(separator: "\n").first
            if let pid = pid.flatMap({ pid_t($0) }),
                ChildProcess.contents(of: "/proc/\(pid)/cmdline").contains(path + "/data")
            {
                Glibc.kill(pid, SIGQUIT)
            }
            try? ChildProcess.run(["rm", "-rf", path], log: "/dev/null")
        }
    }()

    /// The safety catch of every fixture that creates, drops or fills databases: only this machine will do.
    public static func requireLocal(_ configuration: PostgresConfiguration) throws {
        let hosts = [configuration.option("host"), configuration.option("hostaddr")].compactMap(\.self)
            .flatMap { $0.split(separator: ",") }
        let allowed = hosts.allSatisfy { $0.hasPrefix("/") || ["127.0.0.1", "::1", "localhost"].contains($0) }
        guard allowed, !hosts.isEmpty else { throw FixtureError("fixtures refuse \(configuration): not this machine") }
    }
}
