import Foundation

/// A file of `NAME=value` lines, as shells and containers read them.
///
/// Blank lines and lines that begin with `#` do not count; `export ` may stand in front. A value may stand in single
/// quotes (taken as it is) or double quotes (with `\n`, `\t`, `\"`, `\\`, `\$`); without quotes it ends at ` #`.
public struct ConfigurationFile: Sendable {
    /// A value and the line it stands on.
    public struct Value: Sendable, Equatable {
        /// The text without its quotes.
        public let text: String
        /// The line, counted from 1.
        public let line: Int
    }

    /// The file cannot be read.
    public struct Unreadable: Error, CustomStringConvertible {
        /// The reason as a sentence.
        public let description: String
    }

    /// The path, for messages.
    public let name: String
    /// The variables.
    public private(set) var values: [String: Value] = [:]
    /// What is wrong with the file's form; `Configuration` reports it with the rest.
    public private(set) var problems: [String] = []

    /// Reads a file.
    ///
    /// - Throws: `Unreadable` when there is no such file, or it is not UTF-8 text.
    public init(path: String) throws(Unreadable) {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw Unreadable(description: "cannot read the configuration file \(path): \(error.localizedDescription)")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw Unreadable(description: "the configuration file \(path) is not UTF-8 text")
        }
        self.init(name: path, text: text)
    }

    /// Reads a text.
    public init(name: String, text: String) {
        self.name = name
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        for (index, line) in lines.enumerated() {
            read(Spelling.trimmed(line), line: index + 1)
        }
    }

    private mutating func read(_ line: String, line number: Int) {
        guard !line.isEmpty, !line.hasPrefix("#") else { return }
        let place = "\(name) line \(number)"
        var rest = line
        if rest.hasPrefix("export "), let afterWord = rest.firstIndex(of: " ") {
            rest = Spelling.trimmed(rest[afterWord...])
        }
        guard let equals = rest.firstIndex(of: "="), Self.isName(rest[..<equals]) else {
            problems.append("\(place): write NAME=value, with no spaces around the =")
            return
        }
        let variable = String(rest[..<equals])
        guard let text = Self.unquoted(rest[rest.index(after: equals)...]) else {
            problems.append("\(place): the quotes of \(variable) do not close, or text follows them")
            return
        }
        if let earlier = values[variable] {
            problems.append("\(place): \(variable) stands on line \(earlier.line) already; keep one of the two")
            return
        }
        values[variable] = Value(text: text, line: number)
    }

    private static func isName(_ name: Substring) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
            default: false
            }
        }
    }

    private static func unquoted(_ raw: Substring) -> String? {
        guard let quote = raw.first, quote == "\"" || quote == "'" else {
            let end = raw.indices.first { index in
                guard raw[index] == "#" else { return false }
                return index == raw.startIndex || raw[raw.index(before: index)].isWhitespace
            }
            return Spelling.trimmed(raw[..<(end ?? raw.endIndex)])
        }
        var text = ""
        var index = raw.index(after: raw.startIndex)
        while index < raw.endIndex {
            let character = raw[index]
            index = raw.index(after: index)
            if character == quote {
                let tail = Spelling.trimmed(raw[index...])
                return tail.isEmpty || tail.hasPrefix("#") ? text : nil
            }
            guard character == "\\", quote == "\"" else {
                text.append(character)
                continue
            }
            guard index < raw.endIndex else { return nil }
            text += unescaped(raw[index])
            index = raw.index(after: index)
        }
        return nil
    }

    private static func unescaped(_ character: Character) -> String {
        switch character {
        case "n": "\n"
        case "t": "\t"
        case "\"", "\\", "$": String(character)
        default: "\\" + String(character)
        }
    }
}
