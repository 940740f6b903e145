import Ledger
import Messaging
import Observability
import Postgres
public import Runtime

/// Every variable of the program, declared once. Each process reads those it uses and allows the others.
public enum Settings {
    static let databaseURL = ConfigurationKey<ConnectionURL>.url(
        "DATABASE_URL", schemes: ["postgresql", "postgres"], "The ledger's database."
    ) { PostgresConfiguration.flaw(ofURL: $0.text) }
    static let projectionDatabaseURL = ConfigurationKey<ConnectionURL>.url(
        "PROJECTION_DATABASE_URL", schemes: ["postgresql", "postgres"], "The database of the projections.",
        flaw: { PostgresConfiguration.flaw(ofURL: $0.text) }
    ).optional(default: "the value of DATABASE_URL")
    static let natsURL = ConfigurationKey<[ConnectionURL]>.list(
        of: .url("NATS_URL", schemes: ["nats", "tls"], "The NATS servers with JetStream; the worker needs them.") {
            NATSConfiguration.flaw(ofURL: $0.text)
        })

    static let listen = ConfigurationKey<Endpoint>.endpoint(
        "WALLET_LISTEN", default: "127.0.0.1:8089", "Where the API listens.")
    static let apiOperatorListen = operatorListen(default: "127.0.0.1:9089")
    static let workerOperatorListen = operatorListen(default: "127.0.0.1:9090")
    static let migrations = ConfigurationKey<String>.path(
        "WALLET_MIGRATIONS", default: "migrations", "The folder with the migrations.")

    static let defaultAsset = ConfigurationKey<String>.string(
        "WALLET_DEFAULT_ASSET", form: "an asset code", default: "EUR", "The asset of wallets created without one."
    ) { Asset(code: $0, scale: 0) != nil }
    static let assets = ConfigurationKey<[String]>.list(
        of: .string("WALLET_ASSETS", form: "CODE:SCALE", "Assets besides ISO 4217, such as POINTS:0,ETH:18.") {
            Settings.asset($0) != nil
        }, allowsEmpty: true)

    static let lanes = ConfigurationKey<Int>.int(
        "WALLET_LANES", default: 1, in: 1...64, "Writers side by side; more where there are many cores.")
    static let batchMax = ConfigurationKey<Int>.int(
        "WALLET_BATCH_MAX", default: 2048, in: 1...4096,
        "Operations in one transaction at most; 1 is one transaction per request.")
    static let batchLinger = ConfigurationKey<Int>.int(
        "WALLET_BATCH_LINGER_US", default: 1000, in: 0...20_000,
        "Microseconds that a lane with few operations waits for more; 0 never waits.")
    static let queueMax = ConfigurationKey<Int>.int(
        "WALLET_QUEUE_MAX", default: 16_384, in: 1...1_000_000,
        "Operations waiting in one lane at most; a batch that is larger waits for an empty one.")
    static let laneMemory = ConfigurationKey<Int>.int(
        "WALLET_LANE_MEMORY", default: 16_384, in: 0...1_000_000,
        "Wallets, and pending transfers, that each lane remembers; 0 reads all anew for each batch.")
    static let readConnections = ConfigurationKey<Int>.int(
        "WALLET_READ_CONNECTIONS", default: 4, in: 1...256, "Connections for reads, for each database.")

    static let statementTimeout = ConfigurationKey<Duration>.milliseconds(
        "WALLET_STATEMENT_TIMEOUT_MS", default: 5000, in: 100...60_000, "For one statement, enforced by PostgreSQL.")
    static let lockTimeout = ConfigurationKey<Duration>.milliseconds(
        "WALLET_LOCK_TIMEOUT_MS", default: 1000, in: 10...60_000, "For one row lock, enforced by PostgreSQL.")
    static let connectTimeout = ConfigurationKey<Duration>.milliseconds(
        "WALLET_CONNECT_TIMEOUT_MS", default: 2000, in: 100...60_000, "For one connection to PostgreSQL or NATS.")
    static let requestTimeout = ConfigurationKey<Duration>.milliseconds(
        "WALLET_REQUEST_TIMEOUT_MS", default: 8000, in: 500...120_000,
        "Half of it is how long a write may wait in its queue; an accepted write ends with its transaction.")
    static let shutdownTimeout = ConfigurationKey<Duration>.milliseconds(
        "WALLET_SHUTDOWN_TIMEOUT_MS", default: 15_000, in: 100...600_000, "For a graceful stop.")

    static let httpLoops = ConfigurationKey<Int>.int(
        "WALLET_HTTP_LOOPS", default: 1, in: 1...64, "Event loops that serve HTTP.")
    static let httpMaxConnections = ConfigurationKey<Int>.int(
        "WALLET_HTTP_MAX_CONNECTIONS", default: 4096, in: 1...1_000_000, "Open connections at most.")
    static let httpHeaderTimeout = ConfigurationKey<Duration>.milliseconds(
        "WALLET_HTTP_HEADER_TIMEOUT_MS", default: 10_000, in: 50...600_000, "For a request's head to arrive.")
    static let httpBodyTimeout = ConfigurationKey<Duration>.milliseconds(
        "WALLET_HTTP_BODY_TIMEOUT_MS", default: 10_000, in: 50...600_000, "For a request's body to arrive.")
    static let httpIdleTimeout = ConfigurationKey<Duration>.milliseconds(
        "WALLET_HTTP_IDLE_TIMEOUT_MS", default: 60_000, in: 50...3_600_000, "For a connection without requests.")

    static let eventPartitions = ConfigurationKey<Int>.int(
        "WALLET_EVENT_PARTITIONS", default: 1, in: 1...1024,
        "Subjects that events are spread over by wallet, for consumers that want a share; each costs the broker a sync."
    )
    static let eventsPerMessage = ConfigurationKey<Int>.int(
        "WALLET_EVENTS_PER_MESSAGE", default: 500, in: 1...500, "Events in one message at most.")
    static let balanceEvents = ConfigurationKey<Bool>.bool(
        "WALLET_BALANCE_EVENTS", default: false,
        "Tell each change of settled money once more by a small event of its own.")
    static let stream = subjectPart("WALLET_STREAM", default: "WALLET_EVENTS", "The stream's name.")
    static let streamReplicas = ConfigurationKey<Int>.int(
        "WALLET_STREAM_REPLICAS", default: 1, in: 1...5, "The stream's replicas; 3 in production.")
    static let streamMaxBytes = ConfigurationKey<Int>.int(
        "WALLET_STREAM_MAX_BYTES", default: 8 << 30, in: 1 << 20...1 << 50,
        "The stream's size at most; when it is full, events wait in the outbox.")
    static let streamMaxAge = ConfigurationKey<Duration>.seconds(
        "WALLET_STREAM_MAX_AGE_S", default: 259_200, in: 60...31_536_000, "How long the stream keeps events.")
    static let streamDuplicateWindow = ConfigurationKey<Duration>.seconds(
        "WALLET_STREAM_DUPLICATE_WINDOW_S", default: 600, in: 1...86_400,
        "How long JetStream recognises a message that is sent again.")
    static let consumer = subjectPart("WALLET_CONSUMER", default: "wallet-projector", "The durable consumer's name.")

    static let outboxRetention = ConfigurationKey<Duration>.seconds(
        "WALLET_OUTBOX_RETENTION_S", default: 600, in: 60...2_592_000,
        "How long published events can be sent again after the stream lost them.")
    static let outboxPoll = ConfigurationKey<Duration>.milliseconds(
        "WALLET_OUTBOX_POLL_MS", default: 20, in: 1...60_000,
        "From one look into the outbox to the next at least; up to ten times that, or 200 ms, if publishing takes long."
    )
    static let outboxLease = ConfigurationKey<Duration>.seconds(
        "WALLET_OUTBOX_LEASE_S", default: 30, in: 5...3600, "How long a relay has what it claimed.")
    static let projectorBatch = ConfigurationKey<Int>.int(
        "WALLET_PROJECTOR_BATCH", default: 500, in: 1...5000, "Messages applied in one transaction at most.")
    static let projectorPace = ConfigurationKey<Duration>.milliseconds(
        "WALLET_PROJECTOR_PACE_MS", default: 25, in: 0...1000,
        "From one portion of the projector to the next at least; up to ten times that, or 250 ms, if they take long."
    )
    static let totalsPace = ConfigurationKey<Duration>.milliseconds(
        "WALLET_TOTALS_PACE_MS", default: 1000, in: 10...60_000,
        "From one round of the totals to the next at least; up to ten times that, or 10 s, if they take long.")
    static let totalsRate = ConfigurationKey<Int>.int(
        "WALLET_TOTALS_SWEEP_RATE", default: 5000, in: 1...10_000_000,
        "Wallets looked at in a second for totals that are behind, in the first sweep after a start; later a fifth.")
    static let auditRate = ConfigurationKey<Int>.int(
        "WALLET_AUDIT_RATE", default: 200, in: 1...10_000_000, "Wallets audited in a second.")
    static let rebuildRate = ConfigurationKey<Int>.int(
        "WALLET_REBUILD_RATE", default: 500, in: 1...10_000_000,
        "Wallets rebuilt in a second after POST /v1/admin/projections/rebuild.")
    static let expiryPoll = ConfigurationKey<Duration>.milliseconds(
        "WALLET_EXPIRY_POLL_MS", default: 500, in: 10...60_000, "Between looks for transfers that ran out.")

    static let userProvisioning = ConfigurationKey<Bool>.bool(
        "WALLET_USER_PROVISIONING", default: true,
        "Whether the worker gives new users their wallets; without the stream it only looks for it.")
    static let userStream = subjectPart(
        "WALLET_USER_STREAM", default: "USERS", "The stream with the events of new users; somebody else's.")
    static let userStreamCreate = ConfigurationKey<Bool>.bool(
        "WALLET_USER_STREAM_CREATE", default: false, "Whether the worker makes that stream when it is missing.")
    static let userSubject = ConfigurationKey<String>.string(
        "WALLET_USER_SUBJECT", form: "a subject without wildcards", default: "users.user.created.v1",
        "The subject of the events of new users.", isValid: isSubject)
    static let userConsumer = subjectPart(
        "WALLET_USER_CONSUMER", default: "wallet-provisioning", "The durable consumer on that stream.")
    static let userAssets = ConfigurationKey<[String]>.list(
        of: .string(
            "WALLET_USER_ASSETS", form: "asset codes", "What a new user gets wallets of; WALLET_DEFAULT_ASSET if empty."
        ) { Asset(code: $0, scale: 0) != nil }, allowsEmpty: true)
    static let userMaxDeliveries = ConfigurationKey<Int>.int(
        "WALLET_USER_MAX_DELIVERIES", default: 20, in: 1...10_000,
        "How often a worker has an event of a user refused before it puts it aside.")

    static let logLevel = ConfigurationKey<Logger.Level>.choice(
        "WALLET_LOG_LEVEL", default: .info, "Lines below it are not written.")
    static let logFormat = ConfigurationKey<Logger.Format>.choice(
        "WALLET_LOG_FORMAT", default: .auto, "auto writes text on a terminal and JSON elsewhere.")

    static let database: [any AnyConfigurationKey] = [
        databaseURL, projectionDatabaseURL, migrations, statementTimeout, lockTimeout, connectTimeout, logLevel,
        logFormat,
    ]
    static let assetKeys: [any AnyConfigurationKey] = [defaultAsset, assets]
    static let writer: [any AnyConfigurationKey] = [
        lanes, batchMax, batchLinger, queueMax, laneMemory, requestTimeout, shutdownTimeout, eventPartitions,
        eventsPerMessage, balanceEvents,
    ]
    static let http: [any AnyConfigurationKey] = [
        listen, apiOperatorListen, readConnections, httpLoops, httpMaxConnections, httpHeaderTimeout, httpBodyTimeout,
        httpIdleTimeout,
    ]
    static let events: [any AnyConfigurationKey] = [
        natsURL, stream, streamReplicas, streamMaxBytes, streamMaxAge, streamDuplicateWindow, consumer,
        outboxRetention, outboxPoll, outboxLease, projectorBatch, projectorPace, totalsPace, totalsRate, auditRate,
        rebuildRate, expiryPoll,
    ]

    static let userWallets: [any AnyConfigurationKey] = [userAssets]
    static let users: [any AnyConfigurationKey] =
        [userProvisioning, userStream, userStreamCreate, userSubject, userConsumer] + userWallets + [userMaxDeliveries]

    /// What `wallet api` reads.
    static let api = database + assetKeys + writer + http
    /// What `wallet worker` reads.
    static let worker = database + assetKeys + writer + events + users + [workerOperatorListen]
    /// What the operator's commands read.
    static let operations = database + assetKeys
    /// Every variable, for the documentation.
    public static let all = database + assetKeys + writer + http + events + users

    /// Checks across variables; each is for the processes that read them.
    static let rules = [defaultAssetIsKnown, userAssetsAreKnown, duplicateWindowFits, listenersDiffer]

    private static let defaultAssetIsKnown = Configuration.Rule(assetKeys) { configuration in
        let code = configuration[defaultAsset]
        guard assetTable(configuration)[code] == nil else { return nil }
        return "WALLET_DEFAULT_ASSET is \(code), which is unknown: add \(code):SCALE to WALLET_ASSETS"
    }

    private static let userAssetsAreKnown = Configuration.Rule(userWallets + assetKeys) { configuration in
        let table = assetTable(configuration)
        let unknown = configuration[userAssets].filter { table[$0] == nil }
        guard !unknown.isEmpty else { return nil }
        return "WALLET_USER_ASSETS names \(unknown.joined(separator: ", ")), which is unknown: add CODE:SCALE to "
            + "WALLET_ASSETS"
    }

    private static let duplicateWindowFits = Configuration.Rule([streamDuplicateWindow, streamMaxAge]) {
        guard $0[streamDuplicateWindow] > $0[streamMaxAge] else { return nil }
        return "WALLET_STREAM_DUPLICATE_WINDOW_S is longer than WALLET_STREAM_MAX_AGE_S, which JetStream refuses"
    }

    private static let listenersDiffer = Configuration.Rule([listen, apiOperatorListen]) { configuration in
        let (api, operators) = (configuration[listen], configuration[apiOperatorListen])
        guard api.overlaps(operators) else { return nil }
        return "WALLET_LISTEN is \(api) and WALLET_OPERATOR_LISTEN is \(operators), which is the same port: choose "
            + "another one for WALLET_OPERATOR_LISTEN"
    }

    /// The assets of a configuration that has read `assetKeys`.
    static func assetTable(_ configuration: Configuration) -> AssetTable {
        AssetTable(configured: configuration[assets].compactMap(asset))
    }

    /// An asset written as `CODE:SCALE`; nil for anything else.
    static func asset(_ text: String) -> Asset? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let scale = Int(parts[1]) else { return nil }
        return Asset(code: String(parts[0]), scale: scale)
    }

    private static func operatorListen(default text: String) -> ConfigurationKey<Endpoint> {
        .endpoint(
            "WALLET_OPERATOR_LISTEN", default: text,
            "Where metrics and health are served; the worker's default is port 9090.")
    }

    private static let isSubject: @Sendable (String) -> Bool = { text in
        text.utf8.count <= 255
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { token in
                !token.isEmpty && token.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x2A && $0 != 0x3E }
            }
    }

    private static func subjectPart(
        _ name: String, default text: String, _ documentation: String
    ) -> ConfigurationKey<String> {
        .string(name, form: "letters, digits, _ and -", default: text, documentation) { value in
            !value.isEmpty && value.utf8.count <= 128
                && value.utf8.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D: true
                    default: false
                    }
                }
        }
    }
}
