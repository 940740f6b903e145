import Foundation
import Postgres
import TestSupport
import Testing

@testable import Commands

/// `wallet deadletters` on a database with letters of both sides.
@Suite struct DeadLettersTests {
    @Test(arguments: [
        (["deadletters"], "needs ACTION"),
        (["deadletters", "burn"], "write list, retry or drop"),
        (["deadletters", "retry"], "name one event"),
        (["deadletters", "retry", "7"], "\"7\" is no event"),
        (["deadletters", "retry", "ledger-7"], "\"ledger-7\" is no event"),
        (["deadletters", "retry", "provisioning-0"], "\"provisioning-0\" is no event"),
        (["deadletters", "drop", "all"], "needs --reason"),
        (["deadletters", "list", "all"], "list takes no ID"),
        (["deadletters", "retry", "all", "--json"], "--json is for list"),
    ])
    func aWrongCommandLineIsRefused(arguments: [String], reason: String) throws {
        let program = try BuiltProgram(arguments, environment: CommandLineTests.complete)
        #expect(program.exitCode == 2)
        #expect(program.complaint.contains(reason), "said instead: \(program.complaint)")
    }

    @Test func anUnknownAssetForUsersIsRefusedAtTheStart() throws {
        var environment = CommandLineTests.complete
        environment["WALLET_USER_ASSETS"] = "EUR,GOLD"
        for arguments in [["worker"], ["deadletters", "list"]] {
            let program = try BuiltProgram(arguments, environment: environment)
            #expect(program.exitCode == 2)
            #expect(program.complaint.contains("WALLET_USER_ASSETS names GOLD"), "said: \(program.complaint)")
        }
        environment["WALLET_ASSETS"] = "GOLD:3"
        #expect(try BuiltProgram(["config"], environment: environment).exitCode == 0)
        environment["WALLET_USER_SUBJECT"] = "users.>"
        #expect(try BuiltProgram(["config"], environment: environment).complaint.contains("without wildcards"))
    }

    private static let good = #"{"specversion":"1.0","data":{"id":"anna"}}"#

    @Test func lettersAreListedRetriedAndDropped() async throws {
        try await blocking {
            let database = try TestDatabase()
            defer { database.drop() }
            let environment = [
                "DATABASE_URL": database.url(),
                "WALLET_MIGRATIONS": BuiltProgram.checkout.appending(path: "migrations").path(),
            ]
            func wallet(_ arguments: String...) throws -> BuiltProgram {
                try BuiltProgram(arguments, environment: environment)
            }
            #expect(try wallet("migrate", "up").exitCode == 0)
            #expect(try wallet("deadletters", "list").output == "there are no dead letters\n")
            #expect(try wallet("deadletters", "list", "--json").output.isEmpty)
            let connection = try database.connect()
            defer { connection.close() }
            try connection.execute(
                """
                INSERT INTO ledger.dead_letters (stream, stream_sequence, stored_at, subject, event_index, attempts,
                    reason, payload)
                VALUES ('USERS', 1, now(), 'u', 0, 20, 'failed', convert_to('\(Self.good)', 'UTF8')),
                    ('USERS', 2, now(), 'u', 0, 1, E'not\\nJSON', '\\xff');
                INSERT INTO projection.dead_letters (stream, stream_sequence, stored_at, subject, event_index, reason,
                    payload)
                VALUES ('WALLET_EVENTS', 9, now(), 'wallet.events.0', 3, 'unknown', '{}')
                """)
            let table = try wallet("deadletters", "list").output.split(separator: "\n")
            #expect(table.count == 5)
            #expect(table.contains { $0.hasPrefix("provisioning-1 ") && $0.hasSuffix("  failed") })
            #expect(table.contains { $0.hasSuffix("  not JSON") })
            let lines = try wallet("deadletters", "list", "--json").output.split(separator: "\n")
            #expect(lines.count == 3)
            #expect(lines[0].hasPrefix(#"{"id":"projection-1","#) && lines[0].hasSuffix(#""payload":"{}"}"#))
            #expect(lines[2].contains(#""payload_base64":"/w==""#))

            let retried = try wallet("deadletters", "retry", "all")
            #expect(retried.exitCode == 1)
            #expect(retried.output == "provisioning-1: done\n")
            #expect(retried.complaint.contains("provisioning-2: failed: not a CloudEvent in JSON"))
            #expect(retried.complaint.contains("projection-1: failed: "))
            let wallets = try connection.query(
                sql: "SELECT count(*) FROM ledger.wallets WHERE owner_id = 'anna' AND asset = 'EUR'")
            #expect(try wallets.int(0, 0) == 1)
            let gone = try wallet("deadletters", "retry", "provisioning-1")
            #expect(gone.exitCode == 1 && gone.complaint.contains("there is no dead letter provisioning-1"))

            let dropped = try wallet("deadletters", "drop", "provisioning-2", "--reason", "a test of theirs")
            #expect(dropped.exitCode == 0 && dropped.output == "provisioning-2: dropped\n")
            #expect(dropped.complaint.contains("a test of theirs"))
            #expect(try wallet("deadletters", "drop", "all", "--reason", "x").output == "projection-1: dropped\n")
            #expect(try wallet("deadletters", "list").output == "there are no dead letters\n")
        }
    }
}
