import Events
import Ledger
import LedgerStore
import Postgres
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Projections

/// While projections are built anew beside commands and projectors, nobody reads what never was.
@Suite struct RebuildUnderLoadTests {
    /// What readers saw, and everything that was wrong with it.
    private final class Witness: Sendable {
        private struct State {
            var wallets: [WalletID: [Int64: [Int128]]] = [:]
            var problems: [String] = []
            var reads = 0
        }

        private let state = Mutex(State())

        var problems: [String] { state.withLock { $0.problems } }
        var reads: Int { state.withLock { $0.reads } }
        var seen: [WalletID: [Int64: [Int128]]] { state.withLock { $0.wallets } }

        func complain(_ text: String) { state.withLock { $0.problems.append(text) } }

        func saw(_ wallet: Wallet) {
            let sums = Witness.sums(of: wallet)
            state.withLock { state in
                state.reads += 1
                let before = state.wallets[wallet.id, default: [:]].updateValue(sums, forKey: wallet.version)
                if let before, before != sums { state.problems.append("\(wallet.id):\(wallet.version) has two faces") }
            }
        }

        static func sums(of wallet: Wallet) -> [Int128] {
            [wallet.balance, wallet.pendingDebit, wallet.pendingCredit]
        }
    }

    /// Reads one wallet, its transfers and its totals over and over. None of them may go away or back.
    private static func watch(
        _ id: WalletID, _ reader: ProjectionReader, _ witness: Witness, until end: StopSignal
    ) async throws {
        var version: Int64 = 0
        var counted: Int64 = 0
        var transfers: [TransferID: Int64] = [:]
        while !end.isStopped {
            guard let wallet = try await reader.wallet(id) else {
                witness.complain("\(id) is gone")
                continue
            }
            witness.saw(wallet)
            if wallet.version < version { witness.complain("\(id) went from \(version) to \(wallet.version)") }
            version = wallet.version
            let listed = try await reader.transfers(in: id, TransferQuery(limit: 10_000)).compactMap(\.transfer)
            let there = Dictionary(uniqueKeysWithValues: listed.map { ($0.id, $0.version) })
            for (transfer, before) in transfers where there[transfer] ?? 0 < before {
                witness.complain("\(transfer) went from \(before) to \(there[transfer] ?? 0)")
            }
            transfers = there
            let totals = try await reader.totals(of: id, TotalsQuery(period: .day, limit: 9))?.version ?? 0
            if totals < counted { witness.complain("totals of \(id) went from \(counted) to \(totals)") }
            counted = totals
        }
    }

    @Test func nobodyReadsWhatNeverWas() async throws {
        try await EventPath.run { path in
            _ = try await path.startRelay()
            for _ in 0..<2 { _ = try await path.startProjector(eventsPerTransaction: 10) }
            let (ledger, projection) = (try path.database.configuration(), try path.projectionDatabase.configuration())
            let wallets = try await path.openMany(4)
            try await path.projectAll()
            let pool = path.start(
                PostgresPool(
                    name: "reads", configuration: projection.keepingToIndexes, size: 4,
                    statements: ProjectionReader.statements.merging(RebuildJobs.statements) { first, _ in first },
                    logger: path.logger, metrics: path.metrics))
            let reader = ProjectionReader(pool: pool, assets: AssetTable())
            var configuration = RebuildConfiguration()
            (configuration.rate, configuration.page, configuration.poll) = (10_000_000, 2, .milliseconds(1))
            path.start(
                RebuildWorker(
                    configuration: configuration, ledger: ledger, projection: projection, assets: AssetTable(),
                    logger: path.logger, metrics: path.metrics))
            let jobs = RebuildJobs(pool: pool)
            let (witness, end) = (Witness(), StopSignal())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for wallet in wallets {
                    group.addTask { try await Self.watch(wallet, reader, witness, until: end) }
                }
                group.addTask {
                    let one = Rebuilder(ledger: ledger, projection: projection, assets: AssetTable())
                    let totals = TotalsRebuilder(ledger: ledger, projection: projection)
                    var round: UInt128 = 0
                    while !end.isStopped {
                        round += 1
                        _ = try await jobs.ask(id: RawUUID(bits: round), by: "ann")
                        _ = try await one.rebuild(wallets[Int(round % 4)])
                        _ = try await totals.rebuild(wallets[Int(round % 4)])
                    }
                }
                // As long as it takes for several rebuilds of everything, however fast commands are.
                repeat {
                    try await path.traffic(wallets, rounds: 50)
                } while try await jobs.newest(limit: 20).filter { $0.state == .done }.count < 3
                end.stop()
                try await group.waitForAll()
            }
            #expect(witness.problems.isEmpty, "\(witness.problems.prefix(5)) of \(witness.problems.count)")
            try Self.compare(witness.seen, with: path)
            try await path.expectBooksToAgree()
        }
    }

    /// A projector writes something newer after a rebuild has read the journal and before it writes.
    @Test(arguments: ["transfers", "wallets"]) func whatIsNewerStays(_ table: String) async throws {
        try await EventPath.run { path in
            let wallet = try await path.open(1000)
            let transfer = try await path.transfer(wallet, .debit, 100)
            try await path.projectAll()
            let rebuilder = Rebuilder(
                ledger: try path.database.configuration(), projection: try path.projectionDatabase.configuration(),
                assets: AssetTable())
            let projector = try path.projectionDatabase.connect()
            defer { projector.close() }
            let (row, which) = table == "wallets" ? ("id", wallet.description) : ("transfer_id", transfer.description)
            try projector.execute("BEGIN; SELECT 1 FROM projection.\(table) WHERE \(row) = '\(which)' FOR UPDATE")
            async let rebuilt = rebuilder.rebuild(wallet)
            try await eventually("the rebuild waits for the row") {
                try path.projectedNumber(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'
                    """) == 1
            }
            try await path.complete(wallet, transfer)
            try projector.execute("UPDATE projection.\(table) SET version = 3 WHERE \(row) = '\(which)'; COMMIT")
            #expect(try await rebuilt?.wallets == 1)
            #expect(
                try path.projectedNumber("SELECT version FROM projection.\(table) WHERE \(row) = '\(which)'") == 3)
        }
    }

    /// Every version that was read must be one of the journal's, with its sums.
    private static func compare(_ seen: [WalletID: [Int64: [Int128]]], with path: EventPath) throws {
        let connection = try path.database.connect()
        defer { connection.close() }
        let journal = try JournalReader(connection: connection, assets: AssetTable())
        for (id, versions) in seen {
            let wallet = try #require(try journal.wallet(id)).wallet
            let records = try journal.records(of: wallet, after: 0, limit: 10_000)
            let right = Dictionary(
                uniqueKeysWithValues: records.map { ($0.entry.version, Witness.sums(of: $0.event.wallet)) })
            for (version, sums) in versions {
                #expect(right[version] == sums, "\(id):\(version) was read as \(sums)")
            }
        }
        #expect(seen.count == 4 && seen.values.contains { $0.count > 2 })
    }
}
