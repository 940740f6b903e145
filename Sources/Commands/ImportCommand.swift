import LedgerStore
import Projections
import Runtime

/// `wallet import`: takes the file of an export into an installation without a book.
enum ImportCommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(
            name: "import", summary: "Take an exported book into an empty installation.",
            discussion: """
                Checks each line, each wallet's chain of hashes, the rules of the journal, the counts and the \
                checksum, all in one transaction: a file that was altered or cut changes nothing. Then builds \
                projections and totals, and audits the whole book. Exit code 0: the book is in and agrees.
                """,
            options: [.configurationFile], positionals: [("FILE", "What `wallet export` wrote; - is standard input.")],
            requiredPositionals: 1),
        run: run)

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        let context = try ProcessContext("import", Settings.operations, arguments)
        let input = try InputFile(path: arguments.positionals[0])
        try await context.checkDatabases()
        let progress = BookProgress("imported")
        let importer = BookImporter(ledger: context.ledger, assets: context.assets)
        let tally = try await importer.importBook(
            progress: { progress.tell($0) }, from: { try input.read() })
        progress.end(tally)
        do {
            return try await derive(context)
        } catch {
            Terminal.complain(
                "wallet: the book is in the ledger, but this failed: \(error)\nrun `wallet rebuild --all`, "
                    + "`wallet rebuild --totals --all` and `wallet audit`")
            return 1
        }
    }

    /// Builds what is derived from the ledger, and audits all of it.
    private static func derive(_ context: ProcessContext) async throws -> Int32 {
        let (ledger, projection, assets) = (context.ledger, context.projection, context.assets)
        _ = try await Rebuilder(ledger: ledger, projection: projection, assets: assets).rebuildAll { _ in true }
        _ = try await TotalsRebuilder(ledger: ledger, projection: projection).rebuildAll { _ in true }
        Terminal.complain("projections and totals are built; auditing")
        let audit = CompleteAudit(ledger: ledger, projection: projection, assets: assets)
        return AuditCommand.tell(try await audit.auditAll { _ in true })
    }
}
