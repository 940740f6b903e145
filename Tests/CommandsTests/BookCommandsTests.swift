import Foundation
import Postgres
import TestSupport
import Testing

@testable import Commands

/// `wallet export` and `wallet import` from a shell.
@Suite struct BookCommandsTests {
    private static func environment(_ database: TestDatabase) -> [String: String] {
        [
            "DATABASE_URL": database.url(),
            "WALLET_MIGRATIONS": BuiltProgram.checkout.appending(path: "migrations").path(),
        ]
    }

    /// A book of two wallets, one of which opened a user's wallet.
    private static func migrated(users: [String] = []) throws -> TestDatabase {
        let database = try TestDatabase()
        let environment = environment(database)
        let program = try BuiltProgram(["migrate", "up"], environment: environment)
        #expect(program.exitCode == 0, "\(program.complaint)")
        let connection = try database.connect()
        defer { connection.close() }
        for (number, user) in users.enumerated() {
            try connection.execute(
                """
                INSERT INTO ledger.dead_letters (stream, stream_sequence, stored_at, subject, event_index, attempts,
                    reason, payload)
                VALUES ('USERS', \(number + 1), now(), 'u', 0, 1, 'failed',
                    convert_to('{"specversion":"1.0","data":{"id":"\(user)"}}', 'UTF8'))
                """)
        }
        if !users.isEmpty {
            let retried = try BuiltProgram(["deadletters", "retry", "all"], environment: environment)
            #expect(retried.exitCode == 0, "\(retried.complaint)")
        }
        return database
    }

    @Test func aRebuildOfTotalsTellsOfGapsAndCountsTheOthers() async throws {
        try await blocking {
            let database = try Self.migrated(users: ["anna", "bert"])
            defer { database.drop() }
            let connection = try database.connect()
            defer { connection.close() }
            // Version 3 of a wallet that has no version 2.
            try connection.execute(
                """
                INSERT INTO ledger.journal SELECT (r.entry).* FROM (
                    SELECT jsonb_populate_record(
                        j, '{"version": 3, "kind": 9, "key_digest": null, "reference_id": null}') AS entry
                    FROM ledger.journal j JOIN ledger.wallets w ON w.id = j.wallet_id WHERE w.owner_id = 'anna') r
                """)
            let rebuilt = try BuiltProgram(["rebuild", "--totals", "--all"], environment: Self.environment(database))
            #expect(rebuilt.exitCode == 1)
            #expect(rebuilt.output.contains("1 of the 3 entries after version 0 are missing"), "\(rebuilt.output)")
            #expect(rebuilt.output.hasSuffix("totals of 1 wallets counted anew from 1 entries\n"), "\(rebuilt.output)")
        }
    }

    @Test func aBookGoesThroughAFile() async throws {
        try await blocking {
            let (source, target) = (try Self.migrated(users: ["anna", "bert"]), try Self.migrated())
            defer {
                source.drop()
                target.drop()
            }
            let folder = FileManager.default.temporaryDirectory.appending(path: "wallet-book-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appending(path: "book.ndjson").path()
            let exported = try BuiltProgram(
                ["export", "--output", file], environment: Self.environment(source))
            #expect(exported.exitCode == 0 && exported.output.isEmpty)
            #expect(exported.complaint == "exported 2 wallets, 2 entries, 0 refusals, 0 batch keys\n")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()) == ["book.ndjson"])
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            let text = try String(contentsOfFile: file, encoding: .utf8)
            // As a person would check it: all lines but the last one.
            let lines = text.split(separator: "\n")
            #expect(lines.count == 6 && lines[0].contains(#""assets":"EUR:2""#))
            let streamed = try BuiltProgram(["export"], environment: Self.environment(source)).output
            #expect(streamed.split(separator: "\n")[1..<5] == lines[1..<5])

            let cut = folder.appending(path: "cut.ndjson")
            try Data(text.utf8.dropLast(5)).write(to: cut)
            let refused = try BuiltProgram(["import", cut.path()], environment: Self.environment(target))
            #expect(refused.exitCode == 1)
            #expect(refused.complaint == "wallet: line 6: the line has no end: the file was cut\n")

            let imported = try BuiltProgram(["import", file], environment: Self.environment(target))
            #expect(imported.exitCode == 0, "\(imported.complaint)")
            #expect(imported.complaint.hasPrefix("imported 2 wallets, 2 entries, 0 refusals, 0 batch keys\n"))
            #expect(imported.output == "2 wallets, 2 entries, 0 transfers: the books agree\n")
            let audit = try BuiltProgram(["audit"], environment: Self.environment(target))
            #expect(audit.exitCode == 0 && audit.output == imported.output)
            let connection = try target.connect()
            defer { connection.close() }
            let rows = try connection.textRows(
                "SELECT count(*)::text, count(DISTINCT owner_id)::text FROM projection.wallets")
            #expect(rows == [["2", "2"]])

            let again = try BuiltProgram(["import", file], environment: Self.environment(target))
            #expect(again.exitCode == 1 && again.complaint.contains("this ledger is not empty"))
        }
    }

    @Test(arguments: [
        (["import"], 2, "needs FILE"),
        (["import", "/nonexistent/book"], 1, "cannot read /nonexistent/book: No such file"),
        (["import", "a", "b"], 2, "does not take \"b\""),
        (["export", "book"], 2, "export does not take \"book\""),
    ])
    func aWrongCommandLineIsRefused(arguments: [String], code: Int32, reason: String) throws {
        let program = try BuiltProgram(arguments, environment: CommandLineTests.complete)
        #expect(program.exitCode == code)
        #expect(program.complaint.contains(reason), "said instead: \(program.complaint)")
    }

    @Test func aFileThatCannotBeWrittenLeavesNothing() async throws {
        try await blocking {
            let database = try Self.migrated()
            defer { database.drop() }
            let nowhere = try BuiltProgram(
                ["export", "--output", "/nonexistent/book"], environment: Self.environment(database))
            #expect(nowhere.exitCode == 1 && nowhere.complaint.contains("cannot write /nonexistent/book"))
            let folder = FileManager.default.temporaryDirectory.appending(path: "wallet-book-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: folder) }
            func path(_ name: String) -> String { folder.appending(path: name).path() }
            try FileManager.default.createDirectory(atPath: path("folder"), withIntermediateDirectories: true)
            try Data("kept".utf8).write(to: folder.appending(path: "file"))
            try FileManager.default.createSymbolicLink(atPath: path("link"), withDestinationPath: "file")
            #expect(mkfifo(path("pipe"), 0o600) == 0)
            for name in ["folder", "link", "pipe"] {
                let refused = try BuiltProgram(
                    ["export", "--output", path(name)], environment: Self.environment(database))
                #expect(refused.exitCode == 1, "\(name): \(refused.complaint)")
                #expect(refused.complaint.contains("\(name): it is there and no regular file"), "\(refused.complaint)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()).count == 4)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path("link")) == "file")
            #expect(try String(contentsOfFile: path("file"), encoding: .utf8) == "kept")
            var status = stat()
            #expect(lstat(path("pipe"), &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
        }
    }

    /// Without a standard output the first connection to the database would get its number, and the book's bytes.
    @Test func aBookGoesIntoNoConnection() async throws {
        try await blocking {
            let database = try Self.migrated(users: ["anna"])
            defer { database.drop() }
            let program = try BuiltProgram(["export"], environment: Self.environment(database), redirection: ">&-")
            #expect(program.exitCode == 1)
            #expect(program.complaint == "wallet: cannot write standard output: Bad file descriptor\n")
        }
    }
}
