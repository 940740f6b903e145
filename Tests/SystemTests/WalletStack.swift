import Foundation
import JSON
import TestSupport
import Testing

/// The program as `swift build` left it, beside the test bundle.
enum WalletProgram {
    /// The checkout.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// The path of the built program.
    static func path() throws -> String {
        let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        for start in [bundle, CommandLine.arguments[0]] {
            let path = URL(filePath: start).deletingLastPathComponent().appending(path: "wallet").path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw FixtureError("there is no program `wallet` beside \(bundle); build it: swift build")
    }
}

/// One `wallet api` or `wallet worker` that can be killed and started again on the same ports.
final class WalletNode: Sendable {
    let role: String
    let name: String
    /// The API's port; of a worker nobody listens there.
    let port: UInt16
    let operatorPort: UInt16
    private let folder: TemporaryFolder
    private let process = Slot<ProgramProcess>()

    init(_ role: String, _ number: Int, _ settings: [String: String], in folder: TemporaryFolder) throws {
        self.role = role
        self.folder = folder
        name = "\(role)-\(number)"
        port = try Ports.free()
        operatorPort = try Ports.free()
        var lines = settings
        lines["WALLET_OPERATOR_LISTEN"] = "127.0.0.1:\(operatorPort)"
        if role == "api" { lines["WALLET_LISTEN"] = "127.0.0.1:\(port)" }
        let text = lines.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
        try folder.write(text, to: "\(name).env")
    }

    /// Starts it without waiting.
    func launch() throws {
        let program = try ProgramProcess(
            [WalletProgram.path(), role, "--config", "\(folder.path)/\(name).env"], in: folder, name: name)
        process.value = program
    }

    /// Starts it and waits until it says that it can work.
    func start() async throws {
        try launch()
        try await untilReady()
    }

    /// Waits until it says that it can work.
    func untilReady(within limit: Duration = .seconds(60)) async throws {
        do {
            try await eventually(within: limit, every: .milliseconds(50), "\(name) ready") {
                if let end = process.value?.end { throw FixtureError("\(name) ended with \(end)") }
                return await isReady
            }
        } catch {
            let said = await answer(.get("/v1/ready"), from: readyPort)?.summary ?? "no answer"
            throw FixtureError("\(error): \(said)\n\(outputTail)")
        }
    }

    private var readyPort: UInt16 { role == "api" ? port : operatorPort }

    /// Whether it says that it can work.
    var isReady: Bool {
        get async { await answer(.get("/v1/ready"), from: readyPort)?.status == 200 }
    }

    /// One request over a connection of its own; nil when there is no answer.
    func answer(_ request: HTTPRequest, from port: UInt16? = nil) async -> HTTPAnswer? {
        let port = port ?? self.port
        return try? await blocking { try HTTPConnection(port: port).exchange(request) }
    }

    /// The value of a metric: the sum of all lines that begin with `prefix`.
    func metric(_ prefix: String) async -> Double {
        let text = await answer(.get("/metrics"), from: operatorPort).map { String(decoding: $0.body, as: UTF8.self) }
        return (text ?? "").split(separator: "\n").filter { $0.hasPrefix(prefix) }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }

    var isRunning: Bool { process.value?.isRunning ?? false }
    var state: String { process.value?.end.map { "ended with \($0)" } ?? "runs" }
    var output: String { process.value?.output ?? "" }

    /// The last lines of its log that say something; of a crash, where it happened.
    var outputTail: String {
        let lines = output.split(separator: "\n").filter { !$0.contains("\"not ready\"") }
        guard let crash = lines.first(where: { $0.contains("Program crashed:") }) else {
            return lines.suffix(15).joined(separator: "\n")
        }
        let frames = lines.drop { !($0.hasPrefix("Thread ") && $0.contains("crashed")) }.prefix(25)
        return ([crash] + frames).joined(separator: "\n")
    }

    /// `kill -9`, and waits until it is gone.
    func kill() async throws {
        process.value?.kill()
        try await process.value?.waitForEnd()
    }

    /// Asks it to stop.
    func terminate() { process.value?.terminate() }

    /// Waits for its end.
    func waitForEnd(within limit: Duration = .seconds(40)) async throws -> ProcessEnd? {
        try await process.value?.waitForEnd(within: limit)
    }
}

/// A whole installation of its own: PostgreSQL that syncs, nats-server with JetStream, api and worker processes.
final class WalletStack: Sendable {
    let folder: TemporaryFolder
    let postgres: PostgresServer
    let nats: NATSServer
    let apis: [WalletNode]
    let workers: [WalletNode]
    let settings: [String: String]

    /// Names of the installation's parts.
    enum Part: String, Sendable { case database, broker, api, worker }

    /// Starts the servers and migrates; `apis` and `workers` of the processes are made, not started.
    init(apis: Int = 1, workers: Int = 1, migrated: Bool = true, settings extra: [String: String] = [:]) async throws {
        folder = try TemporaryFolder()
        let (postgres, nats) = try await blocking {
            var options = NATSServer.Options()
            options.syncAlways = true
            options.user = "wallet"
            options.password = "nats-secret-7f3a"
            // Sooner than our lock time-out would end the wait, so that a deadlock is called one in the log.
            let postgres = try PostgresServer(durable: true, settings: ["deadlock_timeout": "100ms"])
            return (postgres, try NATSServer(options))
        }
        self.postgres = postgres
        self.nats = nats
        var settings = [
            "DATABASE_URL": "postgresql://wallet:pg-secret-91c5@127.0.0.1:\(postgres.port)/postgres",
            "NATS_URL": nats.url, "WALLET_MIGRATIONS": "\(WalletProgram.root)/migrations",
            "WALLET_LOG_FORMAT": "json", "WALLET_LOG_LEVEL": "warning", "WALLET_AUDIT_RATE": "5000",
            "WALLET_EXPIRY_POLL_MS": "100",
            // The test's broker has less room than the default asks for.
            "WALLET_STREAM_MAX_BYTES": "268435456",
        ]
        settings.merge(extra) { $1 }
        self.settings = settings
        let folder = folder
        // Only a worker reads NATS_URL and the worker's settings; all of them are known to every process.
        self.apis = try (0..<apis).map { try WalletNode("api", $0 + 1, settings, in: folder) }
        self.workers = try (0..<workers).map { try WalletNode("worker", $0 + 1, settings, in: folder) }
        adoptBroker()
        if migrated {
            let end = try await run("migrate", "up")
            guard end.end == .exit(0) else { throw FixtureError("migrate up: \(end.end) \(end.output)") }
        }
    }

    /// An installation whose processes are ready.
    static func started(
        apis: Int = 1, workers: Int = 1, settings: [String: String] = [:]
    ) async throws -> WalletStack {
        let stack = try await WalletStack(apis: apis, workers: workers, settings: settings)
        for node in stack.apis + stack.workers { try node.launch() }
        for node in stack.apis + stack.workers { try await node.untilReady() }
        return stack
    }

    private static let common = Slot<Task<WalletStack, any Error>>()

    /// Two apis and two workers that tests without faults share.
    static func shared() async throws -> WalletStack {
        let task = common.valueOrSet { Task { try await started(apis: 2, workers: 2) } }
        return try await task.value
    }

    /// Runs a subcommand to its end.
    func run(_ arguments: String...) async throws -> (end: ProcessEnd, output: String) {
        try await run(arguments, settings: settings)
    }

    /// Runs a subcommand to its end with settings of its own.
    func run(_ arguments: [String], settings: [String: String]) async throws -> (end: ProcessEnd, output: String) {
        let name = "run-\(UUID().uuidString.prefix(8))"
        let text = settings.map { "\($0.key)=\($0.value)\n" }.joined()
        let file = try folder.write(text, to: "\(name).env")
        let program = try ProgramProcess(
            [WalletProgram.path()] + arguments + ["--config", file], in: folder, name: name)
        let end = try await program.waitForEnd(within: .seconds(60))
        return (end, program.output)
    }

    /// The rows of a statement whose columns are all text.
    func rows(_ statement: String) async throws -> [[String?]] {
        let postgres = postgres
        return try await blocking { try postgres.rows(statement) }
    }

    /// Runs statements that return nothing.
    func execute(_ statements: String) async throws {
        let postgres = postgres
        try await blocking { try postgres.run(statements) }
    }

    /// The first column of the first row as a number.
    func count(_ statement: String) async throws -> Int {
        Int(try await rows(statement).first?.first.flatMap(\.self) ?? "") ?? -1
    }

    func killDatabase() async throws { try await withPostgres { $0.kill() } }
    func startDatabase() async throws { try await withPostgres { try $0.start() } }

    func killBroker() async throws { try await withBroker { $0.kill() } }
    func startBroker() async throws {
        try await withBroker { try $0.start() }
        adoptBroker()
    }

    /// What a lost disk does: the broker comes back with nothing of its streams.
    func loseBrokerFiles() async throws {
        try await withBroker {
            $0.kill()
            try $0.deleteJetStreamDirectory()
            try $0.start()
        }
        adoptBroker()
    }

    private func withPostgres(_ body: @escaping @Sendable (PostgresServer) throws -> Void) async throws {
        let postgres = postgres
        try await blocking { try body(postgres) }
    }

    private func withBroker(_ body: @escaping @Sendable (NATSServer) throws -> Void) async throws {
        let nats = nats
        try await blocking { try body(nats) }
    }

    private func adoptBroker() {
        guard let text = try? String(contentsOfFile: "\(nats.directory)/pid", encoding: .utf8), let pid = Int32(text)
        else { return }
        folder.watch(pid, markedBy: nats.directory)
    }

    /// Which processes run, and the ends of all logs: for a failure's message.
    var logTails: String {
        (apis + workers).map { "\($0.name) \($0.state):\n\($0.outputTail)" }.joined(separator: "\n")
    }

    /// Ends everything.
    func remove() async throws {
        let (folder, postgres, nats) = (folder, postgres, nats)
        try await blocking {
            folder.remove()
            nats.remove()
            postgres.remove()
        }
    }
}

/// Lends an installation and ends it afterwards, whatever happens.
func withStack(
    apis: Int = 1, workers: Int = 1, settings: [String: String] = [:],
    _ body: (WalletStack) async throws -> Void
) async throws {
    let stack = try await WalletStack.started(apis: apis, workers: workers, settings: settings)
    do {
        try await body(stack)
    } catch {
        Issue.record("\(error)\n\(stack.logTails)")
    }
    try await stack.remove()
}
