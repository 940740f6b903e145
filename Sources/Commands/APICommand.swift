import API
import HTTPServer
import Ledger
import LedgerStore
import Observability
import Postgres
import Projections
import Runtime

/// `wallet api`: serves the HTTP contract. Needs PostgreSQL only.
enum APICommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(
            name: "api", summary: "Serve the HTTP API.",
            discussion: "Stops gracefully on SIGTERM: answers what is in flight, commits what is queued, exits 0.",
            options: [.configurationFile]),
        run: run)

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        let context = try ProcessContext("api", Settings.api, arguments)
        let configuration = context.configuration
        try await context.checkDatabases()
        let connections = configuration[Settings.readConnections]
        let ledgerPool = context.makePool(
            "ledger-reads", context.schemas[0],
            LedgerReader.statements.merging(OutboxAdministration.statements) { first, _ in first }, size: connections)
        let projectionPool = context.makePool(
            "projection-reads", context.schemas[1],
            ProjectionReader.statements.merging(RebuildJobs.statements) { first, _ in first }, size: connections)
        let writer = context.makeWriter()
        guard let defaultAsset = context.assets[configuration[Settings.defaultAsset]] else {
            throw UsageError("WALLET_DEFAULT_ASSET is unknown")
        }
        let readiness = [
            context.readiness("database", ledgerPool), context.readiness("projections", projectionPool),
            ReadinessCheck(name: "writer") { writer.unavailability },
            try context.schemaReadiness([ledgerPool, projectionPool]),
        ]
        let api = WalletAPI(
            service: context.makeService(writer, ledgerPool, projectionPool),
            configuration: APIConfiguration(
                assets: context.assets, defaultAsset: defaultAsset),
            readiness: readiness, metrics: context.metrics, logger: context.logger)
        let server = try context.makeServer(api)
        let operators = try context.makeOperatorServer(
            configuration[Settings.apiOperatorListen], readiness: readiness)
        context.logger.info("wallet api starts", ["version": .string(WalletProgram.version)])
        return await context.run([ledgerPool, projectionPool, writer, operators, server])
    }
}

extension ProcessContext {
    /// What the routes stand on.
    func makeService(
        _ writer: LedgerWriter, _ ledgerPool: PostgresPool, _ projectionPool: PostgresPool
    ) -> WalletService {
        let projected = ProjectionReader(pool: projectionPool, assets: assets)
        return WalletService(
            writer: writer, ledger: LedgerReader(pool: ledgerPool, assets: assets), projection: projected,
            operators: StoredOperatorWork(
                outbox: OutboxAdministration(pool: ledgerPool), projection: projected,
                rebuilder: Rebuilder(ledger: ledger, projection: projection, assets: assets),
                totals: TotalsRebuilder(ledger: ledger, projection: projection),
                jobs: RebuildJobs(pool: projectionPool)))
    }

    /// The public HTTP server.
    func makeServer(_ api: WalletAPI) throws -> HTTPServer {
        let listen = configuration[Settings.listen]
        var bounds = HTTPServerConfiguration(host: listen.host, port: listen.port)
        bounds.loops = configuration[Settings.httpLoops]
        bounds.maxConnections = configuration[Settings.httpMaxConnections]
        bounds.headerTimeout = configuration[Settings.httpHeaderTimeout]
        bounds.bodyTimeout = configuration[Settings.httpBodyTimeout]
        bounds.idleTimeout = configuration[Settings.httpIdleTimeout]
        bounds.drainDeadline = configuration[Settings.shutdownTimeout] / 2
        bounds.bodyLimit = { WalletAPI.bodyLimit($0, $1) }
        bounds.protocolError = { api.respond(to: $0) }
        return try HTTPServer(configuration: bounds, logger: logger, metrics: metrics) { request in
            await api.respond(to: request)
        }
    }

    /// The operators' HTTP server: metrics, health and readiness on a port of its own.
    func makeOperatorServer(_ listen: Endpoint, readiness: [ReadinessCheck]) throws -> HTTPServer {
        let operators = OperatorAPI(readiness: readiness, metrics: metrics, logger: logger)
        var bounds = HTTPServerConfiguration(host: listen.host, port: listen.port)
        bounds.maxConnections = 64
        bounds.drainDeadline = .seconds(1)
        // The public server's connections are what is counted; this one has few.
        return try HTTPServer(configuration: bounds, logger: logger, metrics: MetricsRegistry()) { request in
            await operators.respond(to: request)
        }
    }

    /// Whether a database answers.
    func readiness(_ name: String, _ pool: PostgresPool) -> ReadinessCheck {
        ReadinessCheck(name: name) {
            do {
                try await pool.withConnection(timeout: ReadinessCheck.limit) { try $0.execute("SELECT 1") }
                return nil
            } catch {
                return "\(error)"
            }
        }
    }

    /// Whether the schemas are those of this program. Throws `MigrationError` when the folder is not as it was shipped.
    func schemaReadiness(_ pools: [PostgresPool]) throws -> ReadinessCheck {
        let checks = try zip(schemas, pools).map { schema, pool in
            let newest = try MigrationFolder(path: schema.folder, schema: schema.name).migrations.last?.version ?? 0
            return (schema, pool, newest)
        }
        return ReadinessCheck(name: "schema") {
            await withTaskGroup(of: String?.self) { group in
                for (schema, pool, newest) in checks {
                    group.addTask { await schema.reasonNotToBeReady(pool, newest) }
                }
                return await group.reduce(nil) { $0 ?? $1 }
            }
        }
    }
}

extension Schema {
    /// Why the schema is not at the version `newest`, or nil when it is.
    fileprivate func reasonNotToBeReady(_ pool: PostgresPool, _ newest: Int64) async -> String? {
        do {
            let version = try await pool.withConnection(timeout: ReadinessCheck.limit) {
                try $0.query(versionStatement).int64(0, 0)
            }
            return version < newest ? "the schema \(name) is behind: run `wallet migrate up`" : nil
        } catch {
            return "\(error)"
        }
    }
}
