import API
import HTTPServer
import LedgerStore
import Messaging
import Observability
import Outbox
import Postgres
import Projections
import Provisioning
import Runtime

/// `wallet worker`: relays the outbox, keeps the projections, audits, expires transfers, and gives new users their
/// wallets.
enum WorkerCommand {
    static let subcommand = Subcommand(
        specification: CommandSpecification(
            name: "worker",
            summary: "Publish events, keep the projections, audit, expire transfers, give users wallets.",
            discussion: "Any number of workers may run. Needs PostgreSQL and NATS with JetStream.",
            options: [.configurationFile]),
        run: run)

    private static func run(_ arguments: ParsedArguments) async throws -> Int32 {
        let context = try ProcessContext("worker", Settings.worker, arguments)
        try await context.checkDatabases()
        let configuration = context.configuration
        let urls = configuration[Settings.natsURL].map(\.text)
        var nats = try NATSConfiguration(urls: urls, name: "wallet-publish")
        nats.connectTimeout = configuration[Settings.connectTimeout]
        // One connection to publish and one to consume: a burst on one never delays the other.
        let publishing = NATSConnection(nats, logger: context.logger, metrics: context.metrics)
        let consuming = NATSConnection(nats.named("wallet-consume"), logger: context.logger, metrics: context.metrics)
        let pool = context.makePool(
            "outbox", context.schemas[0],
            OutboxRelay.statements.merging(Expirer.statements) { first, _ in first }
                .merging(Provisioner.statements) { first, _ in first },
            size: 3)
        let writer = context.makeWriter()
        let auditor = try Auditor(
            configuration: context.auditorConfiguration, ledger: context.ledger, projection: context.projection,
            assets: context.assets, logger: context.logger, metrics: context.metrics)
        let stream = context.streamConfiguration
        let relay = try OutboxRelay(
            configuration: context.relayConfiguration(stream), pool: pool, connection: publishing,
            logger: context.logger, metrics: context.metrics, onLoss: { auditor.requestFullSweep() })
        let totals = TotalsKeeper(
            configuration: context.totalsConfiguration, ledger: context.ledger, projection: context.projection,
            logger: context.logger, metrics: context.metrics)
        let projector = try Projector(
            configuration: context.projectorConfiguration(stream), database: context.projection,
            connection: consuming, logger: context.logger, metrics: context.metrics,
            onApplied: { totals.noticed($0) }, unpublishedSeconds: { relay.waitingSeconds })
        let rebuilds = RebuildWorker(
            configuration: context.rebuildConfiguration, ledger: context.ledger, projection: context.projection,
            assets: context.assets, logger: context.logger, metrics: context.metrics)
        let expirer = Expirer(
            pool: pool, writer: writer, poll: configuration[Settings.expiryPoll], logger: context.logger,
            metrics: context.metrics)
        let readiness = [
            context.readiness("database", pool),
            ReadinessCheck(name: "writer") { writer.unavailability },
            ReadinessCheck(name: "nats") { publishing.isConnected ? nil : "not connected" },
            ReadinessCheck(name: "stream") { relay.streamReason },
            ReadinessCheck(name: "projection") { projector.lagReason },
        ]
        let operators = try context.makeOperatorServer(
            configuration[Settings.workerOperatorListen], readiness: readiness)
        context.logger.info("wallet worker starts", ["version": .string(WalletProgram.version)])
        let provisioner = context.makeProvisioner(writer: writer, pool: pool, connection: consuming)
        let services: [(any Service)?] = [
            pool, writer, publishing, consuming, operators, auditor, totals, rebuilds, projector, relay, expirer,
            provisioner,
        ]
        return await context.run(services.compactMap { $0 })
    }
}

extension ProcessContext {
    fileprivate var streamConfiguration: StreamConfiguration {
        var stream = StreamConfiguration(name: configuration[Settings.stream], subjects: ["wallet.events.>"])
        stream.replicas = configuration[Settings.streamReplicas]
        stream.maxBytes = Int64(configuration[Settings.streamMaxBytes])
        stream.maxAge = configuration[Settings.streamMaxAge]
        stream.duplicateWindow = configuration[Settings.streamDuplicateWindow]
        return stream
    }

    fileprivate func relayConfiguration(_ stream: StreamConfiguration) -> OutboxRelayConfiguration {
        var relay = OutboxRelayConfiguration(
            stream: stream, consumer: ConsumerConfiguration(name: configuration[Settings.consumer]))
        relay.poll = configuration[Settings.outboxPoll]
        relay.lease = configuration[Settings.outboxLease]
        relay.retention = configuration[Settings.outboxRetention]
        return relay
    }

    fileprivate func projectorConfiguration(_ stream: StreamConfiguration) -> ProjectorConfiguration {
        var projector = ProjectorConfiguration(
            stream: stream, consumer: ConsumerConfiguration(name: configuration[Settings.consumer]))
        projector.batch = configuration[Settings.projectorBatch]
        projector.pace = configuration[Settings.projectorPace]
        return projector
    }

    /// Nil when the worker is not to give users their wallets.
    fileprivate func makeProvisioner(
        writer: LedgerWriter, pool: PostgresPool, connection: NATSConnection
    ) -> Provisioner? {
        guard configuration[Settings.userProvisioning] else { return nil }
        var provisioner = ProvisionerConfiguration(
            stream: configuration[Settings.userStream], subject: configuration[Settings.userSubject],
            consumer: configuration[Settings.userConsumer])
        provisioner.createsStream = configuration[Settings.userStreamCreate]
        provisioner.refusalsMax = configuration[Settings.userMaxDeliveries]
        return Provisioner(
            configuration: provisioner, users: UserProvisioning(assets: userAssets, writer: writer), pool: pool,
            connection: connection, logger: logger, metrics: metrics)
    }

    fileprivate var auditorConfiguration: AuditorConfiguration {
        var auditor = AuditorConfiguration()
        auditor.rate = configuration[Settings.auditRate]
        return auditor
    }

    fileprivate var rebuildConfiguration: RebuildConfiguration {
        var rebuilds = RebuildConfiguration()
        rebuilds.rate = configuration[Settings.rebuildRate]
        return rebuilds
    }

    fileprivate var totalsConfiguration: TotalsConfiguration {
        var totals = TotalsConfiguration()
        totals.pace = configuration[Settings.totalsPace]
        totals.sweepRate = configuration[Settings.totalsRate]
        return totals
    }
}
