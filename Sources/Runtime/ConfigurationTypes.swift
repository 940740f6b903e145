/// A host and a port: `127.0.0.1:8089`, `localhost:0`, `[::1]:8089`.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// The name or address, without brackets.
    public let host: String
    /// The port; 0 lets the system choose when listening.
    public let port: UInt16

    /// Makes an endpoint from its parts.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`; nil for anything else. An IPv6 address stands in brackets.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(strictDecimal: text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.utf8.allSatisfy({ $0 == 0x3A || $0 == 0x2E || $0 == 0x25 || Self.isNamePart($0) }) else {
                return nil
            }
        } else {
            guard host.utf8.allSatisfy({ $0 == 0x2E || Self.isNamePart($0) }) else { return nil }
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
    }

    /// The form that `init(_:)` reads.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether two servers cannot listen at both: the same port, other than 0, at the same addresses.
    public func overlaps(_ other: Endpoint) -> Bool {
        guard port == other.port, port != 0 else { return false }
        let hosts: Set = [host, other.host]
        let isEverywhere = hosts.contains("0.0.0.0") || hosts.contains("::")
        return hosts.count == 1 || isEverywhere || hosts == ["localhost", "127.0.0.1"] || hosts == ["localhost", "::1"]
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
        default: false
        }
    }
}

/// The URL of a server. Its description hides the password; only `text` has it.
public struct ConnectionURL: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The URL as given, with its password: only for the library that connects.
    public let text: String

    /// Takes a URL of one of these schemes; nil for any other text.
    public init?(_ text: String, schemes: [String]) {
        guard let separator = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<separator.lowerBound]
        guard schemes.contains(String(scheme)), !text[separator.upperBound...].isEmpty else { return nil }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
        self.text = text
    }

    /// The URL with its password masked.
    public var masked: String { Masking.masked(text) }

    /// The same as `masked`.
    public var description: String { masked }

    /// The same as `masked`.
    public var debugDescription: String { masked }
}

extension FixedWidthInteger {
    /// Reads decimal digits, with a minus where the type has one; no plus, no spaces, nothing else.
    init?(strictDecimal text: some StringProtocol) {
        let digits = text.utf8.first == 0x2D && Self.isSigned ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        self.init(text, radix: 10)
    }
}

extension ConfigurationKey where Value == String {
    /// Any text that is not empty.
    public static func string(
        _ name: String, default defaultText: String? = nil, isSecret: Bool = false, _ documentation: String
    ) -> Self {
        Self(name, form: "text", default: defaultText, documentation, isSecret: isSecret) { $0 }
    }

    /// The path of a file or folder, which need not exist.
    public static func path(_ name: String, default defaultText: String? = nil, _ documentation: String) -> Self {
        Self(name, form: "path", default: defaultText, documentation) { text throws(InvalidValue) in
            guard !text.utf8.contains(0) else { throw InvalidValue(reason: "a path has no NUL in it") }
            return text
        }
    }

    /// A text that follows a rule of its own, such as the name of a stream.
    ///
    /// - Parameters:
    ///   - form: what may be written, for people.
    ///   - isValid: the rule.
    public static func string(
        _ name: String, form: String, default defaultText: String? = nil, _ documentation: String,
        isValid: @escaping @Sendable (String) -> Bool
    ) -> Self {
        Self(name, form: form, default: defaultText, documentation) { text throws(InvalidValue) in
            guard isValid(text) else { throw InvalidValue(reason: "write \(form)") }
            return text
        }
    }
}

extension ConfigurationKey where Value == Int {
    /// A whole number within a range.
    public static func int(
        _ name: String, default defaultValue: Int? = nil, in range: ClosedRange<Int>, _ documentation: String
    ) -> Self {
        Self(
            name, form: shown(range), default: defaultValue.map { String($0) }, documentation,
            parse: { text throws(InvalidValue) in try number(text, in: range, "a whole number") })
    }
}

extension ConfigurationKey where Value == Duration {
    /// A duration in whole milliseconds; the name ends in `_MS`.
    public static func milliseconds(
        _ name: String, default defaultValue: Int? = nil, in range: ClosedRange<Int>, _ documentation: String
    ) -> Self {
        Self(
            name, form: "\(shown(range)) ms", default: defaultValue.map { String($0) }, documentation,
            parse: { text throws(InvalidValue) in
                .milliseconds(try number(text, in: range, "a whole number of milliseconds"))
            })
    }

    /// A duration in whole seconds; the name ends in `_S`.
    public static func seconds(
        _ name: String, default defaultValue: Int? = nil, in range: ClosedRange<Int>, _ documentation: String
    ) -> Self {
        Self(
            name, form: "\(shown(range)) s", default: defaultValue.map { String($0) }, documentation,
            parse: { text throws(InvalidValue) in
                .seconds(try number(text, in: range, "a whole number of seconds"))
            })
    }
}

extension ConfigurationKey where Value == Bool {
    /// `true` or `false`.
    public static func bool(_ name: String, default defaultValue: Bool? = nil, _ documentation: String) -> Self {
        Self(
            name, form: "true or false", default: defaultValue.map { String($0) }, documentation,
            parse: { text throws(InvalidValue) in
                switch text {
                case "true", "1", "yes", "on": return true
                case "false", "0", "no", "off": return false
                default: throw InvalidValue(reason: "write true or false")
                }
            })
    }
}

extension ConfigurationKey where Value == Endpoint {
    /// A host and a port.
    public static func endpoint(
        _ name: String, default defaultText: String? = nil, _ documentation: String
    ) -> Self {
        Self(name, form: "host:port", default: defaultText, documentation) { text throws(InvalidValue) in
            guard let endpoint = Endpoint(text) else {
                throw InvalidValue(reason: "write host:port with a port of 0...65535, IPv6 as [::1]:8089")
            }
            return endpoint
        }
    }
}

extension ConfigurationKey where Value == ConnectionURL {
    /// The URL of a server with one of these schemes.
    ///
    /// - Parameter flaw: what else is wrong with a URL, nil for nothing; it must not quote parts of the URL, which may
    ///   be its password.
    public static func url(
        _ name: String, schemes: [String], default defaultText: String? = nil, _ documentation: String,
        flaw: @escaping @Sendable (ConnectionURL) -> String? = { _ in nil }
    ) -> Self {
        let form = schemes.map { "\($0)://..." }.joined(separator: " or ")
        return Self(name, form: form, default: defaultText, documentation) { text throws(InvalidValue) in
            guard let url = ConnectionURL(text, schemes: schemes) else {
                throw InvalidValue(reason: "write a URL that begins with \(form), without spaces")
            }
            if let reason = flaw(url) { throw InvalidValue(reason: reason) }
            return url
        }
    }
}

extension ConfigurationKey where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One word of a closed list.
    public static func choice(
        _ name: String, default defaultValue: Value? = nil, _ documentation: String
    ) -> Self {
        let words = Value.allCases.map(\.rawValue)
        let form = words.joined(separator: ", ")
        return Self(name, form: form, default: defaultValue?.rawValue, documentation) { text throws(InvalidValue) in
            guard let value = Value(rawValue: text) else {
                let near = Spelling.nearest(to: text, among: words).map { "; did you mean \($0)?" } ?? ""
                throw InvalidValue(reason: "write one of \(form)\(near)")
            }
            return value
        }
    }
}

extension ConfigurationKey {
    /// Several values of the element's type, separated by commas; spaces around them do not count.
    ///
    /// - Parameters:
    ///   - element: says what each part is; its name, default and documentation count for the whole list.
    ///   - allowsEmpty: whether the list may have no part, which makes an unset variable an empty list.
    public static func list<Element: Sendable>(
        of element: ConfigurationKey<Element>, allowsEmpty: Bool = false
    ) -> Self where Value == [Element] {
        let parsePart = element.parse
        return Self(
            element.name, form: "\(element.form), separated by commas",
            default: element.defaultText ?? (allowsEmpty ? "" : nil), element.documentation, isSecret: element.isSecret
        ) { text throws(InvalidValue) in
            var values: [Element] = []
            if allowsEmpty, text.isEmpty { return values }
            for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
                let trimmed = Spelling.trimmed(part)
                guard !trimmed.isEmpty else { throw InvalidValue(reason: "part \(index + 1) of the list is empty") }
                do throws(InvalidValue) {
                    values.append(try parsePart(trimmed))
                } catch {
                    throw InvalidValue(reason: "part \(index + 1) of the list: \(error.reason)")
                }
            }
            return values
        }
    }

    fileprivate static func shown(_ range: ClosedRange<Int>) -> String {
        let end = range.upperBound == .max ? "" : String(range.upperBound)
        return "\(range.lowerBound)...\(end)"
    }

    fileprivate static func number(
        _ text: String, in range: ClosedRange<Int>, _ what: String
    ) throws(InvalidValue) -> Int {
        guard let number = Int(strictDecimal: text), range.contains(number) else {
            throw InvalidValue(reason: "write \(what) in \(shown(range))")
        }
        return number
    }
}
