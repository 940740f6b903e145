import Bench
import Digest
import LedgerStore
import Runtime

/// `wallet bench`: the load generator. It has its own options, see `wallet bench --help`.
enum BenchCommand {
    static let specification = CommandSpecification(
        name: "bench", summary: "Put load on a running API and check the books afterwards.",
        discussion: BenchOptions.usage)

    /// Runs the load generator with the arguments behind the subcommand's name. Returns the exit code.
    static func run(_ arguments: [String]) async throws -> Int32 {
        try await runOnOwnThread("bench") {
            LoadGenerator.runCommand(
                arguments: arguments,
                chainWalk: { entries in
                    entries.reduce(JournalChain.start) { JournalChain.hash(of: $1, after: $0) }.bytes
                },
                output: { Terminal.write($0 + "\n") }, errors: { Terminal.complain($0) })
        }
    }
}
