import Ledger
import Postgres
import TestSupport
import Testing

@testable import Projections

/// A complete audit names each way in which the book can be wrong.
@Suite struct BookAuditTests {
    /// A way to spoil the book. The wallets: both sides of a transfer, then one with a reversal, then one with a hold.
    struct Harm: CustomTestStringConvertible, Sendable {
        let name: String
        let kind: DriftKind
        let sql: @Sendable ([WalletID]) -> String
        var testDescription: String { name }
    }

    private static func row(_ wallet: WalletID, _ version: Int) -> String {
        "wallet_id = '\(wallet)' AND version = \(version)"
    }

    static let harms: [Harm] = [
        Harm(name: "a sum of one side", kind: .transactions) {
            "UPDATE ledger.journal SET amount = amount + 1 WHERE \(row($0[1], 2))"
        },
        Harm(name: "a side that is gone", kind: .transactions) {
            "DELETE FROM ledger.transfers WHERE wallet_id = '\($0[1])'"
        },
        Harm(name: "an asset", kind: .transactions) {
            "UPDATE ledger.wallets SET asset = 'USD' WHERE id = '\($0[1])'"
        },
        Harm(name: "a gap", kind: .journal) { "DELETE FROM ledger.journal WHERE \(row($0[2], 2))" },
        Harm(name: "a word in history", kind: .chain) {
            "UPDATE ledger.journal SET description = 'dinner' WHERE \(row($0[0], 2))"
        },
        Harm(name: "a hash", kind: .chain) {
            "UPDATE ledger.journal SET chain = sha256('x') WHERE \(row($0[0], 1))"
        },
        Harm(name: "the newest hash", kind: .chain) {
            "UPDATE ledger.wallets SET chain = sha256('x') WHERE id = '\($0[0])'"
        },
        Harm(name: "a balance", kind: .state) {
            "UPDATE ledger.wallets SET balance = balance + 1 WHERE id = '\($0[0])'"
        },
        Harm(name: "a status", kind: .state) { "UPDATE ledger.wallets SET status = 2 WHERE id = '\($0[0])'" },
        Harm(name: "a hold", kind: .state) {
            "UPDATE ledger.transfers SET amount = amount + 1 WHERE wallet_id = '\($0[3])' AND status = 1"
        },
        Harm(name: "what was given back", kind: .reversals) {
            "UPDATE ledger.transfers SET reversed_amount = reversed_amount - 1 "
                + "WHERE wallet_id = '\($0[2])' AND reversed_amount > 0"
        },
        Harm(name: "a projection", kind: .projectionDiffers) {
            "UPDATE projection.wallets SET balance = balance + 1 WHERE id = '\($0[0])'"
        },
        Harm(name: "a day", kind: .totals) {
            "UPDATE projection.totals_daily SET debit_amount = debit_amount + 1 WHERE wallet_id = '\($0[0])'"
        },
        Harm(name: "a day that is gone", kind: .totals) {
            "DELETE FROM projection.totals_daily WHERE wallet_id = '\($0[0])'"
        },
        Harm(name: "the world", kind: .totals) { _ in
            "UPDATE projection.outside_accounts SET balance = balance + 1 WHERE account = 'world'"
        },
        Harm(name: "totals behind", kind: .totals) {
            "UPDATE projection.totals_wallets SET version = version - 1 WHERE wallet_id = '\($0[0])'"
        },
    ]

    @Test(arguments: harms)
    func isNamed(_ harm: Harm) async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(4)
            try await path.send(wallets[0], to: wallets[1], 700)
            let moved = try await path.transfer(wallets[2], .debit, 900, atOnce: true)
            try await path.reverse(wallets[2], moved, 400)
            try await path.transfer(wallets[3], .credit, 50)
            try await path.projectAll()
            let clean = try await path.audit(totals: true)
            #expect(clean.isClean, "\(clean.drifts)")
            try path.execute(
                "ALTER TABLE ledger.journal DISABLE TRIGGER journal_keeps_rows; \(harm.sql(wallets));")
            let report = try await path.audit(totals: true)
            #expect(report.drifts.contains { $0.kind == harm.kind }, "\(report.drifts)")
        }
    }
}

extension EventPath {
    /// Builds the projections and the totals from the journal.
    func projectAll() async throws {
        let (ledger, projection) = (try database.configuration(), try projectionDatabase.configuration())
        _ = try await Rebuilder(ledger: ledger, projection: projection, assets: AssetTable()).rebuildAll { _ in true }
        _ = try await TotalsRebuilder(ledger: ledger, projection: projection).rebuildAll { _ in true }
    }
}
