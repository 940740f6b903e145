public import Ledger
public import Postgres
import Runtime

/// Re-derives the rows of wallets and transfers from the journal, tells where they differ, and writes them anew when
/// told to. The journal is never changed. Owner and asset of a wallet are in its row only and stay as they are.
public struct StateRebuilder: Sendable {
    /// What was found.
    public struct Report: Sendable {
        /// How many differences are kept in `differences`.
        public static let differencesMax = 1000

        /// Wallets re-derived.
        public internal(set) var wallets = 0
        /// Journal entries read.
        public internal(set) var entries = 0
        /// Wallets with a row that is not what the journal says.
        public internal(set) var differing = 0
        /// Wallets whose rows were written anew.
        public internal(set) var repaired = 0
        /// What differs, up to `differencesMax` lines.
        public internal(set) var differences: [String] = []
        /// Wallets that the journal contradicts in itself; they are never repaired.
        public internal(set) var contradictions: [JournalWalk.Discrepancy] = []
    }

    private static let page = 200

    private let ledger: PostgresConfiguration
    private let assets: AssetTable

    /// Reads and repairs `ledger`.
    public init(ledger: PostgresConfiguration, assets: AssetTable) {
        self.ledger = ledger
        self.assets = assets
    }

    /// Re-derives one wallet; nil when it has no row.
    public func rebuild(_ wallet: WalletID, repair: Bool) async throws -> Report? {
        try await runOnOwnThread("state") {
            let session = try StateSession(ledger: ledger, assets: assets)
            defer { session.close() }
            var report = Report()
            try session.rebuild(wallet, repair: repair, &report)
            return report.wallets == 0 ? nil : report
        }
    }

    /// Re-derives all wallets in id order. `progress` is told what was done so far, now and then; returning false ends
    /// the work.
    public func rebuildAll(repair: Bool, _ progress: @escaping @Sendable (Report) -> Bool) async throws -> Report {
        try await runOnOwnThread("state") {
            let session = try StateSession(ledger: ledger, assets: assets)
            defer { session.close() }
            var report = Report()
            var cursor: WalletID?
            while true {
                let wallets = try session.journal.wallets(after: cursor, limit: Self.page).map(\.wallet.id)
                for wallet in wallets { try session.rebuild(wallet, repair: repair, &report) }
                guard progress(report), wallets.count == Self.page else { return report }
                cursor = wallets.last
            }
        }
    }
}

/// The connection of a rebuild; belongs to its thread.
private final class StateSession {
    private static let piece = 1000

    let journal: JournalReader
    private let connection: PostgresConnection
    private let reading: RowReading
    private let parameters = PostgresParameters()
    private let columns = DerivedTransfer.columnTypes.map { PostgresArray(of: $0) }

    private static let walletDiffers = """
        w.id = $1 AND (w.created_at, w.updated_at, w.version, w.status, w.balance, w.pending_debit, w.pending_credit,
                w.overdraft_limit, w.metadata, w.chain)
            IS DISTINCT FROM ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """
    private static let derivedTransfers = """
        unnest($2::uuid[], $3::int8[], $4::int8[], $5::int8[], $6::timestamptz[], $7::uuid[], $8::int2[], $9::int2[],
            $10::numeric[], $11::numeric[]) k (\(DerivedTransfer.columnNames))
        """
    private static let isStray = """
        t.wallet_id = $1 AND NOT EXISTS (
            SELECT FROM ledger.journal j WHERE j.wallet_id = t.wallet_id AND j.version = t.created_version
                AND j.transfer_id = t.transfer_id)
        """
    private static let mustExpire = "t.wallet_id = $1 AND t.status = 1 AND t.expires_at IS NOT NULL"

    private static func transferDiffers(from derived: String) -> String {
        func row(_ name: String) -> String {
            DerivedTransfer.derivedColumns.map { "\(name).\($0)" }.joined(separator: ", ")
        }
        return "(\(row("t"))) IS DISTINCT FROM (\(row(derived)))"
    }

    /// Which statements a comparison uses. All return a row for each difference.
    private enum Comparing: String {
        /// Only looks.
        case reading = "state_read_"
        /// Writes what differs.
        case writing = "state_write_"
    }

    private static let statements: [String: String] = [
        "state_lock": "SELECT version FROM ledger.wallets WHERE id = $1 FOR NO KEY UPDATE",
        "state_newest_chain": """
        SELECT chain FROM ledger.journal WHERE wallet_id = $1 ORDER BY version DESC LIMIT 1
        """,
        "state_entries": """
        SELECT \(Statements.entryColumns("j")) FROM ledger.journal j
        WHERE j.wallet_id = $1 AND j.version > $2 ORDER BY j.version LIMIT $3
        """,
        "state_read_wallet": "SELECT w.id FROM ledger.wallets w WHERE \(walletDiffers)",
        "state_write_wallet": """
        UPDATE ledger.wallets w SET created_at = $2, updated_at = $3, version = $4, status = $5, balance = $6,
            pending_debit = $7, pending_credit = $8, overdraft_limit = $9, metadata = $10, chain = $11
        WHERE \(walletDiffers) RETURNING w.id
        """,
        "state_read_transfers": """
        SELECT k.transfer_id FROM \(derivedTransfers)
        LEFT JOIN ledger.transfers t ON t.wallet_id = $1 AND t.transfer_id = k.transfer_id
        WHERE t.transfer_id IS NULL OR \(transferDiffers(from: "k"))
        """,
        "state_write_transfers": """
        INSERT INTO ledger.transfers AS t (wallet_id, \(DerivedTransfer.columnNames))
        SELECT $1, k.* FROM \(derivedTransfers)
        ON CONFLICT (wallet_id, transfer_id) DO UPDATE SET
            \(DerivedTransfer.derivedColumns.map { "\($0) = excluded.\($0)" }.joined(separator: ", "))
        WHERE \(transferDiffers(from: "excluded"))
        RETURNING t.transfer_id
        """,
        "state_read_strays": "SELECT t.transfer_id FROM ledger.transfers t WHERE \(isStray)",
        "state_write_strays": "DELETE FROM ledger.transfers t WHERE \(isStray) RETURNING t.transfer_id",
        "state_read_expirations": """
        SELECT t.transfer_id FROM ledger.transfers t WHERE \(mustExpire) AND NOT EXISTS (
            SELECT FROM ledger.expirations e WHERE e.expires_at = t.expires_at AND e.wallet_id = t.wallet_id
                AND e.transfer_id = t.transfer_id)
        """,
        "state_write_expirations": """
        INSERT INTO ledger.expirations (expires_at, wallet_id, transfer_id)
        SELECT t.expires_at, t.wallet_id, t.transfer_id FROM ledger.transfers t WHERE \(mustExpire)
        ON CONFLICT DO NOTHING RETURNING transfer_id
        """,
    ]

    init(ledger: PostgresConfiguration, assets: AssetTable) throws {
        connection = PostgresConnection(configuration: ledger.keepingToIndexes)
        journal = try JournalReader(connection: connection, assets: assets)
        reading = RowReading(assets: assets)
        for (name, sql) in Self.statements.sorted(by: { $0.key < $1.key }) { try connection.prepare(name, sql) }
        try connection.connect()
    }

    func close() { connection.close() }

    /// Compares in a snapshot, where nobody has to wait. Only what is to be repaired is locked and derived again, so
    /// that it is of one moment, too.
    func rebuild(_ id: WalletID, repair: Bool, _ report: inout StateRebuilder.Report) throws {
        guard var outcome = try connection.transaction(.readOnlySnapshot, { _ in try compare(id, .reading) }) else {
            return
        }
        if repair, !outcome.found.isEmpty {
            try connection.transaction { _ in
                parameters.removeAll()
                parameters.append(uuid: id.uuid.bits)
                _ = try connection.query("state_lock", parameters)
                outcome = try compare(id, .writing) ?? Outcome()
            }
            if !outcome.found.isEmpty { report.repaired += 1 }
        }
        report.wallets += 1
        report.entries += outcome.entries
        report.contradictions += outcome.contradictions
        if !outcome.found.isEmpty { report.differing += 1 }
        let room = StateRebuilder.Report.differencesMax - report.differences.count
        report.differences += outcome.found.prefix(room).map { "wallet \(id): \($0)" }
    }

    private struct Outcome {
        var found: [String] = []
        var contradictions: [JournalWalk.Discrepancy] = []
        var entries = 0
    }

    /// Nil when there is no such wallet.
    private func compare(_ id: WalletID, _ comparing: Comparing) throws -> Outcome? {
        guard let stored = try journal.wallet(id) else { return nil }
        var outcome = Outcome()
        var transfers: [TransferID: DerivedTransfer] = [:]
        let wallet = try derive(stored.wallet, &transfers, &outcome.contradictions, &outcome.entries)
        if outcome.contradictions.isEmpty, let wallet { outcome.found = try compare(wallet, transfers, comparing) }
        return outcome
    }

    /// Walks over the whole journal.
    private func derive(
        _ stored: Wallet, _ transfers: inout [TransferID: DerivedTransfer],
        _ contradictions: inout [JournalWalk.Discrepancy], _ entries: inout Int
    ) throws -> Wallet? {
        var walk = JournalWalk(walletID: stored.id)
        var wallet: Wallet?
        while true {
            parameters.removeAll()
            parameters.append(uuid: stored.id.uuid.bits)
            parameters.append(int8: walk.version)
            parameters.append(int8: Int64(Self.piece))
            let result = try connection.query("state_entries", parameters)
            for row in 0..<result.rowCount {
                guard let entry = try reading.entry(result, row, from: 0) else { continue }
                if let id = entry.transferID { Self.add(entry, id, to: &transfers) }
                contradictions += walk.step(entry, creation: entry.transferID.flatMap { transfers[$0]?.creation })
                let before =
                    wallet
                    ?? Wallet(
                        id: stored.id, ownerID: stored.ownerID, asset: stored.asset, balance: 0, pendingDebit: 0,
                        pendingCredit: 0, overdraftLimit: 0, version: 0, status: .active, metadata: nil,
                        createdAt: entry.occurredAt, updatedAt: entry.occurredAt)
                wallet = before.asLeft(by: entry)
            }
            entries += result.rowCount
            if result.rowCount < Self.piece { return wallet }
        }
    }

    private static func add(_ entry: Entry, _ id: TransferID, to transfers: inout [TransferID: DerivedTransfer]) {
        if entry.kind.createsTransfer {
            transfers[id] = DerivedTransfer(creation: entry)
        } else {
            transfers[id]?.follow(entry)
        }
        if entry.kind == .posted, let original = entry.related { transfers[original]?.giveBack(entry.amount) }
    }

    /// What differs, in words.
    private func compare(
        _ wallet: Wallet, _ transfers: [TransferID: DerivedTransfer], _ comparing: Comparing
    ) throws -> [String] {
        func run(_ what: String) throws -> PostgresResult {
            try connection.query(comparing.rawValue + what, parameters)
        }
        var found: [String] = []
        parameters.removeAll()
        parameters.append(uuid: wallet.id.uuid.bits)
        let chain = try connection.query("state_newest_chain", parameters).bytes(0, 0)
        parameters.append(timestamp: wallet.createdAt.microseconds)
        parameters.append(timestamp: wallet.updatedAt.microseconds)
        parameters.append(int8: wallet.version)
        parameters.append(int2: wallet.status.rawValue)
        parameters.append(numeric: wallet.balance)
        parameters.append(numeric: wallet.pendingDebit)
        parameters.append(numeric: wallet.pendingCredit)
        parameters.append(numeric: wallet.overdraftLimit)
        parameters.append(text: wallet.metadata)
        parameters.append(bytes: chain)
        if try !run("wallet").isEmpty { found.append("the row of the wallet is not what the journal says") }
        let sorted = transfers.sorted { $0.key < $1.key }
        for start in stride(from: 0, to: sorted.count, by: Self.piece) {
            let part = sorted[start..<min(sorted.count, start + Self.piece)]
            fill(part, of: wallet.id)
            found += try told("is not what the journal says", try run("transfers"))
        }
        parameters.removeAll()
        parameters.append(uuid: wallet.id.uuid.bits)
        found += try told("is not in the journal", try run("strays"))
        found += try told("nobody would expire it", try run("expirations"))
        return found
    }

    private func told(_ what: String, _ result: PostgresResult) throws -> [String] {
        try (0..<result.rowCount).map { "transfer \(RawUUID(bits: try result.uuid($0, 0))): \(what)" }
    }

    private func fill(_ transfers: ArraySlice<(key: TransferID, value: DerivedTransfer)>, of wallet: WalletID) {
        for column in columns { column.removeAll() }
        for (id, derived) in transfers { derived.append(id, to: columns) }
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        for column in columns { parameters.append(column) }
    }
}
