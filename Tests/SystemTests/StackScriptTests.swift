import Foundation
import TestSupport
import Testing

extension SystemTests {
    /// `scripts/stack` where something is in its way.
    @Suite struct StackScriptTests {
        /// A frozen server goes on and ends by itself; one that obeys nothing is killed.
        @Test(.timeLimit(.minutes(2)), arguments: [("", 60), ("INT QUIT", 1)])
        func aFrozenServerIsStopped(deafTo signals: String, patience: Int) async throws {
            let stack = try ScriptedStack(["WALLET_STOP_TIMEOUT_S": "\(patience)"])
            let postgres = try await stack.impostor(
                "postgres", ["-D", "\(stack.local)/postgres/data"], deafTo: signals)
            postgres.pause()
            let down = try await stack.run("down", within: .seconds(30))
            #expect(down.end == .exit(0), "\(down.output)")
            #expect(down.output.contains("stack: postgres stopped"), "\(down.output)")
            #expect(!postgres.isRunning)
            stack.folder.remove()
        }

        @Test(.timeLimit(.minutes(2))) func aServerThatCannotBeEndedIsNamed() async throws {
            // No signal of the script arrives.
            let stack = try ScriptedStack(["WALLET_STOP_TIMEOUT_S": "1", "BASH_FUNC_kill%%": "() { :; }"])
            let postgres = try await stack.impostor("postgres", ["-D", "\(stack.local)/postgres/data"])
            let down = try await stack.run("down", within: .seconds(30))
            #expect(down.end == .exit(1), "\(down.output)")
            #expect(down.output.contains("postgres (pid \(postgres.pid)) cannot be ended"), "\(down.output)")
            stack.folder.remove()
        }

        /// `up` waits for a `reset` and then finds what it needs, although the reset deleted it.
        @Test(.timeLimit(.minutes(3))) func upWaitsForAReset() async throws {
            let servers = try await WalletStack(apis: 0, workers: 0, migrated: false)
            let known = ["DATABASE_URL", "NATS_URL", "WALLET_STREAM_MAX_BYTES"]
            let stack = try ScriptedStack(servers.settings.filter { known.contains($0.key) })
            let api = try await stack.impostor(
                "api", ["api", "--config", "\(stack.local)/wallet.env"], deafTo: "TERM")
            let reset = try stack.begin("reset")
            try await eventually("the reset's wait for the api") { Self.waits(reset, for: "sleep") }
            let up = try stack.begin("up")
            try await eventually("the wait for the lock") { Self.waits(up, for: "flock") }
            api.kill()
            #expect(try await reset.waitForEnd() == .exit(0), "\(reset.output)")
            #expect(try await up.waitForEnd(within: .seconds(90)) == .exit(0), "\(up.output)")
            stack.adopt()
            let status = try await stack.run("status")
            #expect(status.end == .exit(0), "\(status.output)")
            let down = try await stack.run("down")
            #expect(down.end == .exit(0), "\(down.output)")
            stack.folder.remove()
            try await servers.remove()
        }

        /// Whether a script runs `program` at this moment.
        private static func waits(_ script: ProgramProcess, for program: String) -> Bool {
            let task = "/proc/\(script.pid)/task/\(script.pid)/children"
            let children = (try? String(contentsOfFile: task, encoding: .utf8)) ?? ""
            return children.split(separator: " ").contains { child in
                let name = try? String(contentsOfFile: "/proc/\(child)/comm", encoding: .utf8)
                return name == "\(program)\n"
            }
        }

        /// What the script writes into the configuration file is what the program reads there.
        @Test(.timeLimit(.minutes(2))) func strangeNamesComeBackExactly() async throws {
            var stack = try ScriptedStack([
                "DATABASE_URL": ##"postgresql://127.0.0.1:1/books?application_name="it's"#$1\n"##,
                "NATS_URL": "nats://127.0.0.1:1",
            ])
            let checkout = "\(stack.folder.path)/a #1 'check\"out' $HOME \\n"
            try FileManager.default.createDirectory(atPath: checkout, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: "\(WalletProgram.root)/scripts", toPath: "\(checkout)/scripts")
            stack.script = "\(checkout)/scripts/stack"
            // There are no servers; the file is written before that matters.
            #expect(try await stack.run("up").end == .exit(1))
            let shown = try ProgramProcess(
                [WalletProgram.path(), "config", "--config", "\(stack.local)/wallet.env"], in: stack.folder,
                name: "config")
            #expect(try await shown.waitForEnd() == .exit(0), "\(shown.output)")
            let values = Dictionary(
                uniqueKeysWithValues: shown.output.split(separator: "\n").compactMap { line in
                    line.firstMatch(of: /^(\w+) +(.*?) +(file|default)$/).map { (String($0.1), String($0.2)) }
                })
            #expect(values["DATABASE_URL"] == stack.environment["DATABASE_URL"])
            #expect(values["WALLET_MIGRATIONS"] == "\(checkout)/migrations")
            stack.folder.remove()
        }
    }
}

/// The stack of `scripts/stack` in a folder of its own.
private struct ScriptedStack {
    let folder: TemporaryFolder
    var script = "\(WalletProgram.root)/scripts/stack"
    var environment: [String: String]
    var local: String { "\(folder.path)/local" }

    init(_ extra: [String: String]) throws {
        folder = try TemporaryFolder("wallet-stack")
        environment = [
            "WALLET_LOCAL_DIR": "\(folder.path)/local", "WALLET_PROGRAM": try WalletProgram.path(), "WALLET_QUIET": "1",
        ]
        for name in ["WALLET_PORT", "WALLET_API_OPERATOR_PORT", "WALLET_WORKER_OPERATOR_PORT"] {
            environment[name] = "\(try Ports.free())"
        }
        environment.merge(extra) { $1 }
    }

    /// Starts a command without waiting.
    func begin(_ command: String) throws -> ProgramProcess {
        try ProgramProcess(["bash", script, command], environment: environment, in: folder, name: "stack-\(command)")
    }

    /// Runs a command to its end.
    func run(
        _ command: String, within limit: Duration = .seconds(60)
    ) async throws -> (end: ProcessEnd, output: String) {
        let process = try begin(command)
        return (try await process.waitForEnd(within: limit), process.output)
    }

    /// A process that the script takes for its own: its command line ends with `mark`. It ignores some signals.
    func impostor(_ name: String, _ mark: [String], deafTo signals: String = "") async throws -> ProgramProcess {
        try FileManager.default.createDirectory(atPath: "\(local)/run", withIntermediateDirectories: true)
        // To open a pipe that nobody writes to takes for ever.
        let body = """
            if [[ -n $1 ]]; then trap '' $1; fi
            mkfifo "$2"
            echo begun
            : <"$2"
            """
        let process = try ProgramProcess(
            ["bash", "-c", body, name, signals, "\(folder.path)/\(name).fifo"] + mark, in: folder, name: name)
        try await eventually("the start of \(name)") { process.output == "begun\n" }
        try folder.write("\(process.pid)\n", to: "local/run/\(name).pid")
        return process
    }

    /// Lets the processes that `up` started end with the folder.
    func adopt() {
        for name in ["api", "worker"] {
            let text = (try? String(contentsOfFile: "\(local)/run/\(name).pid", encoding: .utf8)) ?? ""
            if let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) { folder.watch(pid) }
        }
    }
}
