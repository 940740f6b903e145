/// An option of a subcommand.
public struct CommandOption: Sendable {
    enum Kind: Sendable {
        case flag
        case value(placeholder: String, default: String?, isRequired: Bool)
    }

    /// The name without its dashes.
    public let name: String
    let kind: Kind
    let help: String

    /// An option that is there or not: `--name`.
    public static func flag(_ name: String, _ help: String) -> CommandOption {
        CommandOption(name: name, kind: .flag, help: help)
    }

    /// An option with a value: `--name value` or `--name=value`.
    ///
    /// - Parameters:
    ///   - placeholder: what stands for the value in the help text.
    ///   - defaultText: the value when the option is not given.
    ///   - isRequired: whether it must be given.
    public static func value(
        _ name: String, _ placeholder: String, default defaultText: String? = nil, isRequired: Bool = false,
        _ help: String
    ) -> CommandOption {
        CommandOption(
            name: name, kind: .value(placeholder: placeholder, default: defaultText, isRequired: isRequired),
            help: help)
    }
}

/// A subcommand: its name, its options and the text that explains it.
public struct CommandSpecification: Sendable {
    /// The word that selects it.
    public let name: String
    let summary: String
    let discussion: String
    let options: [CommandOption]
    let positionals: [(name: String, help: String)]
    let requiredPositionals: Int

    /// Describes a subcommand.
    ///
    /// - Parameters:
    ///   - name: the word that selects it.
    ///   - summary: one line for the list of commands.
    ///   - discussion: more lines for its own help text.
    ///   - options: what may be given with dashes.
    ///   - positionals: what may be given without dashes, in order.
    ///   - requiredPositionals: how many of them must be given.
    public init(
        name: String, summary: String, discussion: String = "", options: [CommandOption] = [],
        positionals: [(name: String, help: String)] = [], requiredPositionals: Int = 0
    ) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        self.options = options
        self.positionals = positionals
        self.requiredPositionals = requiredPositionals
    }
}

/// The command line is wrong. The process writes the message to standard error and leaves with `exitCode`.
public struct UsageError: Error, CustomStringConvertible, Equatable {
    /// The exit code for a wrong command line.
    public static let exitCode: Int32 = 2

    /// What is wrong and how to mend it.
    public let description: String

    /// Says what is wrong and how to mend it.
    public init(_ description: String) { self.description = description }
}

/// The options and words given to a subcommand.
public struct ParsedArguments: Sendable {
    var flags: Set<String> = []
    var values: [String: String] = [:]
    /// What was given without dashes, in order.
    public internal(set) var positionals: [String] = []

    /// Whether a flag was given.
    public func flag(_ name: String) -> Bool { flags.contains(name) }

    /// The value of an option, or its default; nil when there is neither.
    public func value(_ name: String) -> String? { values[name] }

    /// The value of an option as a whole number; nil when it was not given and has no default.
    ///
    /// - Throws: `UsageError` when it is no number or outside the range.
    public func int(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = values[name] else { return nil }
        guard let number = Int(strictDecimal: text), range.contains(number) else {
            let end = range.upperBound == .max ? "" : String(range.upperBound)
            throw UsageError("--\(name) is \"\(text)\": write a whole number in \(range.lowerBound)...\(end)")
        }
        return number
    }

    /// The value of an option as one word of a closed list; nil when it was not given and has no default.
    ///
    /// - Throws: `UsageError` when it is another word.
    public func choice<Choice>(_ name: String, of type: Choice.Type) throws(UsageError) -> Choice?
    where Choice: RawRepresentable & CaseIterable, Choice.RawValue == String {
        guard let text = values[name] else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let words = Choice.allCases.map(\.rawValue)
            let near = Spelling.nearest(to: text, among: words).map { "; did you mean \($0)?" } ?? ""
            throw UsageError("--\(name) is \"\(text)\": write one of \(words.joined(separator: ", "))\(near)")
        }
        return choice
    }
}
