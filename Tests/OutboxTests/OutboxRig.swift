import Events
import Foundation
import Ledger
import Messaging
import Observability
import Postgres
import Runtime
import Synchronization
import TestSupport

@testable import Outbox

/// A database with an outbox, a broker, and relays between them.
final class OutboxRig: Sendable {
    static let stream = "WALLET_EVENTS"

    let database: TestDatabase
    let broker: NATSServer
    let metrics = MetricsRegistry()
    let losses = Atomic<Int>(0)
    let logger: Logger
    private let lines = Lines()
    private let running = Mutex<[(service: any Service, task: Task<Void, any Error>)]>([])
    private let ids = UUIDv7Generator()

    private init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        database = try TestDatabase(template: "outbox") { configuration in
            let connection = PostgresConnection(configuration: configuration)
            try connection.connect()
            let folder = root.appending(path: "migrations/ledger").path(percentEncoded: false)
            for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            where file.hasSuffix(".sql") {
                try connection.execute(try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8))
            }
        }
        broker = try NATSServer()
        let lines = lines
        logger = Logger(level: .info, format: .json, sink: LogSink { lines.add(String(decoding: $0, as: UTF8.self)) })
    }

    var log: String { lines.text }

    /// Runs a test with a rig that is taken down behind it, whatever happens.
    static func run(_ body: @Sendable (OutboxRig) async throws -> Void) async throws {
        let rig = try await blocking { try OutboxRig() }
        do {
            try await body(rig)
        } catch {
            print(rig.log.suffix(6000))
            await rig.close()
            throw error
        }
        await rig.close()
    }

    private func close() async {
        for (service, task) in running.withLock({ Array($0.reversed()) }) {
            await service.stop()
            try? await task.value
        }
        broker.remove()
        database.drop()
    }

    private func start(_ service: any Service) {
        let task = Task { try await service.run() }
        running.withLock { $0.append((service, task)) }
    }

    func connect() async throws -> NATSConnection {
        var configuration = try broker.configuration(name: "test")
        configuration.pingInterval = .milliseconds(500)
        configuration.connectTimeout = .milliseconds(500)
        configuration.requestTimeout = .seconds(1)
        let connection = NATSConnection(configuration, logger: logger, metrics: metrics)
        start(connection)
        guard await connection.waitUntilConnected(within: .seconds(10)) else { throw NotThere(what: "the broker") }
        return connection
    }

    func pool() throws -> PostgresPool {
        let pool = PostgresPool(
            name: "outbox", configuration: try database.configuration(), size: 3, statements: OutboxRelay.statements,
            logger: logger, metrics: metrics)
        start(pool)
        return pool
    }

    func configuration(maxBytes: Int64 = 256 << 20) -> OutboxRelayConfiguration {
        var stream = StreamConfiguration(name: Self.stream, subjects: ["wallet.events.>"])
        stream.maxBytes = maxBytes
        var configuration = OutboxRelayConfiguration(
            stream: stream, consumer: ConsumerConfiguration(name: "wallet-projector"))
        configuration.watchInterval = .milliseconds(300)
        configuration.publishTimeout = .seconds(1)
        configuration.claim = 8
        return configuration
    }

    @discardableResult
    func startRelay(_ configuration: OutboxRelayConfiguration? = nil) async throws -> OutboxRelay {
        let relay = try OutboxRelay(
            configuration: configuration ?? self.configuration(), pool: try pool(), connection: try await connect(),
            logger: logger, metrics: metrics,
            onLoss: { [weak self] in self?.losses.add(1, ordering: .relaxed) })
        start(relay)
        return relay
    }

    func stop(_ service: any Service) async throws {
        let found = running.withLock { running in
            running.firstIndex { $0.service as AnyObject === service as AnyObject }.map { running.remove(at: $0) }
        }
        await service.stop()
        try await found?.task.value
    }

    // The outbox.

    /// Writes rows with `events` events each, each of a wallet of its own.
    func insert(rows: Int, events: Int = 10, padding: Int = 0) throws {
        let connection = try database.connect()
        defer { connection.close() }
        for _ in 0..<rows {
            var messages = EventMessages(partitions: 8, eventsPerMessage: 4)
            for _ in 0..<events { messages.append(event(padding)) }
            try insert(messages.takeFramed(), events: events, on: connection)
        }
    }

    func insert(_ framed: [UInt8], events: Int, on connection: PostgresConnection) throws {
        let parameters = PostgresParameters()
        parameters.append(uuid: ids.nextBits())
        parameters.append(int4: Int32(events))
        parameters.append(bytes: framed)
        _ = try connection.query(
            sql: """
                INSERT INTO ledger.outbox (id, created_at, next_attempt_at, event_count, messages)
                VALUES ($1, now(), now(), $2, $3)
                """, parameters)
    }

    private func event(_ padding: Int) -> WalletEvent {
        let asset = AssetTable()["EUR"] ?? Asset(code: "EUR", scale: 2).unsafelyUnwrapped
        let moment = Timestamp(microseconds: 1_800_000_000_000_000)
        let wallet = Wallet(
            id: WalletID(ids.next()), ownerID: String(repeating: "x", count: padding), asset: asset, balance: 1,
            pendingDebit: 0, pendingCredit: 0, overdraftLimit: 0, version: 1, status: .active, metadata: nil,
            createdAt: moment, updatedAt: moment)
        return WalletEvent(type: .walletCreated, wallet: wallet, transfer: nil, origin: .none)
    }

    func number(_ sql: String) throws -> Int {
        let connection = try database.connect()
        defer { connection.close() }
        return try connection.query(sql: sql).int(0, 0)
    }

    func execute(_ sql: String) throws {
        let connection = try database.connect()
        defer { connection.close() }
        try connection.execute(sql)
    }

    func waiting() throws -> Int { try number("SELECT count(*) FROM ledger.outbox WHERE published_at IS NULL") }

    func count(_ name: String) -> Int { metrics.counter(name, "").current }

    /// All events of the stream by wallet, with how often each came; read with a consumer of its own.
    func eventsInStream() async throws -> [WalletID: Int] {
        let connection = try await connect()
        let logger = logger
        return try await blocking {
            let admin = JetStreamAdmin(connection: connection, logger: logger)
            let name = "test-\(UInt64.random(in: 0...UInt64.max))"
            let info = try admin.ensureConsumer(ConsumerConfiguration(name: name), on: Self.stream)
            let reader = PullConsumer(
                connection: connection, configuration: .init(stream: Self.stream, consumer: name), logger: logger,
                metrics: MetricsRegistry())
            defer { reader.close() }
            var found: [WalletID: Int] = [:]
            var left = Int(info.pending)
            let deadline = ContinuousClock.now + .seconds(20)
            while left > 0, ContinuousClock.now < deadline {
                let messages = try reader.next(max: 500, waitUpTo: .seconds(1))
                for message in messages {
                    for case .event(let event) in EventReading.elements(of: message.payload) {
                        found[event.wallet.id, default: 0] += 1
                    }
                }
                left -= messages.count
            }
            return found
        }
    }
}

struct NotThere: Error { let what: String }

private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var text: String { lines.withLock { $0.joined() } }
}

/// Runs what blocks away from the pool that all tests share.
@discardableResult
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await runOnOwnThread("test") { try body() }
}
