import Digest
import Ledger
import Postgres

/// Collects the rows of a book that comes in and writes them in pieces. Belongs to the thread of the import.
final class BookImportWriting {
    /// The arrays of one statement.
    private final class Columns {
        let statement: String
        let arrays: [PostgresArray]

        init(_ statement: String, _ types: [PostgresType]) {
            self.statement = statement
            arrays = types.map { PostgresArray(of: $0) }
        }
    }

    /// How many entries wait to be written.
    private(set) var rows = 0

    private let connection: PostgresConnection
    private let parameters = PostgresParameters()
    private let entries = Columns("insert_entries", EntryColumns.types + [.bytes])
    private let wallets = Columns("insert_wallets", WalletColumns.types + [.bytes])
    private let transfers = Columns("import_transfers", [.uuid] + DerivedTransfer.columnTypes)
    private let expirations = Columns("insert_expirations", [.timestamp, .uuid, .uuid])
    private let reversals = Columns("import_reversals", [.uuid, .uuid, .numeric])
    private let refusals = Columns(
        "insert_refusals", [.uuid, .uuid, .uuid, .uuid, .timestamp, .text, .text, .text])
    private let walletKeys = Columns("insert_wallet_keys", [.uuid, .text, .uuid])
    private let batches = Columns("import_batches", [.uuid, .uuid, .timestamp, .text, .text])
    /// The transfers that waiting reversals name.
    private var reversed: Set<TransferKey> = []

    /// What the lanes insert with, too.
    private static let inserts: Set<String> = [
        "insert_entries", "insert_wallets", "insert_expirations", "insert_refusals", "insert_wallet_keys",
    ]

    private static let statements: [String: String] = [
        "import_is_empty": """
        SELECT NOT EXISTS (SELECT FROM ledger.wallets) AND NOT EXISTS (SELECT FROM ledger.journal)
            AND NOT EXISTS (SELECT FROM ledger.transfers) AND NOT EXISTS (SELECT FROM ledger.expirations)
            AND NOT EXISTS (SELECT FROM ledger.refusals) AND NOT EXISTS (SELECT FROM ledger.wallet_keys)
            AND NOT EXISTS (SELECT FROM ledger.batches)
        """,
        "import_transfers": """
        INSERT INTO ledger.transfers (wallet_id, \(DerivedTransfer.columnNames))
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[], $6::timestamptz[], $7::uuid[],
            $8::int2[], $9::int2[], $10::numeric[], $11::numeric[])
        """,
        "import_reversals": """
        UPDATE ledger.transfers t SET reversed_amount = t.reversed_amount + k.amount
        FROM (
            SELECT r.wallet_id, r.transfer_id, sum(r.amount) AS amount
            FROM unnest($1::uuid[], $2::uuid[], $3::numeric[]) r(wallet_id, transfer_id, amount) GROUP BY 1, 2
        ) k
        WHERE t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
        RETURNING t.wallet_id, t.transfer_id
        """,
        "import_batches": """
        INSERT INTO ledger.batches (key_digest, content_hash, created_at, reference_id, outcome)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[])
        """,
        "import_one_sided": """
        SELECT j.wallet_id, j.version FROM ledger.journal j
        LEFT JOIN LATERAL (
            SELECT m.version FROM ledger.transfers t
            JOIN ledger.journal m ON m.wallet_id = t.wallet_id
                AND m.version = CASE WHEN j.kind IN (2, 3) THEN t.created_version ELSE t.resolved_version END
            JOIN ledger.wallets theirs ON theirs.id = t.wallet_id
            JOIN ledger.wallets ours ON ours.id = j.wallet_id
            WHERE t.wallet_id = j.counterparty AND t.transfer_id = j.transfer_id AND m.counterparty = j.wallet_id
                AND m.kind = j.kind AND m.direction <> j.direction AND m.amount = j.amount
                AND m.purpose IS NOT DISTINCT FROM j.purpose AND theirs.asset = ours.asset
            LIMIT 1
        ) mirror ON true
        WHERE j.counterparty IS NOT NULL AND j.kind IN (2, 3, 4, 5, 6) AND mirror.version IS NULL LIMIT 1
        """,
        "import_name": "UPDATE ledger.book SET id = $1",
    ]

    /// Somebody else holds a table of the book.
    private struct TablesInUse: Error {}

    /// How often the tables are waited for, each time as long as the lock time-out.
    private static let lockAttempts = 5

    init(ledger: PostgresConfiguration) throws {
        connection = PostgresConnection(configuration: ledger)
        let inserts = Statements.lane.filter { Self.inserts.contains($0.key) }
        for (name, sql) in Self.statements.merging(inserts, uniquingKeysWith: { own, _ in own })
            .sorted(by: { $0.key < $1.key })
        {
            try connection.prepare(name, sql)
        }
        try connection.connect()
    }

    func close() { connection.close() }

    /// Runs `body` in one transaction, during which nobody else writes to the book. Throws `BookFile.Flaw` when there
    /// is a book already.
    func transaction<Value>(_ body: () throws -> Value) throws -> Value {
        for _ in 0..<Self.lockAttempts {
            do { return try transactionOnce(body) } catch is TablesInUse {}
        }
        throw BookFile.Flaw("another process writes to this ledger all the time: stop it and try again")
    }

    private func transactionOnce<Value>(_ body: () throws -> Value) throws -> Value {
        try connection.transaction { _ in
            do {
                // In the order in which the lanes write to them: nobody waits in a circle but with a process that
                // just starts and prepares its statements.
                try connection.execute(
                    """
                    LOCK TABLE ledger.wallets, ledger.journal, ledger.transfers, ledger.expirations, ledger.refusals,
                        ledger.wallet_keys, ledger.batches, ledger.book IN EXCLUSIVE MODE
                    """)
            } catch let error as PostgresError
                where error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected
            {
                throw TablesInUse()
            } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
                throw BookFile.Flaw("import as the role that owns the schemas and runs `wallet migrate`: \(error)")
            }
            guard try connection.query("import_is_empty").bool(0, 0) else {
                throw BookFile.Flaw("this ledger is not empty: a book goes into a new installation only")
            }
            return try body()
        }
    }

    func add(_ entry: Entry, chain: Fingerprint) {
        rows += 1
        EntryColumns.append(entry, to: entries.arrays)
        entries.arrays[23].append(chain)
        if entry.kind == .opened, let key = entry.key {
            walletKeys.arrays[0].append(uuid: key.digest)
            walletKeys.arrays[1].append(text: key.reference)
            walletKeys.arrays[2].append(uuid: entry.walletID.uuid.bits)
        }
        if entry.kind == .posted, let original = entry.related {
            reversed.insert(TransferKey(wallet: entry.walletID, transfer: original))
            reversals.arrays[0].append(uuid: entry.walletID.uuid.bits)
            reversals.arrays[1].append(uuid: original.uuid.bits)
            reversals.arrays[2].append(numeric: entry.amount)
        }
    }

    func add(_ wallet: Wallet, chain: Fingerprint) {
        WalletColumns.append(wallet, to: wallets.arrays)
        wallets.arrays[12].append(chain)
    }

    /// A transfer that changes no more, or one that is pending at the end of its wallet's journal.
    func add(_ transfer: DerivedTransfer, _ id: TransferID) {
        let wallet = transfer.creation.walletID.uuid.bits
        transfers.arrays[0].append(uuid: wallet)
        transfer.append(id, to: transfers.arrays.dropFirst())
        guard transfer.isPending, let expiresAt = transfer.expiresAt else { return }
        expirations.arrays[0].append(timestamp: expiresAt.microseconds)
        expirations.arrays[1].append(uuid: wallet)
        expirations.arrays[2].append(uuid: id.uuid.bits)
    }

    func add(_ refusal: BookRefusal) {
        let columns = refusals.arrays
        columns[0].append(uuid: refusal.walletID.uuid.bits)
        columns[1].append(uuid: refusal.key.digest)
        columns[2].append(uuid: refusal.contentHash)
        columns[3].append(uuid: refusal.transferID?.uuid.bits)
        columns[4].append(timestamp: refusal.occurredAt.microseconds)
        columns[5].append(text: refusal.code)
        columns[6].append(text: refusal.detail)
        columns[7].append(text: refusal.key.reference)
    }

    func add(_ batch: BookBatch) {
        let columns = batches.arrays
        columns[0].append(uuid: batch.key.digest)
        columns[1].append(uuid: batch.contentHash)
        columns[2].append(timestamp: batch.createdAt.microseconds)
        columns[3].append(text: batch.key.reference)
        columns[4].append(text: batch.outcome)
    }

    /// Writes what waits. Returns a transfer that a reversal names and its wallet does not have.
    func flush() throws -> TransferID? {
        for columns in [entries, wallets, transfers, expirations, refusals, walletKeys, batches] {
            _ = try send(columns)
        }
        var missing = reversed
        if let found = try send(reversals) {
            for row in 0..<found.rowCount {
                missing.remove(
                    TransferKey(
                        wallet: WalletID(RawUUID(bits: try found.uuid(row, 0))),
                        transfer: TransferID(RawUUID(bits: try found.uuid(row, 1)))))
            }
        }
        reversed.removeAll(keepingCapacity: true)
        rows = 0
        return missing.first?.transfer
    }

    private func send(_ columns: Columns) throws -> PostgresResult? {
        guard columns.arrays[0].count > 0 else { return nil }
        parameters.removeAll()
        for array in columns.arrays { parameters.append(array) }
        let result = try connection.query(columns.statement, parameters)
        for array in columns.arrays { array.removeAll() }
        return result
    }

    /// An entry of a transfer between wallets whose other wallet has no entry that fits, if there is one.
    func oneSidedEntry() throws -> (wallet: WalletID, version: Int64)? {
        let found = try connection.query("import_one_sided")
        guard !found.isEmpty else { return nil }
        return (WalletID(RawUUID(bits: try found.uuid(0, 0))), try found.int64(0, 1))
    }

    /// The book keeps its name.
    func name(book: RawUUID) throws {
        parameters.removeAll()
        parameters.append(uuid: book.bits)
        _ = try connection.query("import_name", parameters)
    }
}
