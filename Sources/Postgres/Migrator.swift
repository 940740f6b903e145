/// A step and what the database says about it.
public struct MigrationStatus: Sendable, Hashable {
    /// The number that orders the steps.
    public let version: Int64
    /// The file's name.
    public let file: String
    /// When it was applied, in microseconds since 1970; nil if it has not been.
    public let appliedAt: Int64?
}

/// Brings a schema to what its folder says, one transaction a file, and tells whether it is there.
///
/// The history is in the table `schema_migrations` of the schema. Runners of one schema wait for each other.
/// Blocks the calling thread.
public struct Migrator: Sendable {
    /// A step in the history of a database.
    struct Applied: Sendable, Hashable {
        let version: Int64
        let file: String
        let checksum: String
        var appliedAt: Int64 = 0
    }

    private let folder: MigrationFolder
    private let configuration: PostgresConfiguration
    private let lockWait: Duration

    /// A migrator for one schema.
    ///
    /// - Parameters:
    ///   - folder: the steps.
    ///   - configuration: the database. Its `lockTimeout` holds for the steps, too, so that a step that waits for a
    ///     lock does not hold up everybody else; its statement and answer timeouts do not.
    ///   - timeout: how long a single step may take.
    ///   - lockWait: how long to wait for another runner.
    public init(
        folder: MigrationFolder, configuration: PostgresConfiguration, timeout: Duration = .seconds(3600),
        lockWait: Duration = .seconds(60)
    ) {
        self.folder = folder
        self.lockWait = lockWait
        var configuration = configuration
        configuration.statementTimeout = timeout
        configuration.answerTimeout = timeout + .seconds(5)
        self.configuration = configuration
    }

    /// Every step and when it was applied, by version. Changes nothing.
    public func status() throws -> [MigrationStatus] {
        let applied = try withConnection { try history($0) }
        try Self.pending(of: folder.migrations, after: applied)
        let times = Dictionary(applied.map { ($0.version, $0.appliedAt) }) { first, _ in first }
        return folder.migrations.map {
            MigrationStatus(version: $0.version, file: $0.file, appliedAt: times[$0.version])
        }
    }

    /// Checks that what was applied is what the folder holds. Changes nothing.
    ///
    /// - Returns: the number of steps that wait.
    /// - Throws: `MigrationError.history` if steps were edited, left out or are unknown.
    @discardableResult
    public func verify() throws -> Int {
        let applied = try withConnection { try history($0) }
        return try Self.pending(of: folder.migrations, after: applied).count
    }

    /// For the start of a process that needs the schema: like `verify`, and nothing may wait.
    public func pendingCheck() throws {
        let count = try verify()
        if count > 0 { throw MigrationError.pending(schema: folder.schema, count: count) }
    }

    /// Applies the steps that wait, in order, each in a transaction of its own.
    ///
    /// - Returns: the files applied now.
    public func up() throws -> [String] {
        try withConnection { connection in
            try lock(connection)
            try createHistory(connection)
            var files: [String] = []
            for migration in try Self.pending(of: folder.migrations, after: try history(connection)) {
                try apply(migration, connection)
                files.append(migration.file)
            }
            return files
        }
    }

    /// The steps that wait, once the history has been found to be the beginning of the folder.
    @discardableResult
    static func pending(
        of migrations: [Migration], after applied: [Applied]
    ) throws(MigrationError) -> ArraySlice<Migration> {
        let known = Dictionary(migrations.map { ($0.version, $0) }) { first, _ in first }
        let newest = migrations.last?.version ?? 0
        for step in applied {
            guard let migration = known[step.version] else {
                throw step.version > newest
                    ? .history("the database is newer: it has \(step.file), which this version does not know")
                    : .history("\(step.file) was applied and is missing from the folder")
            }
            guard migration.file == step.file else {
                throw .history("\(step.file) was applied and is now called \(migration.file)")
            }
            guard migration.checksum == step.checksum else {
                throw .history("\(step.file) was edited after it had been applied")
            }
        }
        let last = applied.map(\.version).max() ?? 0
        let done = Set(applied.map(\.version))
        for migration in migrations where migration.version < last && !done.contains(migration.version) {
            throw .history("\(migration.file) comes before steps that have been applied already")
        }
        return migrations.drop { $0.version <= last }
    }

    private func withConnection<T>(_ body: (PostgresConnection) throws -> T) throws -> T {
        let connection = PostgresConnection(configuration: configuration)
        try connection.connect()
        defer { connection.close() }
        return try body(connection)
    }

    private func table(_ connection: PostgresConnection) throws -> String {
        "\(try connection.identifier(folder.schema)).schema_migrations"
    }

    /// Held until the session ends.
    private func lock(_ connection: PostgresConnection) throws {
        try connection.execute("SET lock_timeout = \(max(1, lockWait.ceilingMilliseconds))")
        let key = try connection.literal("wallet migrate \(folder.schema)")
        do throws(PostgresError) {
            try connection.execute("SELECT pg_advisory_lock(hashtextextended(\(key), 0))")
        } catch {
            throw error.sqlState == .lockNotAvailable ? MigrationError.locked(schema: folder.schema) : error
        }
        try connection.execute("SET lock_timeout = \(configuration.lockTimeout.ceilingMilliseconds)")
    }

    private func createHistory(_ connection: PostgresConnection) throws {
        try connection.execute(
            """
            CREATE SCHEMA IF NOT EXISTS \(try connection.identifier(folder.schema));
            CREATE TABLE IF NOT EXISTS \(try table(connection)) (
                version bigint PRIMARY KEY,
                name text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
            )
            """)
    }

    private func history(_ connection: PostgresConnection) throws -> [Applied] {
        let name = try table(connection)
        let exists = try connection.query(sql: "SELECT to_regclass(\(try connection.literal(name))) IS NOT NULL")
        guard try exists.bool(0, 0) else { return [] }
        let result = try connection.query(
            sql: "SELECT version, name, checksum, applied_at FROM \(name) ORDER BY version")
        return try result.rows.map { row in
            Applied(
                version: try row.int64(0), file: try row.text(1), checksum: try row.text(2),
                appliedAt: try row.timestamp(3))
        }
    }

    private func apply(_ migration: Migration, _ connection: PostgresConnection) throws {
        let parameters = PostgresParameters()
        parameters.append(int8: migration.version)
        parameters.append(text: migration.file)
        parameters.append(text: migration.checksum)
        do {
            try connection.transaction { open in
                let before = try transactionID(open)
                try open.execute(migration.sql)
                guard open.isInTransaction, try transactionID(open) == before else {
                    throw MigrationError.failed(
                        file: migration.file, reason: "it ends the transaction it runs in; parts of it may have stayed")
                }
                _ = try open.query(
                    sql: "INSERT INTO \(try table(open)) (version, name, checksum) VALUES ($1, $2, $3)", parameters)
            }
        } catch let error as PostgresError {
            throw MigrationError.failed(file: migration.file, reason: error.description)
        }
    }

    private func transactionID(_ connection: PostgresConnection) throws -> String {
        try connection.query(sql: "SELECT pg_current_xact_id()::text").text(0, 0)
    }
}
