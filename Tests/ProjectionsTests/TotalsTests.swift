import Events
import Ledger
import Postgres
import Runtime
import TestSupport
import Testing

@testable import Projections

/// Totals count each journal entry exactly once.
@Suite struct TotalsTests {
    private static func keeper(_ path: EventPath, shortestSweep: Duration = .milliseconds(50)) throws -> TotalsKeeper {
        var configuration = TotalsConfiguration()
        configuration.pace = .milliseconds(10)
        configuration.shortestSweep = shortestSweep
        configuration.batch = 3
        return path.start(
            TotalsKeeper(
                configuration: configuration, ledger: try path.database.configuration(),
                projection: try path.projectionDatabase.configuration(), logger: path.logger, metrics: path.metrics))
    }

    private static func disagreements(_ path: EventPath) async throws -> [Drift] {
        try await path.audit(totals: true).drifts.filter { $0.kind == .totals }
    }

    @Test func severalKeepersCountEachEntryOnce() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(6)
            _ = try Self.keeper(path)
            let hurried = try Self.keeper(path)
            async let traffic: Void = path.traffic(wallets, rounds: 40)
            try await path.send(wallets[0], to: wallets[1], 700)
            // Told again and again, in any order.
            for round in 0..<20 {
                let wallet = try path.stored(wallets[round % 6])
                hurried.noticed([WalletEvent(type: .walletCreated, wallet: wallet, transfer: nil, origin: .none)])
                _ = try await TotalsRebuilder(
                    ledger: try path.database.configuration(), projection: try path.projectionDatabase.configuration()
                ).rebuild(wallets[round % 6])
            }
            try await traffic
            try await eventually("all is counted") { try await Self.disagreements(path).isEmpty }
            let settled = try path.number(
                "SELECT sum(amount)::int8 FROM ledger.postings WHERE account NOT LIKE 'wallet:%'")
            #expect(
                try path.projectedNumber("SELECT sum(balance)::int8 FROM projection.outside_accounts") == settled)
            #expect(
                try path.number("SELECT sum(balance)::int8 FROM ledger.wallets") == -settled)
        }
    }

    @Test func whatNobodyToldOfIsFound() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(5)
            try await path.traffic(wallets, rounds: 8)
            _ = try Self.keeper(path)
            try await eventually("all is counted") { try await Self.disagreements(path).isEmpty }
            #expect(path.count("wallet_totals_found_behind_total") == 5)
            #expect(
                path.count("wallet_totals_entries_total") == (try path.number("SELECT count(*) FROM ledger.journal")))
        }
    }

    /// Takes an entry out of the middle of a wallet's journal, and keeps it in the table `taken`.
    private static func makeGap(_ wallet: WalletID, _ path: EventPath) throws {
        try path.execute(
            """
            ALTER TABLE ledger.journal DISABLE TRIGGER journal_keeps_rows;
            CREATE TABLE taken AS SELECT * FROM ledger.journal WHERE wallet_id = '\(wallet)' AND version = 3;
            DELETE FROM ledger.journal WHERE wallet_id = '\(wallet)' AND version = 3;
            """)
    }

    @Test func aGapInOneJournalStopsNoOther() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(7)
            try await path.traffic(wallets, rounds: 4)
            try Self.makeGap(wallets[3], path)
            let keeper = try Self.keeper(path)
            let counted = """
                SELECT count(*) FROM ledger.wallets w JOIN projection.totals_wallets t ON t.wallet_id = w.id
                WHERE t.version = w.version
                """
            try await eventually("the others are counted") { try path.number(counted) == 6 }
            // Also when they are told of together.
            try await path.traffic(wallets, rounds: 1)
            let events = try wallets.map {
                WalletEvent(type: .walletCreated, wallet: try path.stored($0), transfer: nil, origin: .none)
            }
            keeper.noticed(events)
            try await eventually("the others are counted again") { try path.number(counted) == 6 }
            let before = path.count("wallet_totals_sweeps_total")
            try await eventually("sweeps end") { path.count("wallet_totals_sweeps_total") >= before + 2 }
            #expect(path.count("wallet_totals_gaps_total") == 1)
            let told = path.log.text.split(separator: "\n").filter { $0.contains("the totals of a wallet stand still") }
            #expect(told.count == 1 && told[0].contains("\(wallets[3])"), "\(told)")
            try path.execute("INSERT INTO ledger.journal SELECT * FROM taken")
            try await eventually("all is counted") { try await Self.disagreements(path).isEmpty }
        }
    }

    @Test func aRebuildTellsOfGapsAndKeepsWhatWasCounted() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(4)
            try await path.traffic(wallets, rounds: 4)
            try await path.projectAll()
            let rows = "SELECT count(*) FROM projection.totals_daily WHERE wallet_id = '\(wallets[1])'"
            let kept = try path.projectedNumber(rows)
            try Self.makeGap(wallets[1], path)
            try path.executeOnProjections("DELETE FROM projection.totals_daily WHERE wallet_id = '\(wallets[2])'")
            let rebuilder = TotalsRebuilder(
                ledger: try path.database.configuration(), projection: try path.projectionDatabase.configuration())
            let report = try await rebuilder.rebuildAll { _ in true }
            #expect(report.wallets == 3 && report.discrepancies.map(\.walletID) == [wallets[1]])
            let one = try #require(try await rebuilder.rebuild(wallets[1]))
            #expect(one.wallets == 0 && one.entries == 0 && one.discrepancies == report.discrepancies)
            #expect(try path.projectedNumber(rows) == kept && kept > 0)
            #expect(try await Self.disagreements(path).allSatisfy { $0.walletID == wallets[1] })
        }
    }

    @Test func theProjectorTells() async throws {
        try await EventPath.run { path in
            let keeper = try Self.keeper(path, shortestSweep: .seconds(3600))
            try await eventually("the first sweep is over") { path.count("wallet_totals_sweeps_total") == 1 }
            _ = try await path.startRelay()
            _ = try await path.startProjector(onApplied: { keeper.noticed($0) })
            let wallets = try await path.openMany(3)
            try await path.traffic(wallets, rounds: 8)
            try await eventually("all is counted") { try await Self.disagreements(path).isEmpty }
            #expect(path.count("wallet_totals_found_behind_total") == 0)
        }
    }

    @Test func daysAndMonthsAreRead() async throws {
        try await EventPath.run { path in
            let wallet = try await path.open(1000)
            try await path.transfer(wallet, .debit, 250, atOnce: true)
            try await path.transfer(wallet, .credit, 50, atOnce: true)
            let hold = try await path.transfer(wallet, .credit, 10)
            try await path.revert(wallet, hold)
            try await path.projectAll()
            let pool = PostgresPool(
                name: "reads", configuration: try path.projectionDatabase.configuration().keepingToIndexes, size: 1,
                statements: ProjectionReader.statements, logger: path.logger, metrics: path.metrics)
            path.start(pool)
            let reader = ProjectionReader(pool: pool, assets: AssetTable())
            for period in TotalsPeriod.allCases {
                let totals = try #require(try await reader.totals(of: wallet, TotalsQuery(period: period, limit: 5)))
                #expect(totals.version == 5)
                // Two if midnight came in between.
                #expect(totals.periods.reduce(0) { $0 + $1.debitCount } == 2)
                #expect(totals.periods.reduce(0) { $0 + $1.creditCount } == 1)
                #expect(totals.periods.reduce(0) { $0 + $1.debitAmount } == 1250)
                #expect(totals.periods.reduce(0) { $0 + $1.creditAmount } == 50)
                var query = TotalsQuery(period: period, limit: 5)
                query.before = totals.periods.last?.begin
                #expect(try await reader.totals(of: wallet, query)?.periods.isEmpty == true)
            }
            let outside = try await reader.outsideAccounts()
            #expect(outside.map(\.balance) == [-1200] && outside.first?.account == .world)
            #expect(try await reader.totals(of: WalletID(RawUUID(bits: 1)), TotalsQuery(period: .day, limit: 1)) == nil)
            #expect(try await reader.wallets(ofTransfer: hold) == [wallet])
        }
    }
}
