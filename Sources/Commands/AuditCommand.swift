import Ledger
import Projections
import Runtime

/// `wallet audit`: proves the books, one wallet or all. Exit code 0 means that they agree.
enum AuditCommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(
            name: "audit", summary: "Verify journal, state and projections; changes nothing.",
            discussion: """
                Walks the journal from the first entry on, re-derives every balance and hash, holds both sides of \
                transfers between wallets against each other, and compares the stored state, the transfers, the \
                projections and the totals with it. Exit code 0: all agree. 1: they do not, each \
                disagreement is printed.
                """,
            options: [.configurationFile], positionals: [("WALLET", "A wallet's id; all wallets without it.")]),
        run: run)

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        let context = try ProcessContext("audit", Settings.operations, arguments)
        let audit = CompleteAudit(ledger: context.ledger, projection: context.projection, assets: context.assets)
        let report: AuditReport
        if let text = arguments.positionals.first {
            guard let found = try await audit.audit(try WalletID(argument: text)) else {
                Terminal.complain("wallet: there is no wallet \(text)")
                return 1
            }
            report = found
        } else {
            report = try await audit.auditAll { _ in true }
        }
        return tell(report)
    }

    /// Prints what an audit found. Returns the exit code.
    static func tell(_ report: AuditReport) -> Int32 {
        for drift in report.drifts { Terminal.write("\(drift)\n") }
        if report.driftCount > report.drifts.count {
            Terminal.write("and \(report.driftCount - report.drifts.count) more\n")
        }
        Terminal.write(
            "\(report.wallets) wallets, \(report.entries) entries, \(report.transfers) transfers: "
                + (report.isClean ? "the books agree\n" : "\(report.driftCount) disagreements\n"))
        return report.isClean ? 0 : 1
    }
}

extension WalletID {
    /// The id given as an argument. Throws `UsageError` when it is none.
    init(argument text: String) throws(UsageError) {
        guard let id = WalletID(text: text) else { throw UsageError("\"\(text)\" is no wallet id: write a UUID") }
        self = id
    }
}
