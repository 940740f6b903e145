import Testing

/// Which target may import what: the architecture. The compiler holds the edges between Swift targets only in part:
/// an undeclared module that something else has built already, or a C module reached through another target, slips
/// through.
@Suite struct ImportTests {
    /// Modules of the toolchain that any target but the pure ones may use.
    static let system: Set<String> = [
        "Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Synchronization",
    ]

    /// Targets that compute and nothing else: no clock, no files, no threads.
    static let pure: Set<String> = ["JSON", "Ledger", "Events"]

    /// The allowed edges between our own modules.
    static let allowed: [String: Set<String>] = [
        "JSON": [],
        "Ledger": [],
        "Digest": ["CSSL"],
        "Events": ["JSON", "Ledger"],
        "Requests": ["Digest", "Ledger"],
        "Runtime": ["Ledger"],
        "Observability": ["Runtime"],
        "Postgres": ["CLibPQ", "Digest", "Ledger", "Runtime", "Observability"],
        "Messaging": ["CNATS", "JSON", "Runtime", "Observability"],
        "HTTPServer": ["CSys", "Runtime", "Observability"],
        "LedgerStore": ["Ledger", "Digest", "Events", "JSON", "Postgres", "Runtime", "Observability"],
        "Projections": [
            "Ledger", "Events", "JSON", "Postgres", "Messaging", "LedgerStore", "Runtime", "Observability",
        ],
        "Outbox": ["Postgres", "Messaging", "Ledger", "Events", "Runtime", "Observability"],
        "Provisioning": [
            "Ledger", "Events", "JSON", "Requests", "Postgres", "Messaging", "LedgerStore", "Runtime",
            "Observability",
        ],
        "API": [
            "JSON", "Ledger", "Digest", "Requests", "Events", "LedgerStore", "Projections", "HTTPServer", "Runtime",
            "Observability",
        ],
        "Bench": ["CSys", "JSON", "Ledger", "Runtime"],
        "Commands": [
            "JSON", "Ledger", "Digest", "Events", "Runtime", "Observability", "Postgres", "Messaging", "HTTPServer",
            "LedgerStore", "Projections", "Outbox", "Provisioning", "API", "Bench",
        ],
        "wallet": ["Commands"],
    ]

    /// System tests see what a user sees: the built program, and no module of it but the JSON reader.
    static let systemTests: Set<String> = ["JSON", "Testing", "TestSupport"]

    /// The imported module and its line; `import struct A.B`, attributes and access levels included.
    static func imports(of file: RepositoryFile) -> [(module: String, line: Int)] {
        let levels: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "var", "let", "actor"]
        var found: [(String, Int)] = []
        for (index, line) in file.lines.enumerated() {
            var words = line.split(separator: " ").drop { $0.hasPrefix("@") || levels.contains($0) }
            guard words.popFirst() == "import" else { continue }
            if let kind = words.first, kinds.contains(kind) { words.removeFirst() }
            if let module = words.first?.split(separator: ".").first { found.append((String(module), index + 1)) }
        }
        return found
    }

    static func findings(in file: RepositoryFile) -> [Finding] {
        guard file.isSwift else { return [] }
        let permitted: Set<String>
        if file.isSource {
            guard let own = allowed[file.target] else {
                return [Finding(path: file.path, line: 1, message: "\(file.target) is not in the import table")]
            }
            permitted = pure.contains(file.target) ? own : own.union(system)
        } else if file.target == "SystemTests" {
            permitted = systemTests.union(system)
        } else {
            return []
        }
        return imports(of: file).filter { !permitted.contains($0.module) }
            .map { Finding(path: file.path, line: $0.line, message: "\(file.target) may not import \($0.module)") }
    }

    @Test func sourcesImportWhatTheTableAllows() {
        let findings = Repository.files.flatMap(Self.findings)
        #expect(findings.isEmpty, "\(report(findings))")
    }

    @Test func everyTargetIsInTheTableAndTheTableNamesNoOther() {
        let swift = Repository.folders(in: "Sources").filter { folder in
            Repository.swiftFiles.contains { $0.path.hasPrefix("Sources/\(folder)/") }
        }
        #expect(Set(swift) == Set(Self.allowed.keys))
    }

    /// What a C library is used through is one target; the system's own calls are used where sockets are.
    @Test func everyCModuleHasOneImporter() {
        let folders = Repository.folders(in: "Sources")
        let modules = folders.filter { Repository.text("Sources/\($0)/module.modulemap") != nil }
        #expect(!modules.isEmpty)
        for module in modules {
            let importers = Self.allowed.filter { $0.value.contains(module) }.map(\.key)
            #expect(
                importers.count == 1 || (module == "CSys" && Set(importers) == ["HTTPServer", "Bench"]),
                "\(module) is imported by \(importers)")
        }
    }

    @Test(arguments: [
        ("Sources/Ledger/A.swift", "import Foundation"),
        ("Sources/JSON/A.swift", "private import Glibc"),
        ("Sources/API/A.swift", "internal import CLibPQ"),
        ("Sources/API/A.swift", "@preconcurrency import struct Postgres.Connection"),
        ("Sources/Unknown/A.swift", "import Ledger"),
        ("Tests/SystemTests/A.swift", "@testable import API"),
    ])
    func noticesAnEdgeThatIsNotAllowed(path: String, text: String) {
        #expect(Self.findings(in: RepositoryFile(path: path, text: text)).count == 1)
    }

    @Test func toleratesAnEdgeThatIsAllowed() {
        let file = RepositoryFile(path: "Sources/API/A.swift", text: "public import Ledger\nimport Synchronization\n")
        #expect(Self.findings(in: file).isEmpty)
    }
}
