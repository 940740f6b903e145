import Ledger
import Projections
import Runtime

/// `wallet rebuild`: builds the projections of one wallet or of all from the journal, while traffic runs.
enum RebuildCommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(
            name: "rebuild", summary: "Rebuild projections from the journal.",
            discussion: """
                Works while traffic runs: readers see the old or the new state of each wallet and transfer. What \
                the journal does not know is removed from the projections.
                """,
            options: [
                .configurationFile, .flag("all", "Rebuild all wallets."),
                .flag("totals", "Rebuild the totals instead of wallets and transfers."),
            ],
            positionals: [("WALLET", "A wallet's id.")]),
        run: run)

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        let text = arguments.positionals.first
        guard (text != nil) != arguments.flag("all") else { throw UsageError("name one wallet, or write --all") }
        let context = try ProcessContext("rebuild", Settings.operations, arguments)
        if arguments.flag("totals") { return try await rebuildTotals(text, context) }
        let rebuilder = Rebuilder(ledger: context.ledger, projection: context.projection, assets: context.assets)
        let report: Rebuilder.Report
        if let text {
            guard let done = try await rebuilder.rebuild(try WalletID(argument: text)) else {
                Terminal.complain("wallet: there is no wallet \(text)")
                return 1
            }
            report = done
        } else {
            report = try await rebuilder.rebuildAll { _ in true }
        }
        for discrepancy in report.discrepancies { Terminal.write("\(discrepancy)\n") }
        Terminal.write("\(report.wallets) wallets rebuilt from \(report.entries) entries\n")
        if report.strays > 0 { Terminal.write("\(report.strays) wallets removed that the ledger does not know\n") }
        return report.discrepancies.isEmpty ? 0 : 1
    }

    private static func rebuildTotals(_ text: String?, _ context: ProcessContext) async throws -> Int32 {
        let rebuilder = TotalsRebuilder(ledger: context.ledger, projection: context.projection)
        let report: TotalsRebuilder.Report
        if let text {
            guard let done = try await rebuilder.rebuild(try WalletID(argument: text)) else {
                Terminal.complain("wallet: there is no wallet \(text)")
                return 1
            }
            report = done
        } else {
            report = try await rebuilder.rebuildAll { _ in true }
        }
        Terminal.write("totals of \(report.wallets) wallets counted anew from \(report.entries) entries\n")
        if report.strays > 0 { Terminal.write("\(report.strays) wallets removed that the ledger does not know\n") }
        return 0
    }
}
