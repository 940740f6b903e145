import Ledger
import Postgres

/// Brings totals up to date from the journal. Belongs to the thread that uses it.
///
/// A wallet's row in `totals_wallets` is locked while its entries after the row's version are summed up and added, in
/// one transaction: each entry counts once, whoever asks for it, however often and in whatever order. Nothing is
/// counted past a gap in a journal.
final class TotalsWriter {
    /// What one call did.
    struct Progress {
        /// Journal entries counted.
        var entries = 0
        /// Wallets that need another call: they have more entries, or somebody else is at them.
        var unfinished: [WalletID] = []
        /// Gaps in journals; what their wallets' totals were, they are still.
        var gaps: [JournalWalk.Discrepancy] = []
    }

    /// Takes back what was counted of a wallet before its journal turned out to have a gap.
    private struct GapFound: Error {
        let gap: JournalWalk.Discrepancy
    }

    /// Entries of one wallet counted at once.
    static let entriesMax = 2000
    /// Wallets looked at together for strays.
    private static let strayPage = 500

    private let ledger: PostgresConnection
    private let projection: PostgresConnection
    private let parameters = PostgresParameters()

    init(ledger: PostgresConfiguration, projection: PostgresConfiguration) throws {
        self.ledger = PostgresConnection(configuration: ledger.keepingToIndexes)
        self.projection = PostgresConnection(configuration: projection.keepingToIndexes)
        for (name, sql) in TotalsStatements.ledger { try self.ledger.prepare(name, sql) }
        for (name, sql) in TotalsStatements.projection { try self.projection.prepare(name, sql) }
    }

    /// Makes sure of both connections.
    func connect() throws {
        for connection in [ledger, projection] where !connection.isHealthy { try connection.connect() }
    }

    func close() {
        ledger.close()
        projection.close()
    }

    /// After an error: nothing half done is kept.
    func abandon() {
        for connection in [ledger, projection] where connection.isInTransaction { connection.rollback() }
    }

    /// Counts what these wallets' journals have after their checkpoints, in one transaction.
    func update(_ wallets: [WalletID]) throws -> Progress {
        guard !wallets.isEmpty else { return Progress() }
        let ids = wallets.sorted()
        return try projection.transaction { _ in
            let array = PostgresArray(of: .uuid)
            for id in ids { array.append(uuid: id.uuid.bits) }
            parameters.removeAll()
            parameters.append(array)
            _ = try projection.query("totals_begin", parameters)
            let result = try projection.query("totals_claim", parameters)
            var versions: [WalletID: Int64] = [:]
            for row in 0..<result.rowCount {
                versions[WalletID(RawUUID(bits: try result.uuid(row, 0)))] = try result.int64(row, 1)
            }
            var progress = try add(versions)
            progress.unfinished += ids.filter { versions[$0] == nil }
            return progress
        }
    }

    /// Counts a wallet's whole journal anew, in one transaction: readers see the old totals until it is done.
    func rebuild(_ wallet: WalletID) throws -> Progress {
        do {
            return Progress(entries: try countAnew(wallet))
        } catch let found as GapFound {
            return Progress(gaps: [found.gap])
        }
    }

    private func countAnew(_ wallet: WalletID) throws -> Int {
        try projection.transaction { _ in
            let array = PostgresArray(of: .uuid)
            array.append(uuid: wallet.uuid.bits)
            parameters.removeAll()
            parameters.append(array)
            _ = try projection.query("totals_begin", parameters)
            try forWallet(wallet, ["totals_lock", "totals_take_outside", "totals_forget_days", "totals_reset"])
            var counted = 0
            while true {
                let progress = try add([wallet: Int64(counted)])
                if let gap = progress.gaps.first { throw GapFound(gap: gap) }
                counted += progress.entries
                if progress.unfinished.isEmpty { break }
            }
            if counted == 0 { try forWallet(wallet, ["totals_forget"]) }
            return counted
        }
    }

    private func forWallet(_ wallet: WalletID, _ statements: [String]) throws {
        for statement in statements {
            parameters.removeAll()
            parameters.append(uuid: wallet.uuid.bits)
            _ = try projection.query(statement, parameters)
        }
    }

    /// Counts the entries after these versions; the wallets' rows are locked. Wallets with gaps are left out.
    private func add(_ versions: [WalletID: Int64]) throws -> Progress {
        let (ids, after) = (PostgresArray(of: .uuid), PostgresArray(of: .int8))
        for (id, version) in versions.sorted(by: { $0.key < $1.key }) {
            ids.append(uuid: id.uuid.bits)
            after.append(int8: version)
        }
        parameters.removeAll()
        parameters.append(ids)
        parameters.append(after)
        parameters.append(int8: Int64(Self.entriesMax))
        let changes = try ledger.query("totals_changes", parameters)
        guard !changes.isEmpty else { return Progress() }
        var progress = Progress()
        var reached: [WalletID: (count: Int64, version: Int64)] = [:]
        for row in 0..<changes.rowCount {
            let id = WalletID(RawUUID(bits: try changes.uuid(row, 0)))
            var sum = reached[id] ?? (0, 0)
            sum.count += try changes.int64(row, 3)
            sum.version = max(sum.version, try changes.int64(row, 4))
            reached[id] = sum
        }
        for (id, sum) in reached.sorted(by: { $0.key < $1.key }) {
            let before = versions[id] ?? 0
            let missing = sum.version - before - sum.count
            guard missing == 0 else {
                progress.gaps.append(
                    JournalWalk.Discrepancy(
                        walletID: id, version: sum.version,
                        problem: "\(missing) of the \(sum.version - before) entries after version \(before) are "
                            + "missing: the totals stand still"))
                continue
            }
            progress.entries += Int(sum.count)
            if sum.count == Int64(Self.entriesMax) { progress.unfinished.append(id) }
        }
        try write(changes, without: Set(progress.gaps.map(\.walletID)))
        return progress
    }

    private func write(_ changes: PostgresResult, without gaps: Set<WalletID>) throws {
        let uuids = PostgresArray(of: .uuid)
        let (assets, days) = (PostgresArray(of: .text), PostgresArray(of: .text))
        let (versions, debits, credits) = (
            PostgresArray(of: .int8), PostgresArray(of: .int8), PostgresArray(of: .int8)
        )
        let (debit, credit) = (PostgresArray(of: .text), PostgresArray(of: .text))
        let (world, system) = (PostgresArray(of: .text), PostgresArray(of: .text))
        for row in 0..<changes.rowCount {
            let id = try changes.uuid(row, 0)
            guard !gaps.contains(WalletID(RawUUID(bits: id))) else { continue }
            uuids.append(uuid: id)
            assets.append(text: try changes.text(row, 1))
            days.append(text: try changes.text(row, 2))
            versions.append(int8: try changes.int64(row, 4))
            debits.append(int8: try changes.int64(row, 5))
            credits.append(int8: try changes.int64(row, 6))
            debit.append(text: try changes.text(row, 7))
            credit.append(text: try changes.text(row, 8))
            world.append(text: try changes.text(row, 9))
            system.append(text: try changes.text(row, 10))
        }
        try run("totals_add_days", [uuids, days, debits, credits, debit, credit])
        try run("totals_advance", [uuids, assets, versions, world, system])
        try run("totals_add_outside", [assets, world, system])
    }

    private func run(_ statement: String, _ arrays: [PostgresArray]) throws {
        parameters.removeAll()
        for array in arrays { parameters.append(array) }
        _ = try projection.query(statement, parameters)
    }

    /// Those of the next wallets in id order after `id` whose totals are behind, and the last one looked at; nil when
    /// there are no more.
    func behind(after id: WalletID?, limit: Int) throws -> (wallets: [WalletID], last: WalletID?) {
        guard let start = RawUUID.following(id?.uuid) else { return ([], nil) }
        parameters.removeAll()
        parameters.append(uuid: start.bits)
        parameters.append(int8: Int64(limit))
        let known = try ledger.query("totals_wallets_of_ledger", parameters)
        guard !known.isEmpty else { return ([], nil) }
        let last = WalletID(RawUUID(bits: try known.uuid(known.rowCount - 1, 0)))
        parameters.removeAll()
        parameters.append(uuid: start.bits)
        parameters.append(uuid: last.uuid.bits)
        parameters.append(int8: Int64(limit) * 2)
        let counted = try projection.query("totals_versions", parameters)
        var versions: [WalletID: Int64] = [:]
        for row in 0..<counted.rowCount {
            versions[WalletID(RawUUID(bits: try counted.uuid(row, 0)))] = try counted.int64(row, 1)
        }
        var behind: [WalletID] = []
        for row in 0..<known.rowCount {
            let wallet = WalletID(RawUUID(bits: try known.uuid(row, 0)))
            if try known.int64(row, 1) > versions[wallet] ?? 0 { behind.append(wallet) }
        }
        return (behind, known.rowCount < limit ? nil : last)
    }

    /// The wallets in id order after `id` that have totals, up to `last` or to the end.
    func counted(after id: WalletID?, through last: WalletID? = nil, limit: Int) throws -> [WalletID] {
        guard let start = RawUUID.following(id?.uuid) else { return [] }
        parameters.removeAll()
        parameters.append(uuid: start.bits)
        parameters.append(uuid: last?.uuid.bits ?? .max)
        parameters.append(int8: Int64(limit))
        let result = try projection.query("totals_versions", parameters)
        return try (0..<result.rowCount).map { WalletID(RawUUID(bits: try result.uuid($0, 0))) }
    }

    /// The wallets in id order after `id` that the ledger knows.
    func known(after id: WalletID?, limit: Int) throws -> [WalletID] {
        guard let start = RawUUID.following(id?.uuid) else { return [] }
        parameters.removeAll()
        parameters.append(uuid: start.bits)
        parameters.append(int8: Int64(limit))
        let result = try ledger.query("totals_wallets_of_ledger", parameters)
        return try (0..<result.rowCount).map { WalletID(RawUUID(bits: try result.uuid($0, 0))) }
    }

    /// Removes the totals of the wallets after `first` up to `last` that the ledger does not know; how many.
    func removeStrays(after first: WalletID?, through last: WalletID? = nil) throws -> Int {
        var (cursor, strays) = (first, 0)
        while true {
            let counted = try counted(after: cursor, through: last, limit: Self.strayPage)
            guard let end = counted.last else { return strays }
            let known = Set(try known(from: counted))
            for stray in counted where !known.contains(stray) {
                _ = try rebuild(stray)
                strays += 1
            }
            cursor = end
        }
    }

    /// Those of `wallets` that the ledger knows.
    private func known(from wallets: [WalletID]) throws -> [WalletID] {
        let array = PostgresArray(of: .uuid)
        for wallet in wallets { array.append(uuid: wallet.uuid.bits) }
        parameters.removeAll()
        parameters.append(array)
        let result = try ledger.query("totals_known", parameters)
        return try (0..<result.rowCount).map { WalletID(RawUUID(bits: try result.uuid($0, 0))) }
    }
}
