/// A variable of the configuration: its name, its type and rules, its default and what it is for.
public struct ConfigurationKey<Value: Sendable>: Sendable {
    /// The variable's name, for example `WALLET_LANES`.
    public let name: String
    /// What it is for, one sentence.
    public let documentation: String
    /// What may be written, for the table and for messages: `1...64`, `host:port`.
    public let form: String
    /// The default as it would be written; nil when there is none.
    public let defaultText: String?
    /// Whether the value is never shown.
    public let isSecret: Bool
    /// Whether a missing value is an error.
    public let isRequired: Bool
    /// Reads the text; throws what is wrong with it.
    let parse: @Sendable (String) throws(InvalidValue) -> Value
    /// The value when the variable is not set; nil when it is required.
    let fallback: @Sendable () throws(InvalidValue) -> Value?

    init(
        _ name: String, form: String, default defaultText: String?, _ documentation: String, isSecret: Bool = false,
        parse: @escaping @Sendable (String) throws(InvalidValue) -> Value
    ) {
        self.name = name
        self.form = form
        self.defaultText = defaultText
        self.documentation = documentation
        self.isSecret = isSecret
        self.parse = parse
        isRequired = defaultText == nil
        fallback = { () throws(InvalidValue) in
            guard let defaultText else { return nil }
            return try parse(defaultText)
        }
    }

    private init<Wrapped: Sendable>(optional key: ConfigurationKey<Wrapped>, shown: String) where Value == Wrapped? {
        name = key.name
        form = key.form
        defaultText = shown
        documentation = key.documentation
        isSecret = key.isSecret
        isRequired = false
        let parse = key.parse
        self.parse = { text throws(InvalidValue) in try parse(text) }
        fallback = { .some(.none) }
    }

    /// The same variable where a missing value is allowed and reads as nil.
    ///
    /// - Parameter shown: what the tables show as its default, for example `the value of DATABASE_URL`.
    public func optional(default shown: String = "none") -> ConfigurationKey<Value?> {
        ConfigurationKey<Value?>(optional: self, shown: shown)
    }
}

/// Why a text is not a value: a sentence that says what is expected.
struct InvalidValue: Error {
    let reason: String
}

/// A variable of any type: what a list of variables is made of.
public protocol AnyConfigurationKey: Sendable {
    /// The variable's name.
    var name: String { get }
    /// What it is for.
    var documentation: String { get }
    /// What may be written.
    var form: String { get }
    /// The default as it would be written.
    var defaultText: String? { get }
    /// Whether the value is never shown.
    var isSecret: Bool { get }
    /// Whether a missing value is an error.
    var isRequired: Bool { get }
    /// Reads the variable's text (nil: not set).
    func read(_ text: String?) -> ConfigurationReading
}

/// What reading one variable gave.
public enum ConfigurationReading: Sendable {
    /// The value.
    case value(any Sendable)
    /// What is wrong and what is expected.
    case invalid(String)
    /// It is required and not set.
    case missing
}

extension ConfigurationKey: AnyConfigurationKey {
    /// Reads the variable's text (nil: not set).
    public func read(_ text: String?) -> ConfigurationReading {
        do throws(InvalidValue) {
            if let text { return .value(try parse(text)) }
            guard let value = try fallback() else { return .missing }
            return .value(value)
        } catch {
            return .invalid(error.reason)
        }
    }
}
