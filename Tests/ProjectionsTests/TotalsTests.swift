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

    private static func reader(_ path: EventPath) throws -> ProjectionReader {
        let pool = PostgresPool(
            name: "reads", configuration: try path.projectionDatabase.configuration().keepingToIndexes, size: 1,
            statements: ProjectionReader.statements, logger: path.logger, metrics: path.metrics)
        path.start(pool)
        return ProjectionReader(pool: pool, assets: AssetTable())
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
            let reader = try Self.reader(path)
            for period in TotalsPeriod.allCases {
                let totals = try #require(try await reader.totals(of: wallet, TotalsQuery(period: period, limit: 5)))
                #expect(totals.version == 5)
                // Two if midnight came in between.
                #expect(totals.periods.reduce(0) { $0 + $1.debitCount } == 2)
                #expect(totals.periods.reduce(0) { $0 + $1.creditCount } == 1)
                #expect(totals.periods.compactMap { Int($0.debitAmount.description) }.reduce(0, +) == 1250)
                #expect(totals.periods.compactMap { Int($0.creditAmount.description) }.reduce(0, +) == 50)
                var query = TotalsQuery(period: period, limit: 5)
                query.before = totals.periods.last?.begin
                #expect(try await reader.totals(of: wallet, query)?.periods.isEmpty == true)
            }
            let outside = try await reader.outsideAccounts()
            #expect(outside.map(\.balance.description) == ["-1200"] && outside.first?.account == .world)
            #expect(try await reader.totals(of: WalletID(RawUUID(bits: 1)), TotalsQuery(period: .day, limit: 1)) == nil)
            #expect(try await reader.wallets(ofTransfer: hold) == [wallet])
        }
    }

    /// What goes through a wallet may be more than it can ever hold, and so may what the outside gave to all wallets.
    @Test func sumsBeyondTheRangeOfMoneyAreExact() async throws {
        try await EventPath.run { path in
            let (wallet, other) = (try await path.open(0), try await path.open(0))
            let largest = try DecimalAmount(text: Array(Money.text(Money.largest, scale: 2).utf8))
            for direction in [Direction.debit, .credit, .debit, .credit, .debit] {
                try await path.transfer(wallet, direction, largest, atOnce: true)
            }
            try await path.transfer(other, .debit, largest, atOnce: true)
            try await path.projectAll()
            let nines = String(repeating: "9", count: 37)
            let (twice, thrice) = ("1\(nines)8", "2\(nines)7")
            let reader = try Self.reader(path)
            for period in TotalsPeriod.allCases {
                let totals = try #require(try await reader.totals(of: wallet, TotalsQuery(period: period, limit: 5)))
                // Two if midnight came in between.
                #expect(totals.periods.count == 2 || totals.periods.map(\.debitAmount.description) == [thrice])
                #expect(totals.periods.count == 2 || totals.periods.map(\.creditAmount.description) == [twice])
            }
            #expect(try await reader.outsideAccounts().map(\.balance.description) == ["-\(twice)"])
            #expect(try await Self.disagreements(path).isEmpty)
            for harm in [
                "totals_daily SET debit_amount = debit_amount - 1",
                "totals_daily SET credit_amount = credit_amount + 1",
            ] {
                try path.executeOnProjections("UPDATE projection.\(harm) WHERE wallet_id = '\(wallet)'")
                #expect(try await !Self.disagreements(path).isEmpty, "\(harm)")
                try await path.projectAll()
            }
        }
    }
}
