import LedgerStore
import Postgres
import Runtime
import Synchronization

/// `wallet export`: writes the whole book as a file that `wallet import` takes.
enum ExportCommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(
            name: "export", summary: "Write the whole journal as NDJSON with checksums.",
            discussion: """
                Works while traffic runs: the file is the book as of one moment. It goes to standard output, or is \
                written beside FILE and renamed when it is complete; a FILE that is there and no regular file is \
                refused. `wallet import` takes it into an empty installation. The file holds everything there is to \
                know about everybody: keep it accordingly.
                """,
            options: [.configurationFile, .value("output", "FILE", "Where to write; standard output without it.")]),
        run: run)

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        let context = try ProcessContext("export", Settings.operations, arguments)
        try await context.checkDatabases()
        let folder = try MigrationFolder(path: context.schemas[0].folder, schema: context.schemas[0].name)
        let exporter = BookExporter(ledger: context.ledger, assets: context.assets)
        let progress = BookProgress("exported")
        let output = try OutputFile(path: arguments.value("output"))
        do {
            let tally = try await exporter.export(
                schemaVersion: folder.migrations.last?.version ?? 0, progress: { progress.tell($0) },
                to: { try output.write($0) })
            try output.finish()
            progress.end(tally)
        } catch {
            output.abandon()
            throw error
        }
        return 0
    }
}

/// Tells on standard error how far an export or import is, now and then.
final class BookProgress: Sendable {
    private static let step = 100_000

    private let verb: String
    private let told = Mutex(0)

    init(_ verb: String) { self.verb = verb }

    func tell(_ tally: BookFile.Tally) {
        let isDue = told.withLock { told in
            guard tally.entries >= told + Self.step else { return false }
            told = tally.entries
            return true
        }
        if isDue { end(tally) }
    }

    func end(_ tally: BookFile.Tally) {
        Terminal.complain(
            "\(verb) \(tally.wallets) wallets, \(tally.entries) entries, \(tally.refusals) refusals, "
                + "\(tally.batches) batch keys")
    }
}
