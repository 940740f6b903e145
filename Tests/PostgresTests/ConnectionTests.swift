import Postgres
import TestSupport
import Testing

@Suite struct ConnectionTests {
    @Test func errorsCarryWhatTheServerSaid() throws {
        let connection = try TestDatabase().connect()
        try connection.execute("CREATE TABLE t (id int PRIMARY KEY, n int CONSTRAINT positive CHECK (n > 0))")
        try connection.execute("INSERT INTO t VALUES (1, 1)")
        try connection.prepare("add", "INSERT INTO t VALUES ($1, $2)")
        let parameters = PostgresParameters()
        parameters.append(int4: 1)
        parameters.append(int4: 1)
        let twice = #expect(throws: PostgresError.self) { try connection.query("add", parameters) }
        #expect(twice?.kind == .server)
        #expect(twice?.sqlState == .uniqueViolation)
        #expect(twice?.constraint == "t_pkey")
        #expect(twice?.statement == "add")
        #expect(twice?.detail?.contains("already exists") == true)
        #expect(twice?.isTransient == false)
        #expect(twice?.isConnectionLost == false)
        let check = #expect(throws: PostgresError.self) { try connection.execute("INSERT INTO t VALUES (2, 0)") }
        #expect(check?.sqlState == .checkViolation)
        #expect(check?.constraint == "positive")
        #expect(connection.isHealthy)
    }

    @Test func statementsReportTheirRows() throws {
        let connection = try TestDatabase().connect()
        try connection.execute("CREATE TABLE t (id int)")
        #expect(try connection.query(sql: "INSERT INTO t SELECT generate_series(1, 7)").affectedRows == 7)
        let rows = try connection.query(sql: "SELECT id FROM t ORDER BY id").rows
        #expect(try rows.map { try $0.int(0) } == Array(1...7))
    }

    @Test func transactionsCommitOrRollBack() throws {
        let connection = try TestDatabase().connect()
        try connection.execute("CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        try connection.transaction { try $0.execute("INSERT INTO t VALUES (1)") }
        struct Regret: Error {}
        #expect(throws: Regret.self) {
            try connection.transaction { open in
                try open.execute("INSERT INTO t VALUES (2)")
                throw Regret()
            }
        }
        let late = #expect(throws: PostgresError.self) {
            try connection.transaction { try $0.execute("INSERT INTO t VALUES (1)") }
        }
        #expect(late?.phase == .commit)
        #expect(late?.sqlState == .uniqueViolation)
        #expect(late?.mayHaveCommitted == false)
        // An error that the body swallowed turns the COMMIT into a rollback, which must not look like success.
        let swallowed = #expect(throws: PostgresError.self) {
            try connection.transaction { open in
                try open.execute("INSERT INTO t VALUES (3)")
                try? open.execute("SELECT 1 / 0")
            }
        }
        #expect(swallowed?.sqlState == .inFailedTransaction)
        #expect(try connection.query(sql: "SELECT count(*) FROM t").int(0, 0) == 1)
        #expect(!connection.isInTransaction)
    }

    @Test func sessionSettingsAreApplied() throws {
        var configuration = try TestDatabase().configuration()
        configuration.statementTimeout = .milliseconds(1234)
        configuration.settings = [("plan_cache_mode", "force_generic_plan"), ("wallet.mark", "it's \\ here")]
        let connection = PostgresConnection(configuration: configuration)
        try connection.connect()
        func setting(_ name: String) throws -> String {
            try connection.query(sql: "SELECT current_setting('\(name)')").text(0, 0)
        }
        #expect(try setting("statement_timeout") == "1234ms")
        #expect(try setting("plan_cache_mode") == "force_generic_plan")
        #expect(try setting("wallet.mark") == "it's \\ here")
        #expect(try setting("application_name") == "wallet-tests")
        #expect(try setting("TimeZone") == "UTC")
        configuration.settings = [("a; DROP TABLE t", "x")]
        let error = #expect(throws: PostgresError.self) {
            try PostgresConnection(configuration: configuration).connect()
        }
        #expect(error?.kind == .configuration)
    }

    @Test func statementTimeoutIsTransientAndKeepsTheConnection() throws {
        let connection = try TestDatabase().connect()
        try connection.execute("SET statement_timeout = 20")
        let error = #expect(throws: PostgresError.self) { try connection.execute("SELECT pg_sleep(10)") }
        #expect(error?.sqlState == .queryCanceled)
        #expect(error?.isTransient == true)
        #expect(connection.isHealthy)
    }

    @Test func reconnectingPreparesAgain() throws {
        let database = try TestDatabase()
        let connection = try database.connect()
        try connection.prepare("one", "SELECT 1")
        let before = connection.backendPID
        #expect(before != 0)
        let other = try database.connect()
        #expect(try other.query(sql: "SELECT pg_terminate_backend(\(before), 5000)").bool(0, 0))
        #expect(!connection.isHealthy)
        let error = #expect(throws: PostgresError.self) { try connection.query("one") }
        #expect(error?.isConnectionLost == true)
        #expect(!connection.isOpen)
        try connection.connect()
        #expect(connection.backendPID != before)
        #expect(try connection.query("one").int(0, 0) == 1)
    }

    @Test func aStatementThatCannotBePreparedIsNamed() throws {
        let connection = try TestDatabase().connect()
        try connection.prepare("fine", "SELECT 1")
        let error = #expect(throws: PostgresError.self) { try connection.prepare("bad", "SELECT * FROM nowhere") }
        #expect(error?.sqlState == .undefinedTable)
        #expect(error?.statement == "bad")
        #expect(error?.phase == .prepare)
        #expect(try connection.query("fine").int(0, 0) == 1)
        #expect(throws: PostgresError.self) { try connection.prepare("fine", "SELECT 2") }
        try connection.connect()
        #expect(connection.isHealthy)
    }

    @Test func copyIsRefusedWithoutHanging() throws {
        let connection = try TestDatabase().connect()
        try connection.execute("CREATE TABLE t (id int)")
        let error = #expect(throws: PostgresError.self) { try connection.execute("COPY t FROM STDIN") }
        #expect(error?.kind == .misuse)
        try connection.connect()
        #expect(connection.isHealthy)
    }

    @Test func aHungServerCannotHoldTheThread() async throws {
        let database = try TestDatabase()
        let proxy = try FaultProxy(upstream: database.server.port)
        var configuration = try database.configuration(port: proxy.port)
        configuration.answerTimeout = .milliseconds(150)
        configuration.connectTimeout = .milliseconds(400)
        let connection = PostgresConnection(configuration: configuration)
        try connection.connect()
        proxy.stall()
        let answer = #expect(throws: PostgresError.self) { try connection.query(sql: "SELECT 1") }
        #expect(answer?.kind == .deadlineExceeded)
        #expect(answer?.mayHaveCommitted == true)
        #expect(!connection.isOpen)
        let connect = #expect(throws: PostgresError.self) { try connection.connect() }
        #expect(connect?.kind == .deadlineExceeded)
        #expect(connect?.phase == .connect)
        proxy.resume()
        try connection.connect()
        // More than any socket buffer holds: the sending side must not hang either.
        proxy.stall()
        let parameters = PostgresParameters()
        parameters.append(bytes: [UInt8](repeating: 7, count: 30_000_000))
        let sending = #expect(throws: PostgresError.self) {
            try connection.query(sql: "SELECT length($1::bytea)", parameters)
        }
        #expect(sending?.kind == .deadlineExceeded)
    }

    @Test func aCommitWhoseAnswerIsLostHasAnOpenOutcome() async throws {
        let database = try TestDatabase()
        let direct = try database.connect()
        try direct.execute("CREATE TABLE t (id int)")
        let proxy = try FaultProxy(upstream: database.server.port)
        let connection = PostgresConnection(configuration: try database.configuration(port: proxy.port))
        for (forwards, rows) in [(false, 0), (true, 1)] {
            try connection.connect()
            proxy.when("COMMIT\0", .toServer, forwards: forwards, then: .reset)
            let error = #expect(throws: PostgresError.self) {
                try connection.transaction { try $0.execute("INSERT INTO t VALUES (1)") }
            }
            #expect(error?.phase == .commit)
            #expect(error?.isConnectionLost == true)
            #expect(error?.mayHaveCommitted == true)
            try await eventually { try direct.query(sql: "SELECT count(*) FROM t").int(0, 0) == rows }
        }
        // Lost before the COMMIT was sent: nothing can have been committed.
        try connection.connect()
        proxy.when("VALUES (9)", .toServer, forwards: true, then: .close)
        let error = #expect(throws: PostgresError.self) {
            try connection.transaction { try $0.execute("INSERT INTO t VALUES (9)") }
        }
        #expect(error?.isConnectionLost == true)
        #expect(error?.mayHaveCommitted == false)
    }

    /// Told at once, and not only when libpq connects.
    @Test(arguments: [
        ("postgresql://u:hidden@h:notaport/d", "the port is not a number of 1 to 65535"),
        ("postgresql://u:hidden@h:70000/d", "the port is not a number of 1 to 65535"),
        ("postgresql://u:hidden@h,i/d?port=1,2,3", "there are more or fewer ports than hosts"),
        ("postgresql://u:hidden@h/d?connect_timeout=soon", "connect_timeout is not a number"),
        ("postgresql://u:hidden@h/d?sslmode=full", "sslmode is none of disable, allow, prefer"),
        ("postgresql://u:hidden@h/d?nonsense=1", "invalid URI query parameter"),
    ]) func aUselessUrlIsRefused(_ url: String, _ reason: String) throws {
        let flaw = try #require(PostgresConfiguration.flaw(ofURL: url))
        #expect(flaw.contains(reason) && !flaw.contains("hidden"), "\(flaw)")
    }

    @Test(arguments: [
        "postgresql://h,i:5433,[::1]:5434/d", "postgresql:///d?host=/run/postgresql", "postgres://h:/d",
        "postgresql://h,i/d?port=5433&target_session_attrs=read-write&sslmode=verify-full&keepalives_idle=9",
    ]) func everyFormOfUrlIsTaken(_ url: String) {
        #expect(PostgresConfiguration.flaw(ofURL: url) == nil)
    }

    @Test func theUrlIsNeverQuoted() throws {
        for url in [
            "postgresql://u:secret%zz@h/d", "postgresql://u:secret@[::1/d", "secret", "postgresql://h/d?secret=1",
        ] {
            let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(url: url) }
            #expect(error?.kind == .configuration)
            #expect(error.map { String(describing: $0).contains("secret") } == false)
        }
        let configuration = try PostgresConfiguration(
            url: "postgresql://me:secret@db.example:6000/book?sslmode=require")
        #expect(configuration.description == "postgresql://me@db.example:6000/book")
        #expect(configuration.option("sslmode") == "require")
        #expect(throws: FixtureError.self) { try PostgresServer.requireLocal(configuration) }
    }
}
