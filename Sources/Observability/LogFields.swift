import Runtime

/// A value of a log field. Text is masked: passwords inside URLs and after `password=` never reach the log.
public enum LogValue: Sendable, Equatable {
    /// Text.
    case string(String)
    /// A whole number.
    case int(Int)
    /// A number; infinities and NaN are written as text.
    case double(Double)
    /// True or false.
    case bool(Bool)

    /// The value's text form; for errors and identifiers.
    public static func describing(_ value: some Any) -> LogValue { .string(String(describing: value)) }

    /// A duration in milliseconds with three places.
    public static func milliseconds(_ duration: Duration) -> LogValue {
        .double(Double(duration.wholeNanoseconds / 1000) / 1000)
    }
}

extension LogValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral
{
    /// Text from a literal.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A whole number from a literal.
    public init(integerLiteral value: Int) { self = .int(value) }
    /// A truth value from a literal.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A number from a literal.
    public init(floatLiteral value: Double) { self = .double(value) }
}

/// Names and values that belong to a log line, in order; a later value replaces an earlier one of the same name.
public struct LogFields: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    private(set) var pairs: [(name: String, value: LogValue)] = []

    /// No fields.
    public init() {}

    /// The fields of the literal.
    public init(dictionaryLiteral elements: (String, LogValue)...) {
        for (name, value) in elements { self[name] = value }
    }

    /// The value of a name; setting nil removes it.
    public subscript(name: String) -> LogValue? {
        get { pairs.first { $0.name == name }?.value }
        set {
            let index = pairs.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let value?): pairs[index].value = value
            case (let index?, nil): pairs.remove(at: index)
            case (nil, let value?): pairs.append((name, value))
            case (nil, nil): break
            }
        }
    }

    /// These fields and then the others, which win.
    public func merging(_ others: LogFields) -> LogFields {
        if pairs.isEmpty { return others }
        var merged = self
        for (name, value) in others.pairs { merged[name] = value }
        return merged
    }

    /// Compares names and values in order.
    public static func == (left: LogFields, right: LogFields) -> Bool {
        left.pairs.elementsEqual(right.pairs) { $0 == $1 }
    }
}
