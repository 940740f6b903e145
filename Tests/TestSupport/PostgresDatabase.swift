public import Postgres
internal import Synchronization

/// A database of a test's own.
///
/// It lives until `drop()` or the end of the server: a reference may be released long before the connections are, so
/// its release says nothing. `withTestDatabase` drops it at the end of its body.
public final class TestDatabase: Sendable {
    /// The server it lives in.
    public let server: PostgresServer
    /// Its name.
    public let name: String

    private static let number = Atomic<Int>(0)
    private static let templates = Mutex<[String: String]>([:])

    /// An empty database, by default in the shared server.
    public convenience init(on server: PostgresServer? = nil) throws {
        try self.init(server: server ?? PostgresServer.shared(), source: "template0")
    }

    /// A copy of a template, which is prepared once per process and server.
    ///
    /// - Parameters:
    ///   - template: a name for what `prepare` makes.
    ///   - server: the server; by default the shared one.
    ///   - prepare: fills the template: creates tables, runs migrations. Gets the configuration to connect with.
    public convenience init(
        template: String, on server: PostgresServer? = nil,
        prepare: (PostgresConfiguration) throws -> Void
    ) throws {
        let server = try server ?? PostgresServer.shared()
        let key = "\(server.folder) \(template)"
        let source = try Self.templates.withLock { templates in
            if let ready = templates[key] { return ready }
            let name = Self.freshName("template")
            try Self.create(name, from: "template0", on: server)
            try prepare(try server.configuration(database: name))
            templates[key] = name
            return name
        }
        try self.init(server: server, source: source)
    }

    private init(server: PostgresServer, source: String) throws {
        self.server = server
        self.name = Self.freshName("test")
        try Self.create(name, from: source, on: server)
    }

    private static func freshName(_ kind: String) -> String {
        "\(kind)_\(number.add(1, ordering: .relaxed).newValue)"
    }

    private static func create(_ name: String, from source: String, on server: PostgresServer) throws {
        try PostgresServer.requireLocal(server.configuration())
        let admin = try administrator(of: server)
        try admin.execute("CREATE DATABASE \(name) TEMPLATE \(source)")
    }

    private static func administrator(of server: PostgresServer) throws -> PostgresConnection {
        var configuration = try server.configuration()
        configuration.statementTimeout = .seconds(60)
        configuration.answerTimeout = .seconds(70)
        let connection = PostgresConnection(configuration: configuration)
        try connection.connect()
        return connection
    }

    /// Drops the database now, ending the sessions in it. Nothing happens if the server is gone.
    public func drop() {
        guard let admin = try? Self.administrator(of: server) else { return }
        try? admin.execute("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
    }

    /// A connection URL over TCP, by default without a detour.
    public func url(port: UInt16? = nil) -> String { server.url(database: name, port: port) }

    /// A configuration over TCP, by default without a detour.
    public func configuration(port: UInt16? = nil) throws -> PostgresConfiguration {
        try server.configuration(database: name, port: port)
    }

    /// An open connection.
    public func connect() throws -> PostgresConnection { try server.connect(database: name) }
}

/// Lends an empty database of the shared server and drops it afterwards.
public func withTestDatabase<T>(_ body: (TestDatabase) async throws -> T) async throws -> T {
    let database = try TestDatabase()
    defer { database.drop() }
    return try await body(database)
}
