import Digest
public import Ledger
public import Postgres
import Runtime

/// Writes the whole journal, and what cannot be derived from it, as the lines of a book file.
///
/// Everything is read as of one moment, in pieces; nobody is kept from writing. Wallets come in the order of their ids,
/// each with its entries and its stored refusals; the keys of batches follow.
public struct BookExporter: Sendable {
    private let ledger: PostgresConfiguration
    private let assets: AssetTable

    /// Reads `ledger`.
    public init(ledger: PostgresConfiguration, assets: AssetTable) {
        self.ledger = ledger.unhurried
        self.assets = assets
    }

    /// Hands the lines to `sink` in pieces of some ten thousand bytes, and tells `progress` after each what they held
    /// so far. `schemaVersion` goes into the first line. Returns what all lines held.
    ///
    /// Throws what `sink` throws, `BookFile.Flaw` when the book contradicts itself, `PostgresError` or
    /// `LedgerStoreError`.
    public func export(
        schemaVersion: Int64, progress: @escaping @Sendable (BookFile.Tally) -> Void = { _ in },
        to sink: @escaping @Sendable ([UInt8]) throws -> Void
    ) async throws -> BookFile.Tally {
        try await runOnOwnThread("export") {
            let session = try ExportSession(ledger: ledger, assets: assets) { lines, tally in
                try sink(lines)
                progress(tally)
            }
            defer { session.close() }
            return try session.export(schemaVersion: schemaVersion)
        }
    }
}

extension PostgresConfiguration {
    /// The same for work that goes on for as long as it takes, and may wait for a pipe in between.
    var unhurried: PostgresConfiguration {
        var copy = keepingToIndexes
        copy.statementTimeout = .zero
        copy.idleInTransactionTimeout = .zero
        copy.answerTimeout = .seconds(24 * 3600)
        return copy
    }
}

/// The connection of one export; belongs to its thread.
private final class ExportSession {
    /// Rows read at once.
    private static let piece = 1000
    /// Bytes handed on at once, about.
    private static let portion = 1 << 16

    private let connection: PostgresConnection
    private let reading: RowReading
    private let assets: AssetTable
    private let parameters = PostgresParameters()
    private let sink: ([UInt8], BookFile.Tally) throws -> Void
    private var lines = BookLineWriting()

    private static let statements: [String: String] = [
        "export_moment": "SELECT id, now() FROM ledger.book",
        "export_assets": "SELECT DISTINCT asset FROM ledger.wallets ORDER BY 1",
        "export_wallets": """
        SELECT id, owner_id, asset, version, chain FROM ledger.wallets WHERE id >= $1 ORDER BY id LIMIT $2
        """,
        "export_entries": """
        SELECT \(Statements.entryColumns()), chain FROM ledger.journal
        WHERE (wallet_id, version) > ($1, $2) ORDER BY wallet_id, version LIMIT $3
        """,
        "export_refusals": """
        SELECT wallet_id, key_digest, content_hash, transfer_id, occurred_at, code, detail, reference_id
        FROM ledger.refusals WHERE (wallet_id, key_digest) > ($1, $2) ORDER BY wallet_id, key_digest LIMIT $3
        """,
        "export_batches": """
        SELECT key_digest, content_hash, created_at, reference_id, outcome FROM ledger.batches
        WHERE key_digest > $1 ORDER BY key_digest LIMIT $2
        """,
    ]

    init(
        ledger: PostgresConfiguration, assets: AssetTable, sink: @escaping ([UInt8], BookFile.Tally) throws -> Void
    ) throws {
        connection = PostgresConnection(configuration: ledger)
        reading = RowReading(assets: assets)
        self.assets = assets
        self.sink = sink
        for (name, sql) in Self.statements.sorted(by: { $0.key < $1.key }) { try connection.prepare(name, sql) }
        try connection.connect()
    }

    func close() { connection.close() }

    func export(schemaVersion: Int64) throws -> BookFile.Tally {
        try connection.transaction(.readOnlySnapshot) { _ in
            lines.header(try header(schemaVersion))
            try writeWallets()
            try writeBatches()
            lines.end()
            try handOn(atLeast: 1)
        }
        return lines.tally
    }

    private func header(_ schemaVersion: Int64) throws -> BookHeader {
        let moment = try connection.query("export_moment")
        guard moment.rowCount == 1 else { throw LedgerStoreError.inconsistent("the book has no id") }
        let codes = try connection.query("export_assets")
        return BookHeader(
            bookID: RawUUID(bits: try moment.uuid(0, 0)),
            createdAt: Timestamp(microseconds: try moment.timestamp(0, 1)), schemaVersion: schemaVersion,
            assets: try (0..<codes.rowCount).map { try asset(codes.text($0, 0)) })
    }

    private func asset(_ code: String) throws -> Asset {
        guard let asset = assets[code] else {
            throw LedgerStoreError.inconsistent("the asset \(code) is not configured; name it in WALLET_ASSETS")
        }
        return asset
    }

    private func handOn(atLeast bytes: Int = portion) throws {
        if lines.waiting >= bytes { try sink(lines.take(), lines.tally) }
    }

    /// Goes over wallets, journal and refusals side by side: all three are in the order of the wallets' ids.
    private func writeWallets() throws {
        let entries = RowsByWallet { last, row in
            self.parameters.removeAll()
            self.parameters.append(uuid: try last?.uuid(row, 0) ?? 0)
            self.parameters.append(int8: try last?.int64(row, 1) ?? 0)
            self.parameters.append(int8: Int64(Self.piece))
            return try self.connection.query("export_entries", self.parameters)
        }
        let refusals = RowsByWallet { last, row in
            self.parameters.removeAll()
            self.parameters.append(uuid: try last?.uuid(row, 0) ?? 0)
            self.parameters.append(uuid: try last?.uuid(row, 1) ?? 0)
            self.parameters.append(int8: Int64(Self.piece))
            return try self.connection.query("export_refusals", self.parameters)
        }
        var last: RawUUID?
        while let start = RawUUID.following(last) {
            parameters.removeAll()
            parameters.append(uuid: start.bits)
            parameters.append(int8: Int64(Self.piece))
            let result = try connection.query("export_wallets", parameters)
            for row in 0..<result.rowCount {
                let wallet = BookWallet(
                    id: WalletID(RawUUID(bits: try result.uuid(row, 0))), ownerID: try result.optionalText(row, 1),
                    asset: try asset(result.text(row, 2)), version: try result.int64(row, 3),
                    chain: try result.fingerprint(row, 4))
                lines.wallet(wallet)
                try writeEntries(of: wallet, from: entries)
                try writeRefusals(of: wallet, from: refusals)
                try handOn()
                last = wallet.id.uuid
            }
            guard result.rowCount == Self.piece else { break }
        }
        for (rows, what) in [(entries, "entries"), (refusals, "refusals")] {
            if let stray = try rows.wallet() { throw Self.contradiction(stray, "has \(what) and no row of its own") }
        }
    }

    /// Holds the entries against their hashes and the end of the wallet's row: a book that no import would take is not
    /// written at all.
    private func writeEntries(of wallet: BookWallet, from rows: RowsByWallet) throws {
        var newest = JournalChain.start
        var version: Int64 = 0
        while let next = try rows.wallet(), next <= wallet.id {
            guard next == wallet.id else { throw Self.contradiction(next, "has entries and no row of its own") }
            let entry: Entry? = try rows.take { result, row in
                let stored = try result.fingerprint(row, Statements.entryColumnCount)
                guard let entry = try reading.entry(result, row, from: 0) else { return nil }
                newest = JournalChain.hash(of: entry, after: newest)
                guard stored == newest, entry.version == version + 1 else {
                    throw Self.contradiction(wallet.id, "breaks its chain of hashes at version \(entry.version)")
                }
                return entry
            }
            guard let entry else { break }
            version = entry.version
            lines.entry(entry, chain: newest, of: wallet.asset)
            try handOn()
        }
        guard version == wallet.version, newest == wallet.chain else {
            throw Self.contradiction(wallet.id, "is at version \(wallet.version), its journal at \(version)")
        }
    }

    private func writeRefusals(of wallet: BookWallet, from rows: RowsByWallet) throws {
        while let next = try rows.wallet(), next <= wallet.id {
            guard next == wallet.id else { throw Self.contradiction(next, "has refusals and no row of its own") }
            try rows.take { result, row in
                lines.refusal(
                    BookRefusal(
                        walletID: next,
                        key: IdempotencyKey(reference: try result.text(row, 7), digest: try result.uuid(row, 1)),
                        contentHash: try result.uuid(row, 2),
                        transferID: try result.optionalUUID(row, 3).map { TransferID(RawUUID(bits: $0)) },
                        occurredAt: Timestamp(microseconds: try result.timestamp(row, 4)),
                        code: try result.text(row, 5), detail: try result.text(row, 6)))
            }
            try handOn()
        }
    }

    private func writeBatches() throws {
        var last: UInt128 = 0
        while true {
            parameters.removeAll()
            parameters.append(uuid: last)
            parameters.append(int8: Int64(Self.piece))
            let result = try connection.query("export_batches", parameters)
            for row in 0..<result.rowCount {
                last = try result.uuid(row, 0)
                lines.batch(
                    BookBatch(
                        key: IdempotencyKey(reference: try result.text(row, 3), digest: last),
                        contentHash: try result.uuid(row, 1),
                        createdAt: Timestamp(microseconds: try result.timestamp(row, 2)),
                        outcome: try result.optionalText(row, 4)))
                try handOn()
            }
            if result.rowCount < Self.piece { return }
        }
    }

    private static func contradiction(_ wallet: WalletID, _ problem: String) -> BookFile.Flaw {
        BookFile.Flaw("the wallet \(wallet) \(problem): ask `wallet audit`")
    }
}

/// The rows of a table in the order of its key, which begins with the wallet's id; read piece by piece.
private final class RowsByWallet {
    private let next: (PostgresResult?, Int) throws -> PostgresResult
    private var result: PostgresResult?
    private var row = 0

    /// `next` reads the piece after a row of the piece before, or the first one.
    init(next: @escaping (PostgresResult?, Int) throws -> PostgresResult) { self.next = next }

    /// The wallet of the next row; nil when there is none.
    func wallet() throws -> WalletID? {
        if result.map({ row == $0.rowCount }) ?? true {
            if let result, result.isEmpty { return nil }
            result = try next(result, row - 1)
            row = 0
        }
        guard let result, !result.isEmpty else { return nil }
        return WalletID(RawUUID(bits: try result.uuid(row, 0)))
    }

    /// Goes on behind the row that `wallet()` told of.
    func take<Value>(_ body: (PostgresResult, Int) throws -> Value) throws -> Value {
        guard let result else { throw LedgerStoreError.inconsistent("there is no row to take") }
        defer { row += 1 }
        return try body(result, row)
    }
}
