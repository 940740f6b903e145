import Glibc
import Runtime

/// The program `wallet`: picks the subcommand and turns its end into an exit code.
///
/// Exit codes: 0 done, 1 failed (or found something wrong), 2 wrong command line or configuration.
public enum WalletProgram {
    /// The version of the program.
    public static let version = "0.1.0"

    private static let interface = CommandLineInterface(
        program: "wallet", summary: "A wallet ledger on PostgreSQL and NATS JetStream.",
        commands: commands.map(\.specification) + [BenchCommand.specification])

    static let commands: [Subcommand] = [
        APICommand.subcommand, MigrateCommand.subcommand,
        WorkerCommand.subcommand, AuditCommand.subcommand, RebuildCommand.subcommand,
        ExportCommand.subcommand, ImportCommand.subcommand, DeadLettersCommand.subcommand, ConfigCommand.subcommand,
        VersionCommand.subcommand,
    ]

    /// Runs the subcommand that the process's arguments ask for, and leaves the process.
    public static func main() async -> Never {
        Terminal.reserveDescriptors()
        let code = await run(Array(CommandLine.arguments.dropFirst()))
        guard let failure = Terminal.failure else { exit(code) }
        Terminal.complain("wallet: \(failure)")
        exit(code == 0 ? 1 : code)
    }

    /// Runs the subcommand that `arguments` ask for. Returns the exit code.
    static func run(_ arguments: [String]) async -> Int32 {
        do {
            // The load generator reads its own options.
            if arguments.first == BenchCommand.specification.name {
                return try await BenchCommand.run(Array(arguments.dropFirst()))
            }
            switch try interface.parse(arguments) {
            case .help(let text):
                Terminal.write(text)
                return 0
            case .run(let name, let parsed):
                guard let command = commands.first(where: { $0.specification.name == name }) else { return 2 }
                return try await command.run(parsed)
            }
        } catch let error as UsageError {
            Terminal.complain("wallet: \(error)")
            return UsageError.exitCode
        } catch let error as Configuration.Problems {
            Terminal.complain("wallet: \(error)")
            return 2
        } catch let error as ConfigurationFile.Unreadable {
            Terminal.complain("wallet: \(error)")
            return 2
        } catch {
            Terminal.complain("wallet: \(error)")
            return 1
        }
    }
}

/// A subcommand: how it is called and what it does. Its result is the exit code.
struct Subcommand: Sendable {
    let specification: CommandSpecification
    let run: @Sendable (ParsedArguments) async throws -> Int32
}

/// The option that every subcommand with a configuration takes.
extension CommandOption {
    static let configurationFile = CommandOption.value(
        "config", "FILE", "A file with NAME=value lines; the environment wins over it.")
}
