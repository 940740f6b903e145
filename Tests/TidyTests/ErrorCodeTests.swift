import Testing

/// The catalogue of errors and the code that answers with them say the same.
@Suite struct ErrorCodeTests {
    static let catalogue = "specification/errors.md"

    /// A code and its HTTP status.
    struct Entry: Hashable, Sendable, CustomStringConvertible {
        let code: String
        let status: Int
        var description: String { "\(code) \(status)" }
    }

    /// The rows `| `code` | status | ...` of the catalogue.
    static func documented(in text: String) -> [Entry] {
        text.split(separator: "\n").compactMap { line in
            guard let match = line.prefixMatch(of: /\|\s*`([a-z0-9_]+)`\s*\|\s*([0-9]{3})\s*\|/) else { return nil }
            return Int(match.2).map { Entry(code: String(match.1), status: $0) }
        }
    }

    /// The cases of `enum ProblemCode` by name, with their raw values.
    static func cases(in text: String) -> [String: String] {
        var found: [String: String] = [:]
        for line in declaration(in: text) {
            if let match = line.prefixMatch(of: /\s*case (\w+) = "([a-z0-9_]+)"/) {
                found[String(match.1)] = String(match.2)
            } else if let match = line.prefixMatch(of: /\s*case (\w+)$/) {
                found[String(match.1)] = String(match.1)
            }
        }
        return found
    }

    /// The cases' statuses: the arms `case .a, .b: 404` of its `status`.
    static func statuses(in text: String) -> [String: Int] {
        let lines = declaration(in: text)
        guard let start = lines.firstIndex(where: { $0.contains("var status: Int") }) else { return [:] }
        var found: [String: Int] = [:]
        for line in lines[start...].prefix(while: { $0 != "    }" }) {
            guard let match = line.wholeMatch(of: /\s*case (.*): ([0-9]{3})/), let status = Int(match.2) else {
                continue
            }
            for name in match.1.split(separator: ",") {
                found[String(name.drop { $0 == " " || $0 == "." })] = status
            }
        }
        return found
    }

    private static func declaration(in text: String) -> [Substring] {
        let lines = text.split(separator: "\n")
        guard let start = lines.firstIndex(where: { $0.contains("enum ProblemCode") }) else { return [] }
        return Array(lines[start...].prefix { $0 != "}" })
    }

    /// The file that declares the codes.
    static func declaring() throws -> RepositoryFile {
        try #require(
            Repository.swiftFiles.first { $0.path.hasPrefix("Sources/API/") && $0.text.contains("enum ProblemCode") },
            "no file of Sources/API declares `enum ProblemCode`")
    }

    @Test func catalogueAndCodeAgree() throws {
        let catalogue = try #require(Repository.text(Self.catalogue), "\(Self.catalogue) is missing")
        let documented = Self.documented(in: catalogue)
        #expect(Set(documented.map(\.code)).count == documented.count, "a code is listed twice")
        let file = try Self.declaring()
        let statuses = Self.statuses(in: file.text)
        let declared = Self.cases(in: file.text).map { Entry(code: $0.value, status: statuses[$0.key] ?? 0) }
        #expect(!declared.isEmpty)
        let missing = Set(declared).subtracting(documented).map(\.description).sorted()
        let dead = Set(documented).subtracting(declared).map(\.description).sorted()
        #expect(missing.isEmpty, "in the code, not in \(Self.catalogue): \(missing)")
        #expect(dead.isEmpty, "in \(Self.catalogue), not in the code: \(dead)")
    }

    /// A code's declaration names it once, its status and its title once each; an answer that uses it once more.
    @Test func everyCodeIsAnAnswerSomewhere() throws {
        let declaring = try Self.declaring()
        let body = Self.declaration(in: declaring.text).joined(separator: "\n")
        let users = Repository.swiftFiles.filter {
            $0.path.hasPrefix("Sources/API/") || $0.path.hasPrefix("Sources/HTTPServer/")
        }
        for (name, code) in Self.cases(in: declaring.text) {
            let used = users.contains { file in
                let text = file.path == declaring.path ? file.text.replacing(body, with: "") : file.text
                return text.contains(".\(name)") || text.contains("\"\(code)\"")
            }
            #expect(used, "no answer carries \(code)")
        }
    }

    @Test func readsRowsAndCases() {
        let rows = "| code | status |\n|---|---|\n| `a_b` | 422 | no |\n| `c` | 503 | yes | x |\nsee `d`\n"
        #expect(Self.documented(in: rows) == [Entry(code: "a_b", status: 422), Entry(code: "c", status: 503)])
        let code = """
            enum ProblemCode: String {
                case aB = "a_b"
                case c
                var status: Int {
                    switch self {
                    case .aB, .c: 422
                    }
                }
            }
            enum Other: String { case d = "d" }
            """
        #expect(Self.cases(in: code) == ["aB": "a_b", "c": "c"])
        #expect(Self.statuses(in: code) == ["aB": 422, "c": 422])
    }
}
