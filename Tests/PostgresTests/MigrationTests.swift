import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite struct MigrationTests {
    /// A folder that goes with the test.
    final class Folder {
        let path = FileManager.default.temporaryDirectory.appending(path: "wallet-migrations-\(UUID().uuidString)").path
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ name: String, _ sql: String) throws {
            try sql.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        }
        func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }
        func seal() throws {
            try write(MigrationFolder.integrityFile, try MigrationFolder.integrityText(ofFolder: path))
        }
        func migrator(_ database: TestDatabase) throws -> Migrator {
            Migrator(
                folder: try MigrationFolder(path: path, schema: "app"), configuration: try database.configuration())
        }
    }

    private static func two() throws -> Folder {
        let folder = try Folder()
        try folder.write("0001_first.sql", "CREATE TABLE app.a (id int); CREATE TABLE app.b (id int);")
        try folder.write("0002_second.sql", "INSERT INTO app.a VALUES (1);")
        try folder.seal()
        return folder
    }

    private static func history(_ body: () throws -> some Any) -> String? {
        do {
            _ = try body()
            return nil
        } catch MigrationError.history(let reason) {
            return reason
        } catch {
            return "\(error)"
        }
    }

    @Test func upAppliesInOrderAndOnlyOnce() throws {
        let database = try TestDatabase()
        let folder = try Self.two()
        let migrator = try folder.migrator(database)
        #expect(try migrator.status().map(\.appliedAt) == [nil, nil])
        #expect(throws: MigrationError.pending(schema: "app", count: 2)) { try migrator.pendingCheck() }
        // Looking must not have made anything.
        #expect(try database.connect().query(sql: "SELECT to_regnamespace('app') IS NULL").bool(0, 0))
        #expect(try migrator.up() == ["0001_first.sql", "0002_second.sql"])
        #expect(try migrator.up() == [])
        try migrator.pendingCheck()
        #expect(try migrator.status().allSatisfy { $0.appliedAt != nil })
        #expect(try database.connect().query(sql: "SELECT count(*) FROM app.a").int(0, 0) == 1)
        try folder.write("0003_third.sql", "DROP TABLE app.b;")
        try folder.seal()
        #expect(try folder.migrator(database).up() == ["0003_third.sql"])
    }

    @Test func aFailingStepLeavesNothingAndKeepsTheEarlierOnes() throws {
        let database = try TestDatabase()
        let folder = try Self.two()
        try folder.write("0003_bad.sql", "CREATE TABLE app.c (id int); SELECT 1 / 0;")
        try folder.seal()
        let error = #expect(throws: MigrationError.self) { try folder.migrator(database).up() }
        #expect(error.map { "\($0)".contains("0003_bad.sql") } == true)
        let connection = try database.connect()
        #expect(try connection.query(sql: "SELECT to_regclass('app.c') IS NULL").bool(0, 0))
        #expect(try connection.query(sql: "SELECT count(*) FROM app.schema_migrations").int(0, 0) == 2)
    }

    @Test func aStepThatEndsItsTransactionIsReported() throws {
        let folder = try Self.two()
        try folder.write("0003_sly.sql", "COMMIT; BEGIN;")
        try folder.seal()
        let error = #expect(throws: MigrationError.self) { try folder.migrator(TestDatabase()).up() }
        #expect(error.map { "\($0)".contains("ends the transaction") } == true)
    }

    @Test func theIntegrityFileMustFitTheFolder() throws {
        let folder = try Self.two()
        _ = try MigrationFolder(path: folder.path, schema: "app")
        func problem() -> MigrationError? {
            #expect(throws: MigrationError.self) { try MigrationFolder(path: folder.path, schema: "app") }
        }
        try folder.write("0002_second.sql", "INSERT INTO app.a VALUES (2);")
        #expect(problem() == .integrity("0002_second.sql was changed"))
        try folder.remove("0002_second.sql")
        #expect(problem() == .integrity("0002_second.sql is missing"))
        try folder.seal()
        try folder.write("0003_new.sql", "SELECT 1")
        #expect(problem() == .integrity("0003_new.sql is not listed in checksums.sha256"))
        try folder.write("0003_same.sql", "SELECT 1")
        #expect(problem() == .badName("0003_same.sql"))
        try folder.remove("0003_same.sql")
        try folder.write("3_short.sql", "SELECT 1")
        #expect(problem() == .badName("3_short.sql"))
        try folder.remove("3_short.sql")
        try folder.remove(MigrationFolder.integrityFile)
        #expect(problem() == .unreadable("\(folder.path)/checksums.sha256"))
        try folder.write(MigrationFolder.integrityFile, "nonsense\n")
        #expect(problem() != nil)
    }

    @Test func theIntegrityFileIsWhatTheUsualToolWrites() throws {
        let folder = try Self.two()
        let tool = Process()
        tool.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
        tool.arguments = ["--check", "--strict", "--quiet", MigrationFolder.integrityFile]
        tool.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        try tool.run()
        tool.waitUntilExit()
        #expect(tool.terminationStatus == 0)
    }

    @Test func aRewrittenHistoryIsRefused() throws {
        let database = try TestDatabase()
        let folder = try Self.two()
        _ = try folder.migrator(database).up()
        try folder.write("0002_second.sql", "INSERT INTO app.a VALUES (2);")
        try folder.seal()
        for attempt in [{ try folder.migrator(database).up().count }, { try folder.migrator(database).verify() }] {
            #expect(Self.history(attempt) == "0002_second.sql was edited after it had been applied")
        }
        #expect(Self.history { try folder.migrator(database).status() } != nil)
        #expect(Self.history { try folder.migrator(database).pendingCheck() } != nil)
        try folder.remove("0002_second.sql")
        try folder.seal()
        #expect(Self.history { try folder.migrator(database).up() }?.contains("the database is newer") == true)
        try folder.write("0003_third.sql", "SELECT 1;")
        try folder.seal()
        #expect(
            Self.history { try folder.migrator(database).up() }
                == "0002_second.sql was applied and is missing from the folder")
        try folder.remove("0003_third.sql")
        try folder.write("0002_renamed.sql", "INSERT INTO app.a VALUES (1);")
        try folder.seal()
        #expect(
            Self.history { try folder.migrator(database).up() }
                == "0002_second.sql was applied and is now called 0002_renamed.sql")
    }

    @Test func aStepBeforeAppliedOnesIsRefused() {
        func step(_ version: Int64) -> Migration {
            Migration(version: version, file: "\(version)", checksum: "c\(version)", sql: "")
        }
        func applied(_ version: Int64) -> Migrator.Applied {
            Migrator.Applied(version: version, file: "\(version)", checksum: "c\(version)")
        }
        let reason = Self.history { try Migrator.pending(of: [1, 2, 3].map(step), after: [1, 3].map(applied)) }
        #expect(reason == "2 comes before steps that have been applied already")
        #expect(Self.history { try Migrator.pending(of: [1, 2, 3].map(step), after: [1, 2].map(applied)) } == nil)
        #expect(Self.history { try Migrator.pending(of: [], after: []) } == nil)
    }

    @Test func runnersAtTheSameTimeApplyEachStepOnce() async throws {
        let database = try TestDatabase()
        let folder = try Self.two()
        // The lock is held, so that all runners are there before the first may begin.
        let holder = try database.connect()
        try holder.execute("SELECT pg_advisory_lock(hashtextextended('wallet migrate app', 0))")
        let migrator = try folder.migrator(database)
        async let runs = withThrowingTaskGroup(of: [String].self) { group in
            for index in 0..<4 {
                group.addTask { try await Self.onThread(index) { try migrator.up() } }
            }
            return try await group.reduce(into: [String]()) { $0 += $1 }
        }
        try await eventually {
            try holder.query(
                sql: "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'"
            ).int(0, 0) == 4
        }
        holder.close()
        #expect(try await runs == ["0001_first.sql", "0002_second.sql"])
        #expect(try database.connect().query(sql: "SELECT count(*) FROM app.a").int(0, 0) == 1)
    }

    @Test func waitingForAnotherRunnerEnds() throws {
        let database = try TestDatabase()
        let holder = try database.connect()
        try holder.execute("SELECT pg_advisory_lock(hashtextextended('wallet migrate app', 0))")
        let folder = try Self.two()
        let migrator = Migrator(
            folder: try MigrationFolder(path: folder.path, schema: "app"),
            configuration: try database.configuration(), lockWait: .milliseconds(50))
        #expect(throws: MigrationError.locked(schema: "app")) { try migrator.up() }
        #expect(holder.isHealthy)
    }

    private static func onThread<T: Sendable>(
        _ index: Int, _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }
}
