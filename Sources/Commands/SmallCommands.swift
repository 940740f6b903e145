import Foundation
import Runtime

/// `wallet config`: shows the configuration that a process would run with.
enum ConfigCommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(
            name: "config", summary: "Check the configuration and print it with secrets masked.",
            discussion: "With --markdown it prints the table of all variables instead, and checks nothing.",
            options: [
                .configurationFile, .flag("markdown", "Print what variables there are, as a Markdown table."),
                .value("for", "PROCESS", default: "worker", "Whose configuration: api or worker."),
            ]),
        run: run)

    private enum Process: String, CaseIterable {
        case api, worker
    }

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        if arguments.flag("markdown") {
            Terminal.write(Configuration.markdown(Settings.all))
            return 0
        }
        let process = try arguments.choice("for", of: Process.self) ?? .worker
        let keys = process == .api ? Settings.api : Settings.worker
        Terminal.write(try Configuration.load(keys, arguments).table())
        return 0
    }
}

/// `wallet version`.
enum VersionCommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(name: "version", summary: "Print the version."),
        run: { _ in
            Terminal.write("wallet \(WalletProgram.version)\n")
            return 0
        })
}

extension Configuration {
    /// Reads `keys` from the environment and the file that `--config` names. Throws `Problems` or `Unreadable`.
    static func load(_ keys: [any AnyConfigurationKey], _ arguments: ParsedArguments) throws -> Configuration {
        let file = try arguments.value("config").map { path throws(ConfigurationFile.Unreadable) in
            try ConfigurationFile(path: path)
        }
        return try Configuration(
            keys, alsoKnown: Settings.all.map(\.name),
            environment: ProcessInfo.processInfo.environment, file: file,
            rules: Settings.rules)
    }
}
