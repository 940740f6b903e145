import Foundation
import TestSupport

/// The program as `swift build` left it, run to its end.
struct BuiltProgram: Sendable {
    let exitCode: Int32
    let output: String
    let complaint: String

    /// Runs `wallet` with `arguments`; its environment is `environment` and nothing else. A shell applies the
    /// `redirection`, such as `>&-`, first.
    init(_ arguments: [String], environment: [String: String] = [:], redirection: String = "") throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wallet-commands-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", #"exec "$0" "$@" \#(redirection)"#, try Self.path()] + arguments
        process.environment = environment
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        let files = ["out", "err"].map { folder.appending(path: $0) }
        for file in files { try Data().write(to: file) }
        process.standardOutput = try FileHandle(forWritingTo: files[0])
        process.standardError = try FileHandle(forWritingTo: files[1])
        try process.run()
        process.waitUntilExit()
        exitCode = process.terminationStatus
        output = try String(contentsOf: files[0], encoding: .utf8)
        complaint = try String(contentsOf: files[1], encoding: .utf8)
    }

    /// The checkout these tests were built from.
    static let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The program beside the test bundle.
    private static func path() throws -> String {
        let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        for start in [bundle, CommandLine.arguments[0]] {
            let path = URL(filePath: start).deletingLastPathComponent().appending(path: "wallet").path()
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw FixtureError("there is no program `wallet` beside \(bundle); build it: swift build")
    }
}
