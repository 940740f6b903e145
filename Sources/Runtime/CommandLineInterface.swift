/// The program's command line: `program command --option value word ...`.
public struct CommandLineInterface: Sendable {
    /// What the command line asks for.
    public enum Request: Sendable {
        /// Run this command.
        case run(command: String, ParsedArguments)
        /// Print this text to standard output and leave with 0.
        case help(String)
    }

    private let program: String
    private let summary: String
    private let commands: [CommandSpecification]

    /// Describes the program.
    public init(program: String, summary: String, commands: [CommandSpecification]) {
        precondition(Set(commands.map(\.name)).count == commands.count, "a command is declared twice")
        self.program = program
        self.summary = summary
        self.commands = commands
    }

    /// Reads the arguments (without the program's own name). No arguments at all ask for help.
    ///
    /// - Throws: `UsageError` when they are wrong.
    public func parse(_ arguments: [String]) throws(UsageError) -> Request {
        guard let word = arguments.first else { return .help(help()) }
        let rest = arguments.dropFirst()
        switch word {
        case "help", "--help", "-h":
            guard let name = rest.first else { return .help(help()) }
            guard rest.count == 1 else { throw UsageError("help takes one command\n\(hint())") }
            return .help(help(for: try command(name)))
        default:
            let command = try command(word)
            let options = rest.prefix { $0 != "--" }
            if options.contains("--help") || options.contains("-h") { return .help(help(for: command)) }
            return .run(command: word, try parse(Array(rest), for: command))
        }
    }

    /// The text that lists the commands.
    public func help() -> String {
        let width = commands.map(\.name.count).max() ?? 0
        let lines = commands.map { "  \(padded($0.name, width))  \($0.summary)" }
        return """
            \(summary)

            Usage: \(program) COMMAND [OPTIONS]

            Commands:
            \(lines.joined(separator: "\n"))

            \(program) help COMMAND explains one of them.

            """
    }

    private func help(for command: CommandSpecification) -> String {
        var usage = "\(program) \(command.name)"
        if !command.options.isEmpty { usage += " [OPTIONS]" }
        for (index, positional) in command.positionals.enumerated() {
            usage += index < command.requiredPositionals ? " \(positional.name)" : " [\(positional.name)]"
        }
        var text = "\(command.summary)\n\nUsage: \(usage)\n"
        if !command.discussion.isEmpty { text += "\n\(command.discussion)\n" }
        let words = command.positionals.map { ($0.name, $0.help) }
        let options = command.options.map { (heading(of: $0), explanation(of: $0)) } + [("--help", "Print this text.")]
        let width = (words + options).map(\.0.count).max() ?? 0
        for (title, rows) in [("Arguments", words), ("Options", options)] where !rows.isEmpty {
            text += "\n\(title):\n" + rows.map { "  \(padded($0.0, width))  \($0.1)\n" }.joined()
        }
        return text
    }

    private func heading(of option: CommandOption) -> String {
        guard case .value(let placeholder, _, _) = option.kind else { return "--\(option.name)" }
        return "--\(option.name) \(placeholder)"
    }

    private func explanation(of option: CommandOption) -> String {
        switch option.kind {
        case .value(_, let text?, _): "\(option.help) Default: \(text)."
        case .value(_, nil, true): "\(option.help) Required."
        case .value, .flag: option.help
        }
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func hint(_ command: CommandSpecification? = nil) -> String {
        let tail = command.map { " \($0.name)" } ?? ""
        return "Run \"\(program) help\(tail)\" to see what there is."
    }

    private func command(_ name: String) throws(UsageError) -> CommandSpecification {
        if let command = commands.first(where: { $0.name == name }) { return command }
        let near = Spelling.nearest(to: name, among: commands.map(\.name)).map { "; did you mean \($0)?" } ?? ""
        throw UsageError("there is no command \"\(name)\"\(near)\n\(hint())")
    }

    private func parse(_ words: [String], for command: CommandSpecification) throws(UsageError) -> ParsedArguments {
        var parsed = ParsedArguments()
        var index = 0
        var isLiteral = false
        while index < words.count {
            let word = words[index]
            index += 1
            if !isLiteral, word == "--" {
                isLiteral = true
            } else if isLiteral || !word.hasPrefix("-") || word == "-" {
                guard parsed.positionals.count < command.positionals.count else {
                    throw UsageError("\(command.name) does not take \"\(word)\"\n\(hint(command))")
                }
                parsed.positionals.append(word)
            } else {
                try readOption(word, words, &index, command, &parsed)
            }
        }
        try complete(&parsed, command)
        return parsed
    }

    private func readOption(
        _ word: String, _ words: [String], _ index: inout Int, _ command: CommandSpecification,
        _ parsed: inout ParsedArguments
    ) throws(UsageError) {
        let parts = word.drop { $0 == "-" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts.first.map(String.init) ?? ""
        guard word.hasPrefix("--"), let option = command.options.first(where: { $0.name == name }) else {
            let near = Spelling.nearest(to: name, among: command.options.map(\.name)).map { "; did you mean --\($0)?" }
            throw UsageError(
                "\(command.name) has no option \(word.prefix { $0 != "=" })\(near ?? "")\n\(hint(command))")
        }
        guard !parsed.flags.contains(name), parsed.values[name] == nil else {
            throw UsageError("--\(name) is given twice")
        }
        switch option.kind {
        case .flag:
            guard parts.count == 1 else { throw UsageError("--\(name) takes no value") }
            parsed.flags.insert(name)
        case .value(let placeholder, _, _):
            if parts.count == 2 {
                parsed.values[name] = String(parts[1])
            } else {
                // What looks like the next option is not taken for a value; `--name=-1` says it clearly.
                guard index < words.count, !words[index].hasPrefix("--") else {
                    throw UsageError("--\(name) needs a value: --\(name) \(placeholder)")
                }
                parsed.values[name] = words[index]
                index += 1
            }
        }
    }

    private func complete(_ parsed: inout ParsedArguments, _ command: CommandSpecification) throws(UsageError) {
        guard parsed.positionals.count >= command.requiredPositionals else {
            let missing = command.positionals[parsed.positionals.count].name
            throw UsageError("\(command.name) needs \(missing)\n\(hint(command))")
        }
        for option in command.options {
            guard case .value(let placeholder, let standard, let isRequired) = option.kind else { continue }
            guard parsed.values[option.name] == nil else { continue }
            if isRequired {
                throw UsageError("\(command.name) needs --\(option.name) \(placeholder)\n\(hint(command))")
            }
            parsed.values[option.name] = standard
        }
    }
}
