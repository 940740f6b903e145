import Foundation
import Testing

/// What documents and checksums promise about the tree is so.
@Suite struct DocumentTests {
    @Test func readmeNamesEveryTarget() throws {
        let readme = try #require(Repository.text("README.md"), "README.md is missing")
        for folder in Repository.folders(in: "Sources") {
            #expect(Self.names(folder, in: readme), "README.md does not mention Sources/\(folder)")
        }
    }

    /// A folder's name as a word of its own.
    static func names(_ folder: String, in text: String) -> Bool {
        text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.contains { $0 == folder }
    }

    @Test func noticesAFolderThatIsNotNamed() {
        #expect(Self.names("API", in: "| `API/` | routes |"))
        #expect(!Self.names("API", in: "the OpenAPI document"))
    }

    /// Every migration is listed with its checksum in an integrity file beside or above it, and nothing else is.
    @Test func migrationsMatchTheirIntegrityFiles() throws {
        let migrations = Repository.files.filter { $0.path.hasPrefix("migrations/") && $0.path.hasSuffix(".sql") }
        let lists = Repository.files.filter {
            $0.path.hasPrefix("migrations/") && $0.path.split(separator: "/").last == "checksums.sha256"
        }
        #expect(!migrations.isEmpty, "there are no migrations")
        try #require(!lists.isEmpty, "there is no file migrations/**/checksums.sha256")
        var listed: [String: String] = [:]
        for list in lists {
            let folder = list.path.split(separator: "/").dropLast().joined(separator: "/")
            for entry in try Self.entries(of: list) { listed["\(folder)/\(entry.name)"] = entry.checksum }
        }
        #expect(Set(listed.keys) == Set(migrations.map(\.path)))
        for migration in migrations {
            let checksum = try Self.checksum(of: migration.path)
            #expect(listed[migration.path] == checksum, "\(migration.path) was changed after it was recorded")
        }
    }

    /// The lines of a checksum list as sha256sum writes them: 64 hexadecimal digits, two spaces, a name.
    static func entries(of list: RepositoryFile) throws -> [(name: String, checksum: String)] {
        try list.text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let match = try #require(
                line.wholeMatch(of: /([0-9a-f]{64})  (\S+)/), "\(list.path): not a line of a checksum list: \(line)")
            return (String(match.2), String(match.1))
        }
    }

    /// The SHA-256 of a file, from coreutils: another implementation than the service's own.
    static func checksum(of path: String) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["sha256sum", Repository.root.appending(path: path).path()]
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = try #require(String(data: data, encoding: .utf8))
        return String(text.prefix(64))
    }

    @Test func readsAChecksumList() throws {
        let digits = String(repeating: "0a", count: 32)
        let list = RepositoryFile(path: "migrations/integrity", text: "# what\n\(digits)  ledger/1.sql\n")
        let entries = try Self.entries(of: list)
        #expect(entries.map(\.name) == ["ledger/1.sql"])
        #expect(entries.map(\.checksum) == [digits])
    }

    /// Programs are executable, so that a checkout needs no preparation.
    @Test func scriptsAreExecutable() {
        let programs = Repository.files.filter { $0.text.hasPrefix("#!") }
        #expect(!programs.isEmpty)
        for program in programs {
            let path = Repository.root.appending(path: program.path).path()
            #expect(FileManager.default.isExecutableFile(atPath: path), "\(program.path) is not executable")
        }
    }
}
