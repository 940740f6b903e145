import Events
import Foundation
import HTTPServer
import JSON
import Ledger
import LedgerStore
import Observability
import Postgres
import Projections
import Runtime
import TestSupport

@testable import API

/// The routes on a real database with a running write path. The projection is filled by `project()` only.
final class Installation: Sendable {
    let database: TestDatabase
    let api: WalletAPI
    let metrics = MetricsRegistry()
    private let writer: LedgerWriter
    private let services: [any Service]
    private let running: Task<Void, any Error>

    init(patience: Duration = .milliseconds(20)) throws {
        let database = try Self.migrated()
        self.database = database
        let configuration = try database.configuration()
        let assets = AssetTable()
        let writer = LedgerWriter(
            configuration: LedgerWriterConfiguration(), database: configuration, assets: assets, logger: .silent,
            metrics: metrics)
        let ledger = PostgresPool(
            name: "ledger", configuration: configuration, size: 2,
            statements: LedgerReader.statements.merging(OutboxAdministration.statements) { first, _ in first })
        let projection = PostgresPool(
            name: "projection", configuration: configuration, size: 2,
            statements: ProjectionReader.statements.merging(RebuildJobs.statements) { first, _ in first })
        let services: [any Service] = [ledger, projection, writer]
        self.services = services
        self.writer = writer
        running = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for service in services { group.addTask { try await service.run() } }
                try await group.waitForAll()
            }
        }
        api = WalletAPI(
            service: WalletService(
                writer: writer, ledger: LedgerReader(pool: ledger, assets: assets),
                projection: ProjectionReader(pool: projection, assets: assets),
                operators: StoredOperatorWork(
                    outbox: OutboxAdministration(pool: ledger),
                    projection: ProjectionReader(pool: projection, assets: assets),
                    rebuilder: Rebuilder(ledger: configuration, projection: configuration, assets: assets),
                    totals: TotalsRebuilder(ledger: configuration, projection: configuration),
                    jobs: RebuildJobs(pool: projection))),
            configuration: APIConfiguration(
                assets: assets, defaultAsset: try asset(), projectionPatience: patience),
            readiness: [], metrics: metrics, logger: .silent)
    }

    /// Lends an installation and takes it down afterwards.
    static func run(_ body: (Installation) async throws -> Void) async throws {
        let installation = try Installation()
        do {
            // Many installations start at once: operations do not wait in the queue for the first connection.
            try await eventually("the writer is connected") { installation.writer.unavailability == nil }
            try await body(installation)
        } catch {
            try? await installation.stop()
            throw error
        }
        try await installation.stop()
    }

    func stop() async throws {
        for service in services.reversed() { await service.stop() }
        try await running.value
        database.drop()
    }

    private static func migrated() throws -> TestDatabase {
        try TestDatabase(template: "api") { configuration in
            let connection = PostgresConnection(configuration: configuration)
            try connection.connect()
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            for folder in ["migrations/ledger", "migrations/projection"] {
                let path = root.appending(path: folder).path(percentEncoded: false)
                for file in try FileManager.default.contentsOfDirectory(atPath: path).sorted()
                where file.hasSuffix(".sql") {
                    try connection.execute(try String(contentsOfFile: "\(path)/\(file)", encoding: .utf8))
                }
            }
        }
    }

    /// Brings the projection of a wallet up to date.
    func project(_ wallet: WalletID) throws {
        let connection = try database.connect()
        defer { connection.close() }
        let journal = try JournalReader(connection: connection, assets: AssetTable())
        guard let stored = try journal.wallet(wallet) else { throw MissingFixture() }
        let records = try journal.records(of: stored.wallet, after: 0, limit: 10_000)
        try ProjectionWriter(connection: connection).apply(records.map(\.event))
    }

    func execute(_ sql: String) throws {
        let connection = try database.connect()
        defer { connection.close() }
        try connection.execute(sql)
    }

    /// Sends a request; a body brings its content type.
    func send(
        _ method: String, _ target: String, _ body: String = "", headers: [(name: String, value: String)] = []
    ) async -> Reply {
        let type: [(name: String, value: String)] = body.isEmpty ? [] : [("Content-Type", "application/json")]
        return Reply(await api.respond(to: request(method, target, headers + type, body)))
    }

    /// Creates a wallet and returns its path.
    func open(_ balance: String = "0") async throws -> (path: String, id: WalletID) {
        let reply = await send("POST", "/v1/wallet", #"{"initial_balance":"\#(balance)"}"#)
        guard reply.status == 201, let text = try reply.json["id"]?.string, let id = WalletID(text: text) else {
            throw MissingFixture()
        }
        return ("/v1/wallet/\(text)", id)
    }

    /// Creates a transfer and returns its path.
    func transfer(_ wallet: String, _ direction: String, _ body: String) async throws -> String {
        let reply = await send("POST", "\(wallet)/transfers/\(direction)", body)
        guard reply.status == 201, let path = reply["location"] else { throw MissingFixture() }
        return path
    }
}
