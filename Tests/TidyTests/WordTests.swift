import Testing

/// Calls and words that must not occur, each with its reason.
@Suite struct WordTests {
    struct Rule: Sendable {
        let pattern: String
        let reason: String
        let applies: @Sendable (RepositoryFile) -> Bool

        init(_ pattern: String, _ reason: String, in applies: @escaping @Sendable (RepositoryFile) -> Bool) {
            self.pattern = pattern
            self.reason = reason
            self.applies = applies
        }
    }

    /// These rules' own patterns and examples are spelled out here.
    static func isOwn(_ file: RepositoryFile) -> Bool { file.path.hasPrefix("Tests/TidyTests/") }

    static func isSwift(_ file: RepositoryFile) -> Bool { file.isSwift && !isOwn(file) }

    static func isSource(_ file: RepositoryFile) -> Bool { file.isSwift && file.isSource }

    static let rules: [Rule] = [
        Rule(#"\btry!"#, "a forced try ends the process", in: isSwift),
        Rule(#"\bas!"#, "a forced cast ends the process", in: isSwift),
        Rule(#"\bfatalError\("#, "report an error, or state a precondition for what can't be", in: isSource),
        Rule(#"(^|[^\w.])(debugPrint|print|dump)\("#, "libraries write through the logger") { file in
            isSource(file) && !["Commands", "Bench", "wallet"].contains(file.target)
        },
        Rule(#"\bThread\.sleep|\b(u|nano)?sleep\("#, "wait for a condition with a deadline") { file in
            isSwift(file) && file.isTest && file.target != "TestSupport"
        },
        Rule(#"\bThread\.sleep|\busleep\("#, "wait on a condition that a stop can end", in: isSource),
        Rule(#"\b(TODO|FIXME|XXX)\b"#, "finish it, or write an issue") { !isOwn($0) },
        Rule(
            #"\b(class|struct|enum|actor|protocol|typealias)\s+\w*(Util(s|ity|ities)?|Manager|Helpers?|Common)\b"#,
            "name it after what it does", in: isSwift),
    ]

    /// File and folder names that say nothing.
    static let emptyNames = #"(^|/)\w*(Util(s|ity|ities)?|Manager|Helpers?|Common)([+.]\w+)*(/|$)"#

    /// Boundaries as in programming languages; the default ones are those of prose, where `a.b` is one word.
    static func expression(_ pattern: String) throws -> Regex<AnyRegexOutput> {
        try Regex(pattern).wordBoundaryKind(.simple)
    }

    static func findings(in file: RepositoryFile) throws -> [Finding] {
        var findings: [Finding] = []
        for rule in rules where rule.applies(file) {
            let regex = try expression(rule.pattern)
            for (index, line) in file.lines.enumerated() where line.contains(regex) {
                findings.append(Finding(path: file.path, line: index + 1, message: rule.reason))
            }
        }
        if file.isSwift, file.path.contains(try expression(emptyNames)) {
            findings.append(Finding(path: file.path, line: 1, message: "name the file after what it does"))
        }
        return findings
    }

    /// Package registries' hosts: where packages come from is the installer's business. Put together here, so that this
    /// file does not name them either.
    static let hosts = [
        ["pypi", "org"], ["files", "pythonhosted", "org"], ["deb", "debian", "org"], ["security", "debian", "org"],
        ["archive", "ubuntu", "com"], ["registry", "npmjs", "org"], ["proxy", "golang", "org"], ["crates", "io"],
        ["rubygems", "org"], ["docker", "io"], ["ghcr", "io"], ["quay", "io"],
    ].map { $0.joined(separator: ".") }

    static func hostFindings(in file: RepositoryFile) -> [Finding] {
        var findings: [Finding] = []
        for (index, line) in file.lines.enumerated() {
            for host in hosts where line.contains(host) {
                findings.append(Finding(path: file.path, line: index + 1, message: "names the registry host \(host)"))
            }
        }
        return findings
    }

    @Test func nothingBannedOccurs() throws {
        let findings = try Repository.files.flatMap(Self.findings)
        #expect(findings.isEmpty, "\(report(findings))")
    }

    @Test func noRegistryHostIsNamed() {
        let findings = Repository.files.flatMap(Self.hostFindings)
        #expect(findings.isEmpty, "\(report(findings))")
    }

    @Test(arguments: [
        ("Sources/API/A.swift", "let a = try! f()"),
        ("Sources/API/A.swift", "let a = b as! C"),
        ("Sources/API/A.swift", "fatalError(\"no\")"),
        ("Sources/API/A.swift", "    print(1)"),
        ("Sources/API/A.swift", "usleep(10)"),
        ("Tests/APITests/A.swift", "try await Task.sleep(for: .seconds(1))"),
        ("Tests/APITests/A.swift", "Thread.sleep(forTimeInterval: 1)"),
        ("Tests/APITests/A.swift", "sleep(1)"),
        ("scripts/a", "# " + "TO" + "DO"),
        ("Sources/API/A.swift", "struct WalletManager {"),
        ("Sources/API/A.swift", "enum StringUtils {"),
        ("Sources/API/StringHelpers.swift", "let a = 1"),
        ("Sources/API/Common/A.swift", "let a = 1"),
    ])
    func noticesABannedWord(path: String, text: String) throws {
        #expect(try Self.findings(in: RepositoryFile(path: path, text: text)).count == 1)
    }

    @Test(arguments: [
        ("Sources/Bench/A.swift", "print(1)"),
        ("Sources/API/A.swift", "writer.print(1)"),
        ("Sources/API/A.swift", "let a = FileManager.default"),
        ("Tests/TestSupport/A.swift", "try await Task.sleep(for: .milliseconds(10))"),
    ])
    func toleratesWhatIsAllowed(path: String, text: String) throws {
        #expect(try Self.findings(in: RepositoryFile(path: path, text: text)).isEmpty)
    }

    @Test func noticesARegistryHost() {
        for host in Self.hosts {
            #expect(Self.hostFindings(in: RepositoryFile(path: "a", text: "from https://\(host)/x")).count >= 1)
        }
    }
}
