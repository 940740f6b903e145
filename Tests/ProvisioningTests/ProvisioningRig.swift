import Foundation
import JSON
import Ledger
import LedgerStore
import Messaging
import Observability
import Postgres
import Runtime
import Synchronization
import TestSupport

@testable import Provisioning

/// A ledger, a broker, and workers that give users their wallets.
final class ProvisioningRig: Sendable {
    static let stream = "USERS"
    static let subject = "users.user.created.v1"
    static let consumer = "wallet-provisioning"
    static let euro = asset("EUR", 2)
    static let points = asset("POINTS", 0)

    let database: TestDatabase
    let broker: NATSServer
    /// The workers' way to the database.
    let proxy: FaultProxy
    private let lines = Mutex<[String]>([])
    private let registries = Mutex<[MetricsRegistry]>([])
    private let running = Mutex<[(service: any Service, task: Task<Void, any Error>)]>([])
    private let client = Mutex<NATSConnection?>(nil)

    private init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        database = try TestDatabase(template: "provisioning") { configuration in
            let connection = PostgresConnection(configuration: configuration)
            try connection.connect()
            let folder = root.appending(path: "migrations/ledger").path(percentEncoded: false)
            for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            where file.hasSuffix(".sql") {
                try connection.execute(try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8))
            }
        }
        broker = try NATSServer()
        proxy = try FaultProxy(upstream: database.server.port)
    }

    private static func asset(_ code: String, _ scale: Int) -> Asset {
        guard let asset = Asset(code: code, scale: scale) else { preconditionFailure("\(code) is no asset") }
        return asset
    }

    /// Runs a test with a rig that is taken down behind it, whatever happens.
    static func run(_ body: @Sendable (ProvisioningRig) async throws -> Void) async throws {
        let rig = try await blocking { try ProvisioningRig() }
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
        _ = try? await blocking {
            self.broker.remove()
            self.database.drop()
        }
    }

    var log: String { lines.withLock { $0.joined() } }

    private var logger: Logger {
        Logger(
            level: .info, format: .json,
            sink: LogSink { [self] line in lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } })
    }

    @discardableResult
    private func start<Running: Service>(_ service: Running) -> Running {
        let task = Task { try await service.run() }
        running.withLock { $0.append((service, task)) }
        return service
    }

    func connect(_ registry: MetricsRegistry = MetricsRegistry()) async throws -> NATSConnection {
        var configuration = try broker.configuration(name: "provisioning")
        configuration.connectTimeout = .milliseconds(500)
        configuration.requestTimeout = .seconds(2)
        let connection = start(NATSConnection(configuration, logger: logger, metrics: registry))
        guard await connection.waitUntilConnected(within: .seconds(10)) else {
            throw Unusable(description: "no connection to the broker")
        }
        return connection
    }

    static var configuration: ProvisionerConfiguration {
        var configuration = ProvisionerConfiguration(stream: stream, subject: subject, consumer: consumer)
        configuration.redelivery = .milliseconds(20)
        configuration.redeliveryMax = .milliseconds(200)
        configuration.streamPauseMax = .milliseconds(200)
        configuration.pullExpires = .milliseconds(1500)
        configuration.pullHeartbeat = .milliseconds(500)
        return configuration
    }

    /// A worker with a write path and connections of its own.
    func startWorker(
        _ configuration: ProvisionerConfiguration = configuration, assets: [Asset] = [euro]
    ) async throws {
        let registry = MetricsRegistry()
        registries.withLock { $0.append(registry) }
        var postgres = try database.configuration(port: proxy.port)
        postgres.connectTimeout = .milliseconds(500)
        var bounds = LedgerWriterConfiguration()
        bounds.queueTimeout = .seconds(1)
        let writer = start(
            LedgerWriter(
                configuration: bounds, database: postgres, assets: AssetTable(configured: [Self.points]),
                logger: logger, metrics: registry))
        let pool = start(
            PostgresPool(
                name: "letters", configuration: postgres, size: 1, timeout: .seconds(1),
                statements: Provisioner.statements, logger: logger, metrics: registry))
        start(
            Provisioner(
                configuration: configuration, users: UserProvisioning(assets: assets, writer: writer), pool: pool,
                connection: try await connect(registry), logger: logger, metrics: registry))
    }

    func count(_ name: String) -> Int {
        registries.withLock { $0 }.map { $0.counter(name, "").current }.reduce(0, +)
    }

    // The user service's side.

    private func clientConnection() async throws -> NATSConnection {
        if let connection = client.withLock({ $0 }) { return connection }
        let connection = try await connect()
        client.withLock { $0 = connection }
        return connection
    }

    /// A worker whose database refuses the wallet of the user `poison`.
    func startRefusingPoison(refusalsMax: Int) async throws {
        try await makeStream()
        try execute("ALTER TABLE ledger.wallets ADD CONSTRAINT no_poison CHECK (owner_id <> 'poison')")
        var configuration = Self.configuration
        configuration.refusalsMax = refusalsMax
        try await startWorker(configuration)
    }

    /// Makes the stream as its owner does: wider than what is read here.
    func makeStream() async throws {
        let connection = try await clientConnection()
        try await blocking {
            let admin = JetStreamAdmin(connection: connection, logger: .silent)
            var stream = StreamConfiguration(name: Self.stream, subjects: ["users.>"])
            stream.maxBytes = 64 << 20
            _ = try admin.ensureStream(stream)
        }
    }

    func publish(_ texts: [String], to subject: String = subject) async throws {
        let connection = try await clientConnection()
        try await blocking {
            for text in texts {
                let answer = try JSONValue(parsing: try connection.request(Array(text.utf8), to: subject))
                guard answer["seq"] != nil else { throw Unusable(description: "published: \(answer)") }
            }
        }
    }

    /// Nothing is left to be delivered or answered.
    func expectAllAnswered() async throws {
        let connection = try await clientConnection()
        try await eventually("every message is answered") {
            try await blocking {
                let admin = JetStreamAdmin(connection: connection, logger: .silent)
                let info = try admin.consumerInfo(stream: Self.stream, consumer: Self.consumer)
                return info.map { $0.pending == 0 && $0.ackPending == 0 } ?? false
            }
        }
    }

    static func event(_ user: String, id: String = "e") -> String {
        #"{"specversion":"1.0","id":"\#(id)","source":"/users","type":"\#(subject)","data":{"id":"\#(user)"}}"#
    }

    // The ledger.

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

    func expect(_ count: Int, _ sql: String) async throws {
        try await eventually("\(sql) gives \(count)") { try self.number(sql) == count }
    }
}

struct Unusable: Error, CustomStringConvertible {
    let description: String
}
