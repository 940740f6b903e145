import Foundation
import Runtime
import Testing

private enum Level: String, CaseIterable {
    case info, warning
}

private enum Keys {
    static let lanes = ConfigurationKey.int("WALLET_LANES", default: 2, in: 1...64, "Writer lanes.")
    static let timeout = ConfigurationKey.milliseconds(
        "WALLET_CONNECT_TIMEOUT_MS", default: 2000, in: 1...60000, "Time to connect.")
    static let age = ConfigurationKey.seconds("WALLET_STREAM_MAX_AGE_S", default: 60, in: 0...Int.max, "Age.")
    static let listen = ConfigurationKey.endpoint("WALLET_LISTEN", default: "127.0.0.1:8089", "Where to listen.")
    static let level = ConfigurationKey<Level>.choice("WALLET_LOG_LEVEL", default: .info, "Log level.")
    static let assets = ConfigurationKey.list(
        of: .string("WALLET_ASSETS", "More assets | scales."), allowsEmpty: true)
    static let database = ConfigurationKey.url("DATABASE_URL", schemes: ["postgres", "postgresql"], "The database.")
    static let projection = ConfigurationKey.url("PROJECTION_DATABASE_URL", schemes: ["postgres"], "Read models.")
        .optional(default: "the value of DATABASE_URL")
    static let nats = ConfigurationKey.list(of: .url("NATS_URL", schemes: ["nats", "tls"], "Brokers."))
    static let secret = ConfigurationKey.string("WALLET_KEY", default: "x", isSecret: true, "A key.")
    static let trace = ConfigurationKey.bool("WALLET_TRACE", default: false, "Traces.")
    static let folder = ConfigurationKey.path("WALLET_MIGRATIONS", default: "migrations", "SQL files.")

    static let all: [any AnyConfigurationKey] = [
        lanes, timeout, age, listen, level, assets, database, projection, nats, secret, trace, folder,
    ]
    static let needed = ["DATABASE_URL": "postgres://u:hidden@db/w", "NATS_URL": "nats://a:4222, nats://u:hidden@b"]
}

@Suite struct ConfigurationTests {
    private func read(
        _ environment: [String: String], file: String? = nil, rules: [Configuration.Rule] = []
    ) throws -> Configuration {
        try Configuration(
            Keys.all, alsoKnown: ["WALLET_OUTBOX_POLL_MS"],
            environment: Keys.needed.merging(environment) { $1 },
            file: file.map { ConfigurationFile(name: "test.env", text: $0) }, rules: rules)
    }

    private func problems(_ environment: [String: String], file: String? = nil) -> [String] {
        do {
            _ = try read(environment, file: file)
            return []
        } catch {
            return (error as? Configuration.Problems)?.problems ?? ["\(error)"]
        }
    }

    @Test func defaultsAreTyped() throws {
        let configuration = try read([:])
        #expect(configuration[Keys.lanes] == 2)
        #expect(configuration[Keys.timeout] == .milliseconds(2000))
        #expect(configuration[Keys.age] == .seconds(60))
        #expect(configuration[Keys.listen] == Endpoint(host: "127.0.0.1", port: 8089))
        #expect(configuration[Keys.level] == .info)
        #expect(configuration[Keys.assets] == [])
        #expect(configuration[Keys.projection] == nil)
        #expect(configuration[Keys.nats].map(\.text) == ["nats://a:4222", "nats://u:hidden@b"])
        #expect(!configuration[Keys.trace])
        #expect(configuration[Keys.folder] == "migrations")
    }

    @Test func theEnvironmentWinsOverTheFileAndEmptyIsUnset() throws {
        let file = "WALLET_LANES=4\nWALLET_ASSETS=POINTS:0, ETH:18\nWALLET_LOG_LEVEL=\n"
        let configuration = try read(
            ["WALLET_LANES": "8", "WALLET_ASSETS": "", "PROJECTION_DATABASE_URL": "postgres://p/x"], file: file)
        #expect(configuration[Keys.lanes] == 8)
        #expect(configuration[Keys.assets] == ["POINTS:0", "ETH:18"])
        #expect(configuration[Keys.level] == .info)
        #expect(configuration[Keys.projection]?.text == "postgres://p/x")
        #expect(configuration.source(of: "WALLET_LANES") == .environment)
        #expect(configuration.source(of: "WALLET_ASSETS") == .file)
        #expect(configuration.source(of: "WALLET_LOG_LEVEL") == .default)
    }

    @Test(arguments: [
        ("WALLET_LANES", "0"), ("WALLET_LANES", "65"), ("WALLET_LANES", "+2"), ("WALLET_LANES", "2 "),
        ("WALLET_LANES", "0x2"), ("WALLET_LANES", "99999999999999999999"), ("WALLET_CONNECT_TIMEOUT_MS", "2s"),
        ("WALLET_LISTEN", "8089"), ("WALLET_LISTEN", ":8089"), ("WALLET_LISTEN", "a:65536"),
        ("WALLET_LISTEN", "::1:80"),
        ("WALLET_LISTEN", "a b:80"), ("WALLET_LOG_LEVEL", "INFO"), ("WALLET_TRACE", "maybe"), ("WALLET_ASSETS", "A,,B"),
        ("DATABASE_URL", "mysql://x"), ("DATABASE_URL", "postgres://"), ("NATS_URL", "nats://a,http://b"),
    ]) func refuses(_ name: String, _ text: String) {
        let found = problems([name: text])
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("\(name) is ") == true)
    }

    @Test func allProblemsComeAtOnceWithoutSecrets() {
        let found = problems([
            "WALLET_LANES": "many", "WALLET_LOG_LEVEL": "warnin", "DATABASE_URL": "postgre://u:hidden@h/w",
            "NATS_URL": "",
        ])
        #expect(
            found == [
                #"WALLET_LANES is "many" (from the environment): write a whole number in 1...64"#,
                #"WALLET_LOG_LEVEL is "warnin" (from the environment): write one of info, warning; "#
                    + "did you mean warning?",
                #"DATABASE_URL is "***" (from the environment): "#
                    + "write a URL that begins with postgres://... or postgresql://..., without spaces",
                "NATS_URL is not set: write nats://... or tls://..., separated by commas. Brokers.",
            ])
    }

    @Test func slipsInNamesAreErrors() {
        #expect(
            problems(["WALLET_LANE": "2", "WALLET_OUTBOX_POLL_MS": "5", "OTHER": "x"]) == [
                "WALLET_LANE (from the environment) is not a variable of this program: did you mean WALLET_LANES?"
            ])
        #expect(
            problems([:], file: "WALLET_SOMETHING_ELSE=1\nDATABSE_URL=x\nPGHOST=y\n") == [
                "WALLET_SOMETHING_ELSE (from test.env line 1) is not a variable of this program: remove it",
                "DATABSE_URL (from test.env line 2) is not a variable of this program: did you mean DATABASE_URL?",
            ])
    }

    @Test func rulesSeeTheWhole() {
        let error = #expect(throws: Configuration.Problems.self) {
            try read(["WALLET_LANES": "9"], rules: [Self.fewLanes])
        }
        #expect(error?.description == "the configuration has 1 problem:\n  - too many lanes")
    }

    private static let fewLanes = Configuration.Rule([Keys.lanes]) { $0[Keys.lanes] > 8 ? "too many lanes" : nil }

    /// A rule is told together with the other problems, but not where what it reads is wrong or not read.
    @Test func rulesAreForWhatTheyRead() {
        let elsewhere = ConfigurationKey.int("WALLET_ELSEWHERE", default: 1, in: 1...9, "Another process's.")
        let rules = [
            Self.fewLanes, Configuration.Rule([Keys.lanes, Keys.age]) { _ in "age" },
            Configuration.Rule([elsewhere]) { _ in "elsewhere" },
        ]
        let error = #expect(throws: Configuration.Problems.self) {
            try read(["WALLET_LANES": "9", "WALLET_STREAM_MAX_AGE_S": "old"], rules: rules)
        }
        #expect(error?.problems.count == 2)
        #expect(error?.problems.last == "too many lanes")
    }

    @Test func aURLsFlawIsToldWithoutTheURL() {
        let key = ConfigurationKey.url("DATABASE_URL", schemes: ["postgres"], "Books.") { url in
            url.text.hasSuffix("/w") ? nil : "it is no good"
        }
        let error = #expect(throws: Configuration.Problems.self) {
            try Configuration([key], environment: ["DATABASE_URL": "postgres://u:hidden@db/x"])
        }
        #expect(error?.problems == [#"DATABASE_URL is "***" (from the environment): it is no good"#])
    }

    @Test(arguments: [
        ("127.0.0.1:80", "127.0.0.1:80", true), ("127.0.0.1:80", "127.0.0.1:81", false), ("a:0", "a:0", false),
        ("127.0.0.1:80", "10.0.0.1:80", false), ("0.0.0.0:80", "10.0.0.1:80", true), ("[::]:80", "127.0.0.1:80", true),
        ("localhost:80", "127.0.0.1:80", true), ("localhost:80", "10.0.0.1:80", false),
    ]) func endpointsOverlap(_ one: String, _ other: String, _ overlap: Bool) throws {
        let (one, other) = (try #require(Endpoint(one)), try #require(Endpoint(other)))
        #expect(one.overlaps(other) == overlap)
        #expect(other.overlaps(one) == overlap)
    }

    @Test func tablesHideSecrets() throws {
        let table = try read(["WALLET_KEY": "hidden"]).table()
        #expect(!table.contains("hidden"))
        #expect(table.contains("postgres://u:***@db/w"))
        #expect(table.contains("WALLET_LANES               2"))
        let markdown = Configuration.markdown(Keys.all)
        #expect(markdown.contains("| `WALLET_LANES` | `2` | 1...64 | Writer lanes. |\n"))
        #expect(markdown.contains("| `DATABASE_URL` | **required** |"))
        #expect(markdown.contains(#"More assets \| scales."#))
    }
}

@Suite struct ConfigurationFileTests {
    @Test func readsEveryForm() {
        let file = ConfigurationFile(
            name: "f",
            text: """
                # comment
                A=1
                  export B = no
                export C=two words # comment
                D="double \\"quoted\\" # kept \\n\\$x \\z" # comment
                E='single \\n # kept'
                F=
                G=a#b\r
                H="open
                I='x'y
                A=2
                1J=x
                K=é=ü
                """)
        let values = file.values.mapValues(\.text)
        #expect(
            values == [
                "A": "1", "C": "two words", "D": "double \"quoted\" # kept \n$x \\z", "E": "single \\n # kept",
                "F": "", "G": "a#b", "K": "é=ü",
            ])
        #expect(file.values["C"]?.line == 4)
        #expect(
            file.problems == [
                "f line 3: write NAME=value, with no spaces around the =",
                "f line 9: the quotes of H do not close, or text follows them",
                "f line 10: the quotes of I do not close, or text follows them",
                "f line 11: A stands on line 2 already; keep one of the two",
                "f line 12: write NAME=value, with no spaces around the =",
            ])
    }

    @Test func aMissingFileIsAnError() {
        #expect(throws: ConfigurationFile.Unreadable.self) { try ConfigurationFile(path: "/nonexistent/wallet.env") }
    }

    @Test func readsFromDisk() throws {
        let path = NSTemporaryDirectory() + "wallet-\(UUID().uuidString).env"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("A=1\n".utf8).write(to: URL(fileURLWithPath: path))
        #expect(try ConfigurationFile(path: path).values["A"]?.text == "1")
        try Data([0x41, 0x3D, 0xFF]).write(to: URL(fileURLWithPath: path))
        #expect(throws: ConfigurationFile.Unreadable.self) { try ConfigurationFile(path: path) }
    }
}

@Suite struct ConnectionURLTests {
    @Test func neverShowsThePassword() throws {
        let url = try #require(ConnectionURL("postgres://u:hidden@h/w", schemes: ["postgres"]))
        #expect(!"\(url) \(String(reflecting: url))".contains("hidden"))
        #expect(url.text == "postgres://u:hidden@h/w")
    }

    @Test func endpointsKeepTheirForm() {
        for text in ["127.0.0.1:8089", "[::1]:0", "db.example:65535"] {
            #expect(Endpoint(text)?.description == text)
        }
    }
}

@Suite struct MaskingTests {
    @Test(arguments: [
        ("plain text", "plain text"),
        ("postgres://host/db", "postgres://host/db"),
        ("postgres://u@host/db", "postgres://***@host/db"),
        ("postgres://u:p@host/db", "postgres://u:***@host/db"),
        ("x postgres://u:p:q@r@host:5/db y", "x postgres://u:***@host:5/db y"),
        ("nats://u:p@a:1,nats://v:q@b:2", "nats://u:***@a:1,nats://v:***@b:2"),
        ("postgres://u:p/w?x#y@h/db", "postgres://u:***@h/db"), ("postgres://u:p,q,w@h", "postgres://u:***,***,***@h"),
        ("tls://a:1,nats://u:p@b", "tls://a:1,nats://u:***@b"),
        ("{\"url\":\"x://u:p@h\"}", "{\"url\":\"x://u:***@h\"}"),
        ("nats://u:p@a,v:q@b/x", "nats://u:***@a,v:***@b/x"),
        ("postgres://h/db?user=u&password=p&x=1", "postgres://h/db?user=u&password=***&x=1"),
        ("host=h PASSWORD='a b' dbname=d", "host=h PASSWORD=*** dbname=d"),
        ("token=", "token=***"), ("a password=x", "a password=***"), ("://", "://"), ("mail a@b.c", "mail a@b.c"),
    ]) func hides(_ text: String, _ expected: String) {
        #expect(Masking.masked(text) == expected)
    }
}
