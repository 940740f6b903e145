import Ledger
import LedgerStore
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
                .flag("state", "Compare the ledger's own wallets and transfers with the journal."),
                .flag("repair", "With --state: write anew what differs."),
            ],
            positionals: [("WALLET", "A wallet's id.")]),
        run: run)

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        let text = arguments.positionals.first
        guard (text != nil) != arguments.flag("all") else { throw UsageError("name one wallet, or write --all") }
        let context = try ProcessContext("rebuild", Settings.operations, arguments)
        guard arguments.flag("state") || !arguments.flag("repair") else {
            throw UsageError("--repair goes with --state")
        }
        guard !arguments.flag("state") || !arguments.flag("totals") else {
            throw UsageError("write --state or --totals, not both")
        }
        if arguments.flag("state") { return try await rebuildState(text, arguments.flag("repair"), context) }
        if arguments.flag("totals") { return try await rebuildTotals(text, context) }
        let rebuilder = Rebuilder(ledger: context.ledger, projection: context.projection, assets: context.assets)
        let report = try await oneOrAll(
            text, one: { try await rebuilder.rebuild($0) },
            all: { try await rebuilder.rebuildAll { _ in true } })
        guard let report else { return 1 }
        for discrepancy in report.discrepancies { Terminal.write("\(discrepancy)\n") }
        Terminal.write("\(report.wallets) wallets rebuilt from \(report.entries) entries\n")
        if report.strays > 0 { Terminal.write("\(report.strays) wallets removed that the ledger does not know\n") }
        return report.discrepancies.isEmpty ? 0 : 1
    }

    private static func rebuildTotals(_ text: String?, _ context: ProcessContext) async throws -> Int32 {
        let rebuilder = TotalsRebuilder(ledger: context.ledger, projection: context.projection)
        let report = try await oneOrAll(
            text, one: { try await rebuilder.rebuild($0) },
            all: { try await rebuilder.rebuildAll { _ in true } })
        guard let report else { return 1 }
        for discrepancy in report.discrepancies { Terminal.write("\(discrepancy)\n") }
        Terminal.write("totals of \(report.wallets) wallets counted anew from \(report.entries) entries\n")
        if report.strays > 0 { Terminal.write("\(report.strays) wallets removed that the ledger does not know\n") }
        return report.discrepancies.isEmpty ? 0 : 1
    }

    private static func rebuildState(
        _ text: String?, _ repair: Bool, _ context: ProcessContext
    ) async throws -> Int32 {
        let rebuilder = StateRebuilder(ledger: context.ledger, assets: context.assets)
        let report = try await oneOrAll(
            text, one: { try await rebuilder.rebuild($0, repair: repair) },
            all: { try await rebuilder.rebuildAll(repair: repair) { _ in true } })
        guard let report else { return 1 }
        for line in report.differences { Terminal.write("\(line)\n") }
        for discrepancy in report.contradictions { Terminal.write("the journal contradicts itself: \(discrepancy)\n") }
        Terminal.write(
            "\(report.wallets) wallets derived from \(report.entries) entries: \(report.differing) differ, "
                + "\(report.repaired) repaired\n")
        return report.differing == report.repaired && report.contradictions.isEmpty ? 0 : 1
    }

    /// What the work on the wallet that `text` names, or on all, reports; nil once it was said that there is no such
    /// wallet.
    private static func oneOrAll<Report>(
        _ text: String?, one: (WalletID) async throws -> Report?, all: () async throws -> Report
    ) async throws -> Report? {
        guard let text else { return try await all() }
        let report = try await one(try WalletID(argument: text))
        if report == nil { Terminal.complain("wallet: there is no wallet \(text)") }
        return report
    }
}
