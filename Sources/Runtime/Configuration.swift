/// The configuration of the process, read and checked as a whole: from the environment, and from a file whose
/// values the environment overrides. A variable that is set to nothing counts as not set.
public struct Configuration: Sendable {
    /// Everything that is wrong, in one message.
    public struct Problems: Error, CustomStringConvertible, Equatable {
        /// One problem each: the variable, what is wrong, how to mend it.
        public let problems: [String]

        /// All problems as a text for people, one a line.
        public var description: String {
            "the configuration has \(problems.count) problem\(problems.count == 1 ? "" : "s"):\n"
                + problems.map { "  - \($0)" }.joined(separator: "\n")
        }
    }

    /// Where a value came from.
    public enum Source: String, Sendable {
        /// The environment.
        case environment
        /// The configuration file.
        case file
        /// Nobody set it.
        case `default`
    }

    /// A check across variables.
    public struct Rule: Sendable {
        let names: [String]
        let flaw: @Sendable (Configuration) -> String?

        /// A check that is made where all of `keys` are read and valid; it returns what is wrong or nil.
        public init(_ keys: [any AnyConfigurationKey], flaw: @escaping @Sendable (Configuration) -> String?) {
            names = keys.map(\.name)
            self.flaw = flaw
        }
    }

    private struct Entry: Sendable {
        let key: any AnyConfigurationKey
        let text: String?
        let source: Source
        let value: any Sendable
    }

    private let entries: [Entry]
    private let positions: [String: Int]

    /// Reads all variables.
    ///
    /// - Parameters:
    ///   - keys: the variables of this process.
    ///   - alsoKnown: names that other processes of the program use: allowed here, not read.
    ///   - environment: the process's environment.
    ///   - file: what a configuration file gave, if there is one.
    ///   - prefix: an unknown variable whose name begins so is an error; it is most likely a slip.
    ///   - rules: checks across variables.
    /// - Throws: `Problems` with every problem there is.
    public init(
        _ keys: [any AnyConfigurationKey], alsoKnown: [String] = [], environment: [String: String],
        file: ConfigurationFile? = nil, prefix: String = "WALLET_",
        rules: [Rule] = []
    ) throws(Problems) {
        precondition(Set(keys.map(\.name)).count == keys.count, "a variable is declared twice")
        var problems = file?.problems ?? []
        var entries: [Entry] = []
        for key in keys {
            let (text, source) = Self.lookUp(key.name, environment, file)
            switch key.read(text) {
            case .value(let value):
                entries.append(Entry(key: key, text: text, source: source, value: value))
            case .missing:
                problems.append("\(key.name) is not set: write \(key.form). \(key.documentation)")
            case .invalid(let reason):
                // A malformed URL cannot be masked in parts.
                let isHidden = key.isSecret || text?.contains("@") == true
                let shown = isHidden ? Masking.mask : Masking.masked(text ?? key.defaultText ?? "")
                problems.append("\(key.name) is \"\(shown)\" (\(Self.place(key.name, source, file))): \(reason)")
            }
        }
        let known = Set(keys.map(\.name) + alsoKnown)
        problems += Self.unknown(known, environment, file, prefix)
        self.entries = entries
        positions = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.key.name, $0) })
        for rule in rules where rule.names.allSatisfy({ positions[$0] != nil }) {
            if let flaw = rule.flaw(self) { problems.append(flaw) }
        }
        guard problems.isEmpty else { throw Problems(problems: problems) }
    }

    /// The value of a variable that was among the keys; asking for another one is an error of the program.
    public subscript<Value>(key: ConfigurationKey<Value>) -> Value {
        guard let position = positions[key.name], let value = entries[position].value as? Value else {
            preconditionFailure("\(key.name) is not among this process's variables, or has another type")
        }
        return value
    }

    /// Where the value of a variable came from; nil when it is not among the keys.
    public func source(of name: String) -> Source? { positions[name].map { entries[$0].source } }

    /// All variables with their values and where they come from, in columns. Secrets and passwords are masked.
    public func table() -> String {
        let rows = entries.map { entry in
            [entry.key.name, Self.shown(entry.text, entry.key), entry.source.rawValue]
        }
        let widths = (0..<2).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = (0..<2).map { row[$0] + String(repeating: " ", count: widths[$0] - row[$0].count) }
            return "\(cells[0])  \(cells[1])  \(row[2])\n"
        }.joined()
    }

    /// A Markdown table that documents the variables.
    public static func markdown(_ keys: [any AnyConfigurationKey]) -> String {
        var text = "| Variable | Default | Values | What it is for |\n|---|---|---|---|\n"
        for key in keys {
            let standard =
                key.isRequired ? "**required**" : key.defaultText.map { $0.isEmpty ? "none" : "`\($0)`" } ?? "none"
            let cells = ["`\(key.name)`", standard, key.form, key.documentation]
            text += "| " + cells.map(escapedCell).joined(separator: " | ") + " |\n"
        }
        return text
    }

    private static func escapedCell(_ text: String) -> String {
        text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }

    private static func shown(_ text: String?, _ key: any AnyConfigurationKey) -> String {
        guard let text else { return key.defaultText.map { $0.isEmpty ? "none" : $0 } ?? "none" }
        return key.isSecret ? Masking.mask : Masking.masked(text)
    }

    private static func lookUp(
        _ name: String, _ environment: [String: String], _ file: ConfigurationFile?
    ) -> (String?, Source) {
        if let text = environment[name], !text.isEmpty { return (text, .environment) }
        if let text = file?.values[name]?.text, !text.isEmpty { return (text, .file) }
        return (nil, .default)
    }

    private static func place(_ name: String, _ source: Source, _ file: ConfigurationFile?) -> String {
        switch source {
        case .environment: "from the environment"
        case .file: "from \(file?.name ?? "the file") line \(file?.values[name]?.line ?? 0)"
        case .default: "the default"
        }
    }

    private static func unknown(
        _ known: Set<String>, _ environment: [String: String], _ file: ConfigurationFile?, _ prefix: String
    ) -> [String] {
        func problem(_ name: String, _ place: String) -> String {
            let near = Spelling.nearest(to: name, among: known).map { "did you mean \($0)?" } ?? "remove it"
            return "\(name) (\(place)) is not a variable of this program: \(near)"
        }
        let inEnvironment = environment.keys.filter { $0.hasPrefix(prefix) && !known.contains($0) }.sorted()
        // A file may be shared with other programs; a name that is nearly one of ours is a slip all the same.
        let inFile = (file?.values ?? [:]).filter { name, _ in
            guard !known.contains(name), environment[name] == nil || !name.hasPrefix(prefix) else { return false }
            return name.hasPrefix(prefix) || known.contains { Spelling.distance(name, $0) == 1 }
        }.sorted { $0.value.line < $1.value.line }
        return inEnvironment.map { problem($0, "from the environment") }
            + inFile.map { problem($0.key, "from \(file?.name ?? "the file") line \($0.value.line)") }
    }
}
