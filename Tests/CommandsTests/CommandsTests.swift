import Foundation
import Runtime
import Testing

@testable import Commands

/// How the program answers to its command line and its configuration. None of this needs a server.
@Suite struct CommandLineTests {
    /// A complete configuration; nobody listens at its addresses.
    static let complete = [
        "DATABASE_URL": "postgresql://clerk:blue-whale@127.0.0.1:1/books",
        "NATS_URL": "nats://mail:red-kite@127.0.0.1:1,nats://mail:red-kite@127.0.0.2:1",
    ]

    static let names = WalletProgram.commands.map(\.specification.name) + ["bench"]

    @Test(arguments: [["help"], ["--help"], []]) func helpListsEveryCommand(arguments: [String]) throws {
        let program = try BuiltProgram(arguments)
        #expect(program.exitCode == 0)
        #expect(program.complaint.isEmpty)
        for name in Self.names { #expect(program.output.contains("\n  \(name)"), "help does not list \(name)") }
    }

    @Test(arguments: names) func everyCommandExplainsItself(name: String) throws {
        let asked = try BuiltProgram([name, "--help"])
        #expect(asked.exitCode == 0)
        #expect(asked.output.contains("Usage: wallet \(name)"))
        #expect(asked.complaint.isEmpty)
        let helped = try BuiltProgram(["help", name])
        #expect(helped.exitCode == 0)
        #expect(helped.output.contains("Usage: wallet \(name)"))
    }

    @Test func versionIsThatOfTheProgram() throws {
        let program = try BuiltProgram(["version"])
        #expect(program.exitCode == 0)
        #expect(program.output == "wallet \(WalletProgram.version)\n")
    }

    @Test(
        arguments: [["version"], ["help"], ["bench", "--help"], ["config", "--markdown"]],
        [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")])
    func anAnswerThatCannotBeWrittenIsAFailure(
        arguments: [String], output: (redirection: String, reason: String)
    ) throws {
        let program = try BuiltProgram(arguments, redirection: output.redirection)
        #expect(program.exitCode == 1)
        #expect(program.complaint == "wallet: cannot write standard output: \(output.reason)\n")
    }

    @Test(arguments: ["2>/dev/full", "2>&-", ">&- 2>&-"])
    func aComplaintThatCannotBeWrittenChangesNothing(redirection: String) throws {
        let program = try BuiltProgram(["no-such-command"], redirection: redirection)
        #expect(program.exitCode == 2)
    }

    /// The version is written once in the code and once where people look for it.
    @Test func theChangelogBeginsWithThisVersion() throws {
        let file = BuiltProgram.checkout.appending(path: "CHANGELOG.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let versions = text.matches(of: /(?m)^## \[([0-9.]+)\]/).map { String($0.1) }
        #expect(versions.first == WalletProgram.version)
    }

    @Test(arguments: [
        (["confg"], "did you mean config?"),
        (["api", "--confg", "x"], "did you mean --config?"),
        (["api", "extra"], "api does not take \"extra\""),
        (["api", "--config"], "--config needs a value"),
        (["version", "--loud"], "version has no option --loud"),
        (["migrate"], "migrate needs ACTION"),
        (["migrate", "sideways"], "write up, status or verify"),
        (["rebuild"], "name one wallet, or write --all"),
        (["rebuild", "7", "--all"], "name one wallet, or write --all"),
        (["config", "--for", "bench"], "write one of api, worker"),
        (["help", "nothing"], "there is no command \"nothing\""),
        (["api", "--config", "/nonexistent/wallet.env"], "cannot read the configuration file /nonexistent/wallet.env"),
        (["bench", "--colour"], "--colour: is unknown"),
    ])
    func aWrongCommandLineIsRefusedWithAReason(arguments: [String], reason: String) throws {
        let program = try BuiltProgram(arguments, environment: Self.complete)
        #expect(program.exitCode == 2)
        #expect(program.output.isEmpty)
        #expect(program.complaint.hasPrefix("wallet"))
        #expect(program.complaint.contains(reason), "said instead: \(program.complaint)")
    }

    /// The same, without a process: what the others see is the code that `run` returns.
    @Test func runReturnsTheExitCode() async {
        #expect(await WalletProgram.run(["version"]) == 0)
        #expect(await WalletProgram.run(["migrate", "sideways"]) == 2)
        #expect(await WalletProgram.run(["no-such-command"]) == 2)
    }

    @Test(arguments: ["audit", "rebuild"]) func aWordThatIsNoWalletIDIsAWrongCommandLine(name: String) throws {
        let program = try BuiltProgram([name, "seven"], environment: Self.complete)
        #expect(program.exitCode == 2)
        #expect(program.complaint.contains("\"seven\" is no wallet id"))
    }

    @Test(arguments: ["api", "worker", "config"]) func everyProblemIsToldAtOnce(name: String) throws {
        let program = try BuiltProgram(
            [name],
            environment: [
                "DATABASE_URL": "mysql://books", "WALLET_LANES": "0", "WALLET_LANE": "3", "WALLET_LOG_LEVEL": "loud",
                "NATS_URL": Self.complete["NATS_URL"] ?? "",
            ])
        #expect(program.exitCode == 2)
        #expect(program.output.isEmpty)
        #expect(program.complaint.contains("the configuration has 4 problems"), "said instead: \(program.complaint)")
        for word in ["DATABASE_URL", "WALLET_LANES is \"0\"", "did you mean WALLET_LANES?", "WALLET_LOG_LEVEL"] {
            #expect(program.complaint.contains(word), "nothing about \(word): \(program.complaint)")
        }
    }

    @Test func rulesAcrossVariablesAreKept() throws {
        var environment = Self.complete
        environment["WALLET_DEFAULT_ASSET"] = "POINTS"
        let unknown = try BuiltProgram(["config"], environment: environment)
        #expect(unknown.exitCode == 2)
        #expect(unknown.complaint.contains("add POINTS:SCALE to WALLET_ASSETS"))
        environment["WALLET_ASSETS"] = "POINTS:0"
        #expect(try BuiltProgram(["config"], environment: environment).exitCode == 0)
        environment["WALLET_STREAM_MAX_AGE_S"] = "60"
        let window = try BuiltProgram(["config"], environment: environment)
        #expect(window.exitCode == 2)
        #expect(window.complaint.contains("WALLET_STREAM_DUPLICATE_WINDOW_S"))
    }

    /// What the libraries would refuse only when they connect is wrong from the beginning, for every process.
    @Test(arguments: [["api"], ["worker"], ["config", "--for", "api"], ["config"]])
    func urlsAndPortsAreCheckedBeforeAnythingStarts(arguments: [String]) throws {
        let environment = [
            "DATABASE_URL": "postgresql://clerk:blue-whale@127.0.0.1:notaport/books",
            "PROJECTION_DATABASE_URL": "postgresql://clerk:blue-whale@127.0.0.1/books?nonsense=black-swan",
            "NATS_URL": "nats://127.0.0.1,nats://mail:red-kite@127.0.0.1:99999",
            "WALLET_LISTEN": "127.0.0.1:8089", "WALLET_OPERATOR_LISTEN": "0.0.0.0:8089",
        ]
        let program = try BuiltProgram(arguments, environment: environment)
        #expect(program.exitCode == 2)
        let said = program.complaint
        let isAPI = arguments.contains("api")
        #expect(said.contains("the configuration has 3 problems"), "said instead: \(said)")
        #expect(said.contains(#"  - DATABASE_URL is "***" (from the environment): "#), "\(said)")
        #expect(said.contains("PROJECTION_DATABASE_URL is"), "\(said)")
        #expect(said.contains("WALLET_OPERATOR_LISTEN is 0.0.0.0:8089, which is the same port") == isAPI, "\(said)")
        #expect(said.contains("part 2 of the list: the port is not a number of 1 to 65535") == !isAPI, "\(said)")
        for secret in ["blue-whale", "black-swan", "red-kite"] { #expect(!said.contains(secret)) }
    }

    @Test func theAPINeedsNoNATS() throws {
        var environment = Self.complete
        environment["NATS_URL"] = nil
        #expect(try BuiltProgram(["config", "--for", "api"], environment: environment).exitCode == 0)
        #expect(try BuiltProgram(["config", "--for", "worker"], environment: environment).exitCode == 2)
    }

    @Test func configShowsValuesAndSourcesButNoSecrets() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wallet-config-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "wallet.env")
        try Data("WALLET_LANES=7\nWALLET_QUEUE_MAX=99 # small\n".utf8).write(to: file)
        var environment = Self.complete
        environment["WALLET_LANES"] = "5"
        let program = try BuiltProgram(["config", "--config", file.path()], environment: environment)
        #expect(program.exitCode == 0)
        #expect(program.complaint.isEmpty)
        let rows = program.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(rows.contains(["WALLET_LANES", "5", "environment"]))
        #expect(rows.contains(["WALLET_QUEUE_MAX", "99", "file"]))
        #expect(rows.contains(["WALLET_BATCH_MAX", "2048", "default"]))
        #expect(rows.contains(["DATABASE_URL", "postgresql://clerk:***@127.0.0.1:1/books", "environment"]))
        #expect(!program.output.contains("blue-whale") && !program.output.contains("red-kite"))
    }

    /// Without its database a process does not start; it says why and keeps the password to itself.
    @Test(arguments: [["api"], ["worker"], ["audit"], ["rebuild", "--all"], ["migrate", "up"]])
    func aMissingDatabaseIsAFailureAndNoSecretIsTold(arguments: [String]) throws {
        var environment = Self.complete
        environment["WALLET_MIGRATIONS"] = BuiltProgram.checkout.appending(path: "migrations").path()
        let program = try BuiltProgram(arguments, environment: environment)
        #expect(program.exitCode == 1)
        #expect(program.complaint.contains("127.0.0.1"), "said instead: \(program.complaint)")
        #expect(!program.complaint.contains("blue-whale") && !program.output.contains("blue-whale"))
    }

    @Test func migrationsThatAreNotThereAreNamed() throws {
        var environment = Self.complete
        environment["WALLET_MIGRATIONS"] = "/nonexistent/migrations"
        let program = try BuiltProgram(["migrate", "up"], environment: environment)
        #expect(program.exitCode == 1)
        #expect(program.complaint.contains("/nonexistent/migrations/ledger"))
    }
}
