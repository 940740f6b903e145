import Postgres

/// One schema: its migrations and the database it lives in.
struct Schema: Sendable {
    let name: String
    let folder: String
    let database: PostgresConfiguration

    /// Applies and checks migrations. Throws `MigrationError` when the folder is not as it was shipped.
    func migrator() throws -> Migrator {
        Migrator(folder: try MigrationFolder(path: folder, schema: name), configuration: database)
    }

    /// The statement that tells the newest version of the database.
    var versionStatement: String { "version_of_\(name)" }

    /// `versionStatement` for the connections of a pool.
    var statements: [String: String] {
        [versionStatement: "SELECT coalesce(max(version), 0) FROM \(name).schema_migrations"]
    }
}
