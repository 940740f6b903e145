import Events
import Foundation
import Ledger
import LedgerStore
import Observability
import Postgres
import Runtime
import TestSupport

/// A migrated database with a running write path.
final class LedgerFixture: Sendable {
    let database: TestDatabase
    let writer: LedgerWriter
    let metrics = MetricsRegistry()
    private let running: Task<Void, any Error>
    private let ids = UUIDv7Generator()

    static let eur = AssetTable()["EUR"] ?? Asset(code: "EUR", scale: 2).unsafelyUnwrapped

    /// A database copied from a template that holds the ledger's schema.
    static func migrated(on server: PostgresServer? = nil) throws -> TestDatabase {
        try TestDatabase(template: "ledger", on: server) { configuration in
            let connection = PostgresConnection(configuration: configuration)
            try connection.connect()
            for file in try schemaFiles() { try connection.execute(try String(contentsOf: file, encoding: .utf8)) }
        }
    }

    private static func schemaFiles() throws -> [URL] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try FileManager.default.contentsOfDirectory(
            at: root.appending(path: "migrations/ledger"), includingPropertiesForKeys: nil
        ).filter { $0.pathExtension == "sql" }.sorted { $0.path() < $1.path() }
    }

    /// The text of a file in `specification`.
    static func specification(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "specification/\(name)"), encoding: .utf8)
    }

    /// Bounds for a machine that is busy with other tests: nothing here is about waiting.
    static var patientBounds: LedgerWriterConfiguration {
        var bounds = LedgerWriterConfiguration()
        bounds.queueTimeout = .seconds(60)
        return bounds
    }

    init(
        database: TestDatabase? = nil, port: UInt16? = nil, bounds: LedgerWriterConfiguration = patientBounds,
        clock: Clock = .system, lockTimeout: Duration = .seconds(30)
    ) throws {
        let database = try database ?? Self.migrated()
        self.database = database
        var configuration = try database.configuration(port: port)
        configuration.lockTimeout = lockTimeout
        configuration.statementTimeout = .seconds(30)
        let writer = LedgerWriter(
            configuration: bounds, database: configuration, assets: AssetTable(), clock: clock, logger: .silent,
            metrics: metrics)
        self.writer = writer
        running = Task { try await writer.run() }
    }

    func stop() async throws {
        await writer.stop()
        try await running.value
    }

    func newWalletID() -> WalletID { WalletID(ids.next()) }
    func newTransferID() -> TransferID { TransferID(ids.next()) }

    func submit(_ operation: Ledger.Operation) async throws -> Decision.Verdict {
        try await writer.submit(operation, origin: .none)
    }

    func submitAtomically(
        _ operations: [Ledger.Operation], key: String? = nil, hash: UInt128 = 1
    ) async throws -> AtomicVerdict {
        try await writer.submitAtomically(
            operations, batch: key.map { BatchIdentity(key: IdempotencyKey($0), contentHash: hash) }, origin: .none)
    }

    /// A wallet with a balance in minor units of EUR.
    func open(_ balance: Int = 0, id: WalletID? = nil, key: IdempotencyKey? = nil) async throws -> Wallet {
        let wallet = id ?? newWalletID()
        let verdict = try await submit(.open(wallet, balance: balance, key: key))
        guard case .applied(let receipt) = verdict else { throw Unexpected(verdict) }
        return receipt.wallet
    }

    /// The whole wallet as stored, from the tables.
    func stored(_ id: WalletID) throws -> StoredWallet {
        let connection = try database.connect()
        defer { connection.close() }
        guard let wallet = try JournalReader(connection: connection, assets: AssetTable()).wallet(id) else {
            throw Missing(id: id)
        }
        return wallet
    }

    /// The wallet's journal, walked over; the number of rows.
    func audit(_ id: WalletID) throws -> (rows: Int, problems: [String]) {
        let connection = try database.connect()
        defer { connection.close() }
        let reader = try JournalReader(connection: connection, assets: AssetTable())
        guard let stored = try reader.wallet(id) else { throw Missing(id: id) }
        var walk = JournalWalk(walletID: id)
        var problems: [String] = []
        let records = try reader.records(of: stored.wallet, after: 0, limit: 1_000_000)
        for record in records { problems += walk.step(record.entry, creation: record.creation).map(\.description) }
        if walk.balance != stored.wallet.balance { problems.append("balance differs from the journal") }
        if walk.version != stored.wallet.version { problems.append("version differs from the journal") }
        let open = try reader.transfers(of: id, after: nil, limit: 1_000_000).filter { $0.resolvedVersion == nil }
        func sum(_ direction: Direction) -> Int128 {
            open.filter { $0.direction == direction.rawValue }.reduce(0) { $0 + $1.amount }
        }
        if sum(.debit) != walk.pendingDebit { problems.append("open debits differ") }
        if sum(.credit) != walk.pendingCredit { problems.append("open credits differ") }
        return (records.count, problems)
    }

    /// One number from the database.
    func number(_ sql: String) throws -> Int {
        let connection = try database.connect()
        defer { connection.close() }
        try connection.prepare("number", sql)
        return try connection.query("number").int(0, 0)
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ verdict: Decision.Verdict) { description = "unexpected verdict \(verdict)" }
}

struct Missing: Error {
    let id: WalletID
}

extension IdempotencyKey {
    /// A key whose digest is a hash of the text; good enough for tests.
    init(_ text: String) {
        var digest: UInt128 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { digest = (digest ^ UInt128(byte)) &* 0x0100_0000_01B3_0000_0000_0001_0000_01B3 }
        self.init(reference: text, digest: digest)
    }
}

extension DecimalAmount {
    /// Minor units of an asset with two decimals.
    init(cents: Int) {
        let text = "\(cents / 100).\(cents % 100 / 10)\(cents % 10)"
        do { try self.init(text: Array(text.utf8)) } catch { preconditionFailure("\(text): \(error)") }
    }
}

extension Ledger.Operation {
    static func open(
        _ wallet: WalletID, balance: Int = 0, key: IdempotencyKey? = nil, hash: UInt128 = 1, hasClientID: Bool = true
    ) -> Ledger.Operation {
        Ledger.Operation(
            walletID: wallet,
            command: .open(
                Opening(
                    ownerID: nil, asset: LedgerFixture.eur, initialBalance: DecimalAmount(cents: balance),
                    metadata: nil, hasClientID: hasClientID)),
            key: key, contentHash: hash, expectedVersion: nil)
    }

    static func transfer(
        _ wallet: WalletID, _ direction: Direction, _ cents: Int, id: TransferID, hasClientID: Bool = true,
        atOnce: Bool = false, expiry: TransferOrder.Expiry = .never, key: IdempotencyKey? = nil, hash: UInt128 = 1,
        expectedVersion: Int64? = nil
    ) -> Ledger.Operation {
        Ledger.Operation(
            walletID: wallet,
            command: .transfer(
                TransferOrder(
                    id: id, hasClientID: hasClientID, direction: direction, amount: DecimalAmount(cents: cents),
                    settlesAtOnce: atOnce, expiry: expiry, description: nil, metadata: nil)),
            key: key, contentHash: hash, expectedVersion: expectedVersion)
    }

    static func complete(
        _ wallet: WalletID, _ id: TransferID, cents: Int? = nil, key: IdempotencyKey? = nil, hash: UInt128 = 2
    ) -> Ledger.Operation {
        Ledger.Operation(
            walletID: wallet, command: .complete(id, amount: cents.map(DecimalAmount.init(cents:))), key: key,
            contentHash: hash, expectedVersion: nil)
    }

    static func revert(
        _ wallet: WalletID, _ id: TransferID, key: IdempotencyKey? = nil, hash: UInt128 = 3
    ) -> Ledger.Operation {
        Ledger.Operation(
            walletID: wallet, command: .revert(id, note: nil), key: key, contentHash: hash, expectedVersion: nil)
    }
}
