import Ledger
import LedgerStore
import Observability
import Postgres
import Projections
import Runtime

/// What every process of the program is made of: its configuration, log, metrics and databases.
struct ProcessContext: Sendable {
    let configuration: Configuration
    let logger: Logger
    let metrics: MetricsRegistry
    let assets: AssetTable
    let ledger: PostgresConfiguration
    let projection: PostgresConfiguration

    /// Reads the configuration of the process called `role`. Throws what is wrong with it.
    init(_ role: String, _ keys: [any AnyConfigurationKey], _ arguments: ParsedArguments) throws {
        configuration = try Configuration.load(keys, arguments)
        logger = Logger(
            level: configuration[Settings.logLevel], format: configuration[Settings.logFormat],
            fields: ["service": .string("wallet-\(role)")])
        metrics = MetricsRegistry()
        metrics.addProcessMetrics(version: WalletProgram.version)
        assets = Settings.assetTable(configuration)
        let url = configuration[Settings.databaseURL]
        ledger = try Self.database(url, configuration, role)
        projection = try Self.database(
            configuration[Settings.projectionDatabaseURL] ?? url, configuration, role)
    }

    private static func database(
        _ url: ConnectionURL, _ configuration: Configuration, _ role: String
    ) throws -> PostgresConfiguration {
        var database = try PostgresConfiguration(url: url.text, applicationName: "wallet-\(role)")
        database.connectTimeout = configuration[Settings.connectTimeout]
        database.statementTimeout = configuration[Settings.statementTimeout]
        database.lockTimeout = configuration[Settings.lockTimeout]
        database.answerTimeout = configuration[Settings.statementTimeout] + .seconds(1)
        return database
    }

    /// The migrations of each database with the folder they are in.
    var schemas: [Schema] {
        let folder = configuration[Settings.migrations]
        return [
            Schema(name: "ledger", folder: "\(folder)/ledger", database: ledger),
            Schema(name: "projection", folder: "\(folder)/projection", database: projection),
        ]
    }

    /// A pool of connections to the database of `schema` that know `statements` and those of the schema.
    func makePool(_ name: String, _ schema: Schema, _ statements: [String: String], size: Int) -> PostgresPool {
        PostgresPool(
            name: name, configuration: schema.database.keepingToIndexes, size: size,
            timeout: configuration[Settings.statementTimeout] + .seconds(1),
            statements: statements.merging(schema.statements) { first, _ in first }, logger: logger, metrics: metrics)
    }

    /// Refuses to go on with a schema that is behind or an asset whose scale changed.
    /// Throws `MigrationError`, `AssetRegistry.Conflict` or `PostgresError`.
    func checkDatabases() async throws {
        let schemas = schemas
        let ledger = ledger
        let assets = assets
        try await runOnOwnThread("startup") {
            for schema in schemas { try schema.migrator().pendingCheck() }
            let connection = PostgresConnection(configuration: ledger)
            try connection.connect()
            defer { connection.close() }
            try AssetRegistry.reconcile(assets, on: connection)
        }
    }

    /// What new users get wallets of, out of a checked configuration that has read `Settings.userWallets`.
    var userAssets: [Asset] {
        let codes = configuration[Settings.userAssets]
        return (codes.isEmpty ? [configuration[Settings.defaultAsset]] : codes).compactMap { assets[$0] }
    }

    /// The write path, as api and worker run it.
    func makeWriter() -> LedgerWriter {
        var bounds = LedgerWriterConfiguration()
        bounds.lanes = configuration[Settings.lanes]
        bounds.batchMax = configuration[Settings.batchMax]
        bounds.queueCapacity = configuration[Settings.queueMax]
        bounds.memory = configuration[Settings.laneMemory]
        bounds.queueTimeout = configuration[Settings.requestTimeout] / 2
        bounds.linger = .microseconds(configuration[Settings.batchLinger])
        bounds.lingerEnough = max(1, min(64, configuration[Settings.batchMax] / 8))
        bounds.eventPartitions = configuration[Settings.eventPartitions]
        bounds.eventsPerMessage = configuration[Settings.eventsPerMessage]
        bounds.tellsBalances = configuration[Settings.balanceEvents]
        return LedgerWriter(
            configuration: bounds, database: ledger, assets: assets, logger: logger, metrics: metrics)
    }

    /// Runs `services` until a signal or a failure stops them. Returns the exit code.
    func run(_ services: [any Service]) async -> Int32 {
        let logger = logger
        let group = ServiceGroup(
            services: services, shutdownTimeout: configuration[Settings.shutdownTimeout],
            report: { logger.record($0) })
        let outcome = await group.run()
        logger.info("stopped", ["exit_code": .int(Int(outcome.exitCode))])
        return outcome.exitCode
    }
}

extension Logger {
    /// Writes what happens to the services of the process.
    fileprivate func record(_ event: ServiceGroup.Event) {
        switch event {
        case .started(let service): debug("service started", ["name": .string(service)])
        case .stopped(let service): debug("service stopped", ["name": .string(service)])
        case .stopping(let cause): info("stopping", ["cause": .describing(cause)])
        case .failed(let service, let failure):
            error("service failed", ["name": .string(service), "error": .describing(failure)])
        case .abandoned(let services):
            error("abandoned at the deadline", ["services": .string(services.joined(separator: ", "))])
        case .aborted(let signal): error("aborted by a second signal", ["signal": .int(Int(signal))])
        }
    }
}
