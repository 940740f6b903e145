import Foundation
import TestSupport

/// Programs of other people that try the service, in the Python that `scripts/python-env` makes.
enum PeerPrograms {
    private static let environment = Slot<Task<Void, any Error>>()

    /// Makes the environment if it is not there or not as wanted; says why when that fails.
    static func prepare() async throws {
        let task = environment.valueOrSet {
            Task {
                let folder = try TemporaryFolder()
                let script = try ProgramProcess(
                    ["\(WalletProgram.root)/scripts/python-env", "python"], in: folder, name: "env")
                let end = try await script.waitForEnd(within: .seconds(240))
                guard end == .exit(0) else {
                    throw FixtureError("scripts/python-env python ended with \(end): \(script.outputTail)")
                }
            }
        }
        try await task.value
    }

    /// Runs a program of the environment to its end.
    static func run(
        _ name: String, _ arguments: [String], in folder: TemporaryFolder, within limit: Duration
    ) async throws -> (end: ProcessEnd, output: String) {
        try await prepare()
        let program = "\(WalletProgram.root)/.local/python/bin/\(name)"
        let process = try ProgramProcess(
            // What they keep between runs stays in the folder.
            ["/usr/bin/env", "-C", folder.path, program] + arguments,
            environment: ["HOME": folder.path, "PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*", "COLUMNS": "160"],
            in: folder, name: "\(name)-\(UUID().uuidString.prefix(8))")
        let end = try await process.waitForEnd(within: limit)
        return (end, process.output)
    }
}
