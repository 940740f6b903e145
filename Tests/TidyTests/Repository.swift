import Foundation

/// A text file of the repository.
struct RepositoryFile: Sendable {
    /// Relative to the repository's root.
    let path: String
    let text: String

    /// The lines without their ends; line n is at index n - 1.
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// The target a Swift file belongs to: the folder below `Sources` or `Tests`.
    var target: String {
        let parts = path.split(separator: "/")
        return parts.count > 2 ? String(parts[1]) : ""
    }

    var isSwift: Bool { path.hasSuffix(".swift") }
    var isSource: Bool { path.hasPrefix("Sources/") }
    var isTest: Bool { path.hasPrefix("Tests/") }
}

/// The checkout these tests were built from.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// What builds and stacks leave in a checkout.
    private static let skipped: Set<String> = [".git", ".build", ".local", ".swiftpm", ".env", "__pycache__"]

    /// Every text file, in the order of its path.
    static let files: [RepositoryFile] = {
        var files: [RepositoryFile] = []
        collect(root, prefix: "", into: &files)
        return files.sorted { $0.path < $1.path }
    }()

    static var swiftFiles: [RepositoryFile] { files.filter(\.isSwift) }

    /// A file's text, or nil when there is none.
    static func text(_ path: String) -> String? {
        files.first { $0.path == path }?.text
    }

    /// The names of the folders in a folder.
    static func folders(in path: String) -> [String] {
        let url = root.appending(path: path)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path())) ?? []
        return names.filter { !skipped.contains($0) && isFolder(url.appending(path: $0)) }.sorted()
    }

    private static func isFolder(_ url: URL) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: url.path(), isDirectory: &isFolder) && isFolder.boolValue
    }

    private static func collect(_ folder: URL, prefix: String, into files: inout [RepositoryFile]) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        for name in names where !skipped.contains(name) {
            let url = folder.appending(path: name)
            if isFolder(url) {
                collect(url, prefix: prefix + name + "/", into: &files)
            } else if let data = try? Data(contentsOf: url), let text = String(data: data, encoding: .utf8) {
                files.append(RepositoryFile(path: prefix + name, text: text))
            }
        }
    }
}

/// Something a rule objects to, in the form editors jump to.
struct Finding: Hashable, Sendable, CustomStringConvertible {
    let path: String
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// Findings as one text, for the test's message.
func report(_ findings: [Finding]) -> String {
    findings.map(\.description).joined(separator: "\n")
}
