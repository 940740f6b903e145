import Testing

/// Lines, functions and files that fit into a head; and none that are empty.
@Suite struct LengthTests {
    static let columnLimit = 120
    static let functionLimit = 70
    static let fileLimit = 400

    /// Files whose lines people read as code.
    static func isCode(_ file: RepositoryFile) -> Bool {
        let scripts = file.path.hasPrefix("scripts/") || file.path.hasPrefix(".ci/")
        return file.isSwift || file.path.hasSuffix(".sql") || file.path == "Makefile" || scripts
    }

    static func lineFindings(in file: RepositoryFile) -> [Finding] {
        guard isCode(file) else { return [] }
        var findings: [Finding] = []
        for (index, line) in file.lines.enumerated() where line.count > columnLimit {
            findings.append(Finding(path: file.path, line: index + 1, message: "has \(line.count) columns"))
        }
        return findings
    }

    static func fileFindings(in file: RepositoryFile) -> [Finding] {
        let count = file.lines.count - (file.text.hasSuffix("\n") ? 1 : 0)
        guard isCode(file), !file.path.hasSuffix(".sql"), count > fileLimit else { return [] }
        return [Finding(path: file.path, line: count, message: "has \(count) lines")]
    }

    /// Functions by their indentation, which the formatter guarantees: from the line that declares one to the line that
    /// closes its body in the same column.
    static func functionFindings(in file: RepositoryFile) throws -> [Finding] {
        guard isCode(file), !file.path.hasSuffix(".sql") else { return [] }
        let start =
            file.isSwift
            ? try Regex(#"^\s*(@\w+(\([^)]*\))?\s+)*([\w()]+\s+)*(func\b|init[?(<]|deinit\b|subscript\b)"#)
                .wordBoundaryKind(.simple)
            : try Regex(#"^\w+\(\) \{"#)
        var findings: [Finding] = []
        let lines = file.lines
        for (index, line) in lines.enumerated() where line.prefixMatch(of: start) != nil {
            let indentation = line.prefix { $0 == " " }
            // A one-liner or a requirement ends where it starts; a body goes on until a brace in this column.
            guard let end = bodyEnd(of: lines, from: index, indentation: indentation) else { continue }
            let length = end - index + 1
            if length > functionLimit {
                findings.append(Finding(path: file.path, line: index + 1, message: "function of \(length) lines"))
            }
        }
        return findings
    }

    private static func bodyEnd(of lines: [Substring], from start: Int, indentation: Substring) -> Int? {
        var opened = lines[start].hasSuffix("{")
        for index in lines.indices.dropFirst(start + 1) {
            let line = lines[index]
            guard !line.isEmpty, line.hasPrefix(indentation) else {
                if line.isEmpty || line.hasPrefix("#") { continue }
                return nil
            }
            let rest = line.dropFirst(indentation.count)
            if rest.first == " " { continue }
            if opened { return rest.first == "}" ? index : nil }
            // The end of a signature over several lines: `) throws {`, or a `where` clause.
            guard rest.hasPrefix(")") || rest.hasPrefix("where") || rest == "{" else { return nil }
            opened = rest.hasSuffix("{")
            if !opened { return nil }
        }
        return nil
    }

    /// A Swift file without a line of code.
    static func emptyFindings(in file: RepositoryFile) -> [Finding] {
        guard file.isSwift else { return [] }
        let hasCode = file.lines.contains { line in
            let text = line.drop { $0 == " " }
            return !text.isEmpty && !text.hasPrefix("//")
        }
        return hasCode ? [] : [Finding(path: file.path, line: 1, message: "has no code")]
    }

    @Test func linesAreShort() {
        let findings = Repository.files.flatMap(Self.lineFindings)
        #expect(findings.isEmpty, "\(report(findings))")
    }

    @Test func functionsAreShort() throws {
        let findings = try Repository.files.flatMap(Self.functionFindings)
        #expect(findings.isEmpty, "\(report(findings))")
    }

    @Test func filesAreShort() {
        let findings = Repository.files.flatMap(Self.fileFindings)
        #expect(findings.isEmpty, "\(report(findings))")
    }

    @Test func noFileIsEmpty() {
        let findings = Repository.files.flatMap(Self.emptyFindings)
        #expect(findings.isEmpty, "\(report(findings))")
    }

    @Test(arguments: [
        "func f() {", "    static func f<T>(_ a: T) async throws(E) -> Int {", "    init?(_ text: String) {",
        "    @discardableResult func f() {", "@Test(arguments: [1, 2]) func f(a: Int) {",
        "    public mutating func f() {",
        "    private(set) subscript(index: Int) -> Int {", "    func f(\n        a: Int\n    ) {",
    ])
    func noticesALongFunction(declaration: String) throws {
        let indentation = String(declaration.prefix { $0 == " " })
        let body = String(repeating: indentation + "    work()\n", count: Self.functionLimit)
        let file = RepositoryFile(path: "Sources/A/A.swift", text: "\(declaration)\n\(body)\(indentation)}\n")
        #expect(try Self.functionFindings(in: file).count == 1)
        let short = RepositoryFile(
            path: "Sources/A/A.swift", text: file.text.replacing("    work()\n", with: "", maxReplacements: 5))
        #expect(try Self.functionFindings(in: short).isEmpty)
    }

    @Test func noticesALongShellFunction() throws {
        let body = String(repeating: "    work\n", count: Self.functionLimit)
        #expect(try Self.functionFindings(in: RepositoryFile(path: "scripts/a", text: "f() {\n\(body)}\n")).count == 1)
    }

    @Test func toleratesARequirementBeforeALongType() throws {
        let body = String(repeating: "    let a = 1\n", count: 90)
        let text = "protocol P {\n    func f()\n    func g() -> Int\n}\n\nstruct S {\n\(body)}\n"
        #expect(try Self.functionFindings(in: RepositoryFile(path: "Sources/A/A.swift", text: text)).isEmpty)
    }

    @Test func noticesALongLineALongFileAndAnEmptyOne() {
        let line = String(repeating: "x", count: Self.columnLimit)
        let path = "Sources/A/A.swift"
        #expect(Self.lineFindings(in: RepositoryFile(path: path, text: line)).isEmpty)
        #expect(Self.lineFindings(in: RepositoryFile(path: path, text: "\n\(line)x")).map(\.line) == [2])
        let lines = String(repeating: "x\n", count: Self.fileLimit)
        #expect(Self.fileFindings(in: RepositoryFile(path: path, text: lines)).isEmpty)
        #expect(Self.fileFindings(in: RepositoryFile(path: path, text: lines + "x\n")).count == 1)
        #expect(Self.emptyFindings(in: RepositoryFile(path: path, text: "// Later.\n\n  // More.\n")).count == 1)
    }
}
