import Events
import Foundation
import Ledger
import LedgerStore
import Messaging
import Observability
import Outbox
import Postgres
import Projections
import Runtime
import Synchronization
import TestSupport

/// The whole way of an event on real servers: write path, outbox, JetStream, projections.
final class EventPath: Sendable {
    static let stream = "WALLET_EVENTS"
    static let eur = AssetTable()["EUR"] ?? Asset(code: "EUR", scale: 2).unsafelyUnwrapped

    let database: TestDatabase
    let projectionDatabase: TestDatabase
    let metrics = MetricsRegistry()
    let log = LineCollector()
    let logger: Logger
    let losses = Counting()
    let writer: LedgerWriter
    private let brokers = Mutex<NATSServer?>(nil)
    private let running = Mutex<[(service: any Service, task: Task<Void, any Error>)]>([])
    private let ids = UUIDv7Generator()

    /// With `projectionServer` the projections live in another server than the ledger.
    init(projectionServer: PostgresServer? = nil) throws {
        logger = Logger(level: .info, format: .json, sink: log.sink)
        database = try Self.migrated("both", ["ledger", "projection"])
        projectionDatabase =
            try projectionServer.map { try Self.migrated("projection", ["projection"], on: $0) } ?? database
        var bounds = LedgerWriterConfiguration()
        bounds.eventsPerMessage = 20
        writer = LedgerWriter(
            configuration: bounds, database: try database.configuration(), assets: AssetTable(), logger: logger,
            metrics: metrics)
        start(writer)
    }

    /// A database copied from a template that holds these schemas.
    private static func migrated(
        _ template: String, _ schemas: [String], on server: PostgresServer? = nil
    ) throws -> TestDatabase {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try TestDatabase(template: template, on: server) { configuration in
            let connection = PostgresConnection(configuration: configuration)
            try connection.connect()
            for schema in schemas {
                let folder = root.appending(path: "migrations/\(schema)").path(percentEncoded: false)
                for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
                where file.hasSuffix(".sql") {
                    try connection.execute(try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8))
                }
            }
        }
    }

    /// Runs a test with a path that is taken down behind it, whatever happens.
    static func run(
        projectionServer: PostgresServer? = nil, _ body: @Sendable (EventPath) async throws -> Void
    ) async throws {
        let path = try await blocking { try EventPath(projectionServer: projectionServer) }
        do {
            try await body(path)
        } catch {
            print(path.log.text.suffix(6000))
            await path.close()
            throw error
        }
        await path.close()
    }

    func close() async {
        for (service, task) in running.withLock({ Array($0.reversed()) }) {
            await service.stop()
            try? await task.value
        }
        // Dropping a database takes its time, and the pool of threads is shared with all tests.
        _ = try? await blocking {
            self.brokers.withLock { $0 }?.remove()
            self.database.drop()
            if self.projectionDatabase !== self.database { self.projectionDatabase.drop() }
        }
    }

    @discardableResult
    func start<Running: Service>(_ service: Running) -> Running {
        let task = Task { try await service.run() }
        running.withLock { $0.append((service, task)) }
        return service
    }

    func stop(_ service: any Service) async throws {
        let found = running.withLock { running in
            let index = running.firstIndex { $0.service as AnyObject === service as AnyObject }
            return index.map { running.remove(at: $0) }
        }
        await service.stop()
        try await found?.task.value
    }

    /// The broker; started when it is asked for first.
    func broker() async throws -> NATSServer {
        if let server = brokers.withLock({ $0 }) { return server }
        let server = try await blocking { try NATSServer() }
        brokers.withLock { $0 = server }
        return server
    }

    func connect(_ name: String) async throws -> NATSConnection {
        var configuration = try await broker().configuration(name: name)
        configuration.pingInterval = .milliseconds(500)
        configuration.connectTimeout = .milliseconds(500)
        configuration.requestTimeout = .seconds(1)
        let connection = NATSConnection(configuration, logger: logger, metrics: metrics)
        start(connection)
        guard await connection.waitUntilConnected(within: .seconds(10)) else { throw NeverConnected() }
        return connection
    }

    func streamConfiguration() -> StreamConfiguration {
        var stream = StreamConfiguration(name: Self.stream, subjects: ["wallet.events.>"])
        stream.maxBytes = 256 << 20
        return stream
    }

    static var consumerConfiguration: ConsumerConfiguration {
        var consumer = ConsumerConfiguration(name: "wallet-projector")
        consumer.ackWait = .seconds(5)
        return consumer
    }

    func startRelay() async throws -> OutboxRelay {
        let pool = PostgresPool(
            name: "outbox", configuration: try database.configuration(), size: 3, statements: OutboxRelay.statements,
            logger: logger, metrics: metrics)
        start(pool)
        var configuration = OutboxRelayConfiguration(
            stream: streamConfiguration(), consumer: Self.consumerConfiguration)
        configuration.watchInterval = .milliseconds(300)
        configuration.publishTimeout = .seconds(1)
        let losses = losses
        return start(
            try OutboxRelay(
                configuration: configuration, pool: pool, connection: try await connect("publish"), logger: logger,
                metrics: metrics, onLoss: { losses.add() }))
    }

    func startProjector(
        eventsPerTransaction: Int = 500, consumerPatience: Duration = .seconds(60),
        lagLimit: Duration = .seconds(30), onApplied: @escaping @Sendable ([WalletEvent]) -> Void = { _ in },
        unpublishedSeconds: @escaping @Sendable () -> Double = { 0 }
    ) async throws -> Projector {
        var configuration = ProjectorConfiguration(
            stream: streamConfiguration(), consumer: Self.consumerConfiguration)
        configuration.eventsPerTransaction = eventsPerTransaction
        configuration.consumerPatience = consumerPatience
        configuration.lagInterval = .milliseconds(100)
        configuration.lagLimit = lagLimit
        configuration.pullExpires = .milliseconds(1500)
        configuration.pullHeartbeat = .milliseconds(500)
        return start(
            try Projector(
                configuration: configuration, database: try projectionDatabase.configuration(),
                connection: try await connect("consume"), logger: logger, metrics: metrics,
                onApplied: onApplied, unpublishedSeconds: unpublishedSeconds))
    }

    func count(_ name: String, _ labels: MetricsRegistry.Labels = [:]) -> Int {
        metrics.counter(name, "", labels: labels).current
    }

    // The books.

    /// A complete audit in which nothing may be on its way any more.
    func audit(totals: Bool = false) async throws -> AuditReport {
        try await CompleteAudit(
            ledger: try database.configuration(), projection: try projectionDatabase.configuration(),
            assets: AssetTable(), grace: .zero, totals: totals
        ).auditAll { _ in true }
    }

    /// Waits until the projections have everything and the books agree.
    func expectBooksToAgree(within limit: Duration = .seconds(60)) async throws {
        var last = AuditReport()
        do {
            try await eventually(within: limit, "the books agree") {
                last = try await self.audit()
                return last.isClean && last.wallets > 0
            }
        } catch {
            let waiting = try number("SELECT count(*) FROM ledger.outbox WHERE published_at IS NULL")
            throw Disagreement(
                description: "\(error), \(waiting) outbox rows wait: \(last.drifts.prefix(5)) of \(last.driftCount)")
        }
    }

    /// All rows of the projections as text, without what only audits change.
    func projectedRows() throws -> [String] {
        let connection = try projectionDatabase.connect()
        defer { connection.close() }
        return try [
            "SELECT (to_jsonb(w) - 'audited_version')::text FROM projection.wallets w ORDER BY id",
            "SELECT to_jsonb(t)::text FROM projection.transfers t ORDER BY wallet_id, transfer_id",
        ].flatMap { sql in
            let result = try connection.query(sql: sql)
            return try (0..<result.rowCount).map { try result.text($0, 0) }
        }
    }

    func execute(_ sql: String) throws {
        let connection = try database.connect()
        defer { connection.close() }
        try connection.execute(sql)
    }

    func executeOnProjections(_ sql: String) throws {
        let connection = try projectionDatabase.connect()
        defer { connection.close() }
        try connection.execute(sql)
    }

    func number(_ sql: String) throws -> Int {
        let connection = try database.connect()
        defer { connection.close() }
        return try connection.query(sql: sql).int(0, 0)
    }

    func projectedNumber(_ sql: String) throws -> Int {
        let connection = try projectionDatabase.connect()
        defer { connection.close() }
        return try connection.query(sql: sql).int(0, 0)
    }
}

extension EventPath {
    func open(_ cents: Int) async throws -> WalletID {
        let id = WalletID(ids.next())
        let opening = Opening(
            ownerID: "owner", asset: Self.eur, initialBalance: amount(cents), metadata: #"{"a":1}"#, hasClientID: true)
        try await submit(
            Ledger.Operation(
                walletID: id, command: .open(opening), key: nil, contentHash: 1, expectedVersion: nil))
        return id
    }

    @discardableResult
    func transfer(_ wallet: WalletID, _ direction: Direction, _ cents: Int, atOnce: Bool = false) async throws
        -> TransferID
    {
        try await transfer(wallet, direction, amount(cents), atOnce: atOnce)
    }

    @discardableResult
    func transfer(
        _ wallet: WalletID, _ direction: Direction, _ amount: DecimalAmount, atOnce: Bool
    ) async throws -> TransferID {
        let id = TransferID(ids.next())
        let order = TransferOrder(
            id: id, hasClientID: true, direction: direction, amount: amount, settlesAtOnce: atOnce,
            expiry: .never, description: "lunch", metadata: nil)
        try await submit(
            Ledger.Operation(
                walletID: wallet, command: .transfer(order), key: nil, contentHash: 1, expectedVersion: nil))
        return id
    }

    func complete(_ wallet: WalletID, _ transfer: TransferID) async throws {
        try await submit(
            Ledger.Operation(
                walletID: wallet, command: .complete(transfer, amount: nil), key: nil, contentHash: 2,
                expectedVersion: nil))
    }

    func revert(_ wallet: WalletID, _ transfer: TransferID) async throws {
        try await submit(
            Ledger.Operation(
                walletID: wallet, command: .revert(transfer, note: "no"), key: nil, contentHash: 3,
                expectedVersion: nil))
    }

    /// Moves money from one wallet to another.
    func send(_ from: WalletID, to: WalletID, _ cents: Int) async throws {
        let order = TransferOrder(
            id: TransferID(ids.next()), hasClientID: true, direction: .credit, amount: amount(cents),
            settlesAtOnce: true, expiry: .never, description: "rent", metadata: nil, counterparty: to)
        try await submit(
            Ledger.Operation(walletID: from, command: .transfer(order), key: nil, contentHash: 1, expectedVersion: nil))
    }

    /// Gives back a part of a completed transfer.
    func reverse(_ wallet: WalletID, _ original: TransferID, _ cents: Int) async throws {
        let order = ReversalOrder(
            original: original, id: TransferID(ids.next()), hasClientID: true, amount: amount(cents),
            description: nil, metadata: nil, note: "sorry")
        try await submit(
            Ledger.Operation(walletID: wallet, command: .reverse(order), key: nil, contentHash: 1, expectedVersion: nil)
        )
    }

    /// The wallet as the ledger has it.
    func stored(_ id: WalletID) throws -> Wallet {
        let connection = try database.connect()
        defer { connection.close() }
        guard let stored = try JournalReader(connection: connection, assets: AssetTable()).wallet(id) else {
            throw Disagreement(description: "there is no wallet \(id)")
        }
        return stored.wallet
    }

    func submit(_ operation: Ledger.Operation) async throws {
        let verdict = try await writer.submit(operation, origin: .none)
        guard case .applied = verdict else { throw Disagreement(description: "\(verdict)") }
    }

    func amount(_ cents: Int) -> DecimalAmount {
        let text = "\(cents / 100).\(cents % 100 / 10)\(cents % 10)"
        do { return try DecimalAmount(text: Array(text.utf8)) } catch { preconditionFailure("\(text): \(error)") }
    }

    /// Transfers on all wallets at once, `rounds` on each: created, and completed or reverted or left pending.
    func traffic(_ wallets: [WalletID], rounds: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for wallet in wallets {
                group.addTask {
                    for round in 0..<rounds {
                        let direction: Direction = round % 2 == 0 ? .debit : .credit
                        if round % 4 == 3 {
                            try await self.transfer(wallet, direction, round + 1, atOnce: true)
                            continue
                        }
                        let id = try await self.transfer(wallet, direction, round + 1)
                        if round % 4 == 0 { try await self.complete(wallet, id) }
                        if round % 4 == 1 { try await self.revert(wallet, id) }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    func openMany(_ count: Int) async throws -> [WalletID] {
        try await withThrowingTaskGroup(of: WalletID.self) { group in
            for number in 0..<count { group.addTask { try await self.open(100_000 + number) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}

struct NeverConnected: Error {}

struct Disagreement: Error, CustomStringConvertible {
    let description: String
}

final class Counting: Sendable {
    private let value = Atomic<Int>(0)
    var current: Int { value.load(ordering: .relaxed) }
    func add() { value.add(1, ordering: .relaxed) }
}

/// Keeps log lines, to look for what must or must not be in them.
final class LineCollector: Sendable {
    private let lines = Mutex<[String]>([])
    var sink: LogSink { LogSink { [self] line in lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } } }
    var text: String { lines.withLock { $0.joined() } }
}

/// Runs what blocks away from the pool that all tests share.
@discardableResult
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await runOnOwnThread("test") { try body() }
}
