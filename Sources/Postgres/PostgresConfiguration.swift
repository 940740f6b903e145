internal import CLibPQ

/// How to reach a database, and the limits every session lives under.
public struct PostgresConfiguration: Sendable, CustomStringConvertible {
    /// libpq's own connection options, in the order libpq lists them.
    let options: [(keyword: String, value: String)]

    /// Shown in `pg_stat_activity` unless the URL names another.
    public var applicationName: String
    /// For reaching the server, authenticating and preparing the session.
    public var connectTimeout: Duration = .seconds(2)
    /// `statement_timeout` of the session; zero means none.
    public var statementTimeout: Duration = .seconds(5)
    /// `lock_timeout` of the session; zero means none.
    public var lockTimeout: Duration = .seconds(3)
    /// `idle_in_transaction_session_timeout` of the session; zero means none.
    public var idleInTransactionTimeout: Duration = .seconds(10)
    /// How long to wait for any single answer before the connection is given up. It should exceed `statementTimeout`,
    /// so that a server that is alive gets to answer first.
    public var answerTimeout: Duration = .seconds(8)
    /// Further settings of the session, applied at connect in this order, such as `("plan_cache_mode", "auto")`.
    public var settings: [(name: String, value: String)] = []

    /// Parses a `postgresql://` URL, or any other connection string of libpq.
    ///
    /// - Throws: `PostgresError` of kind `.configuration`; its message never quotes the URL, which may hold a password.
    public init(url: String, applicationName: String = "wallet") throws(PostgresError) {
        var problem: UnsafeMutablePointer<CChar>?
        guard let parsed = PQconninfoParse(url, &problem) else {
            let reason = problem.map { String(cString: $0) } ?? "out of memory"
            PQfreemem(problem)
            // What follows a colon or a quote may be out of the URL.
            let unquoted = reason.prefix { $0 != "\"" && $0 != ":" && !$0.isNewline }
            throw PostgresError(.configuration, .connect, "the connection URL cannot be understood: \(unquoted)")
        }
        defer { PQconninfoFree(parsed) }
        var options: [(keyword: String, value: String)] = []
        var entry = parsed
        while let keyword = entry.pointee.keyword {
            if let value = entry.pointee.val {
                options.append((String(cString: keyword), String(cString: value)))
            }
            entry += 1
        }
        self.options = options
        self.applicationName = applicationName
        if let flaw { throw PostgresError(.configuration, .connect, "the connection URL cannot be used: \(flaw)") }
    }

    /// What is wrong with the URL of a database, or nil when `init` takes it. Never quotes the URL.
    public static func flaw(ofURL url: String) -> String? {
        do throws(PostgresError) {
            _ = try PostgresConfiguration(url: url)
            return nil
        } catch {
            return error.message
        }
    }

    /// What libpq would find wrong with the options only when it connects.
    private var flaw: String? {
        let ports = (option("port") ?? "").split(separator: ",", omittingEmptySubsequences: false)
        // An empty one is the default port.
        guard ports.allSatisfy({ $0.isEmpty || (Int($0).map { (1...65_535).contains($0) } ?? false) }) else {
            return "the port is not a number of 1 to 65535"
        }
        let hosts = (option("hostaddr") ?? option("host") ?? "").split(separator: ",", omittingEmptySubsequences: false)
        guard ports.count == 1 || ports.count == hosts.count else { return "there are more or fewer ports than hosts" }
        for keyword in Self.numericOptions {
            if let text = option(keyword), Int32(text) == nil { return "\(keyword) is not a number" }
        }
        for (keyword, words) in Self.wordOptions {
            if let text = option(keyword), !words.contains(text) {
                return "\(keyword) is none of \(words.joined(separator: ", "))"
            }
        }
        return nil
    }

    private static let numericOptions = [
        "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout",
    ]
    private static let wordOptions = [
        ("sslmode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]),
        ("channel_binding", ["disable", "prefer", "require"]), ("gssencmode", ["disable", "prefer", "require"]),
        ("target_session_attrs", ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"]),
    ]

    /// The value the URL gives to one of libpq's options, such as `host` or `dbname`.
    public func option(_ keyword: String) -> String? {
        options.first { $0.keyword == keyword }?.value
    }

    /// The same server and limits, another database.
    public func connecting(toDatabase name: String) -> PostgresConfiguration {
        PostgresConfiguration(self, replacing: "dbname", with: name)
    }

    private init(_ other: PostgresConfiguration, replacing keyword: String, with value: String) {
        self.options = other.options.filter { $0.keyword != keyword } + [(keyword, value)]
        self.applicationName = other.applicationName
        self.connectTimeout = other.connectTimeout
        self.statementTimeout = other.statementTimeout
        self.lockTimeout = other.lockTimeout
        self.idleInTransactionTimeout = other.idleInTransactionTimeout
        self.answerTimeout = other.answerTimeout
        self.settings = other.settings
    }

    /// Where it leads, for logs: no password, no other secret.
    public var description: String {
        let user = option("user").map { "\($0)@" } ?? ""
        let host = option("host") ?? option("hostaddr") ?? "local socket"
        let port = option("port").map { ":\($0)" } ?? ""
        return "postgresql://\(user)\(host)\(port)/\(option("dbname") ?? "")"
    }

    /// What libpq is given: the URL's options, with defaults for those that the URL leaves open.
    var connectOptions: [(keyword: String, value: String)] {
        let milliseconds = max(1000, answerTimeout.ceilingMilliseconds)
        let defaults = [
            ("fallback_application_name", applicationName), ("client_encoding", "UTF8"), ("keepalives", "1"),
            ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", String(min(milliseconds, 3_600_000))),
        ]
        return options + defaults.filter { option($0.0) == nil }
    }

    /// The settings of the session, the limits first so that a caller's own setting wins.
    var sessionSettings: [(name: String, value: String)] {
        let limits = [
            ("statement_timeout", statementTimeout), ("lock_timeout", lockTimeout),
            ("idle_in_transaction_session_timeout", idleInTransactionTimeout),
        ]
        return limits.map { (name: $0.0, value: String(min($0.1.ceilingMilliseconds, Int64(Int32.max)))) }
            + [
                ("client_min_messages", "warning"), ("timezone", "UTC"), ("default_transaction_read_only", "off"),
                ("default_transaction_isolation", "read committed"),
            ] + settings
    }
}

extension PostgresConfiguration {
    /// The same database for sessions whose statements all find their rows by key: the plan is made once and keeps to
    /// the indexes, however small, large or unknown to the planner the tables are at that moment.
    public var keepingToIndexes: PostgresConfiguration {
        var copy = self
        copy.settings += [
            ("plan_cache_mode", "force_generic_plan"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"),
            ("enable_seqscan", "off"), ("jit", "off"),
        ]
        return copy
    }
}
