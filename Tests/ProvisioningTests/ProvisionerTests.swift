import Events
import JSON
import Ledger
import LedgerStore
import Messaging
import Observability
import Postgres
import Requests
import TestSupport
import Testing

@testable import Provisioning

/// Users get their wallets, whatever happens on the way.
@Suite struct ProvisionerTests {
    private static let wallets = "SELECT count(*) FROM ledger.wallets"
    private static let letters = "SELECT count(*) FROM ledger.dead_letters"

    @Test func anEventThatComesFiftyTimesOverThreeWorkersMakesOneWallet() async throws {
        try await ProvisioningRig.run { rig in
            try await rig.makeStream()
            for _ in 1...3 { try await rig.startWorker(assets: [ProvisioningRig.euro, ProvisioningRig.points]) }
            // Every copy with an id of its own: what differs between deliveries must not matter.
            try await rig.publish((1...50).map { ProvisioningRig.event("anna", id: "e-\($0)") })
            try await rig.expectAllAnswered()
            #expect(try rig.number(Self.wallets) == 2)
            #expect(try rig.number(Self.wallets + " WHERE owner_id = 'anna' AND asset = 'EUR'") == 1)
            #expect(try rig.number(Self.wallets + " WHERE owner_id = 'anna' AND asset = 'POINTS'") == 1)
            #expect(rig.count("wallet_provisioned_wallets_total") == 2)
            #expect(rig.count("wallet_provisioning_repeats_total") >= 48)
            #expect(try rig.number(Self.letters) == 0)
            #expect(try rig.number("SELECT sum(event_count)::int8 FROM ledger.outbox") == 2)
        }
    }

    @Test func batchesAndOtherSubjectsOfTheStream() async throws {
        try await ProvisioningRig.run { rig in
            try await rig.makeStream()
            try await rig.startWorker()
            try await rig.publish([ProvisioningRig.event("nobody")], to: "users.user.deleted.v1")
            let users = (1...40).map { ProvisioningRig.event("u-\($0 % 30)") }
            try await rig.publish(["[\(users.joined(separator: ","))]", "[]", ProvisioningRig.event("single")])
            try await rig.expect(31, Self.wallets)
            try await rig.expectAllAnswered()
            #expect(try rig.number(Self.wallets) == 31)
            #expect(try rig.number(Self.wallets + " WHERE owner_id = 'nobody'") == 0)
        }
    }

    @Test func whatCameWhileTheDatabaseWasAwayIsMadeLater() async throws {
        try await ProvisioningRig.run { rig in
            try await rig.makeStream()
            var configuration = ProvisioningRig.configuration
            // An outage says nothing about the events: it does not count, however long it is.
            configuration.refusalsMax = 1
            try await rig.startWorker(configuration)
            try await rig.publish([ProvisioningRig.event("first")])
            try await rig.expect(1, Self.wallets)
            try await rig.proxy.refuse()
            try await rig.publish((1...20).map { ProvisioningRig.event("u-\($0)") } + ["garbage"])
            try await eventually("messages were given back") { rig.count("wallet_provisioning_retries_total") >= 42 }
            #expect(try rig.number(Self.wallets) == 1)
            rig.proxy.resume()
            try await rig.expect(21, Self.wallets)
            try await rig.expect(1, Self.letters)
            try await rig.expectAllAnswered()
            #expect(try rig.number(Self.letters + " WHERE convert_from(payload, 'UTF8') = 'garbage'") == 1)
        }
    }

    /// JetStream counts the deliveries of an outage, too: they are no refusals.
    @Test func deliveriesInAnOutageAreNoRefusals() async throws {
        try await ProvisioningRig.run { rig in
            try await rig.startRefusingPoison(refusalsMax: 4)
            try await rig.publish([ProvisioningRig.event("first")])
            try await rig.expect(1, Self.wallets)
            try await rig.proxy.refuse()
            try await rig.publish([ProvisioningRig.event("poison")])
            try await eventually("it was given back") { rig.count("wallet_provisioning_retries_total") >= 5 }
            let before = rig.count("wallet_provisioning_retries_total")
            rig.proxy.resume()
            try await rig.expect(1, Self.letters + " WHERE attempts >= \(before + 4) AND reason LIKE '%no_poison%'")
            try await rig.expectAllAnswered()
        }
    }

    @Test func whatCanNeverBeUnderstoodIsPutAsideWithItsReason() async throws {
        try await ProvisioningRig.run { rig in
            try await rig.makeStream()
            try await rig.startWorker()
            let nameless = #"{"specversion":"1.0","data":{}}"#
            try await rig.publish(["no JSON \u{1}", "[\(nameless),\(ProvisioningRig.event("good")),17]"])
            try await rig.expect(3, Self.letters)
            try await rig.expectAllAnswered()
            #expect(try rig.number(Self.wallets + " WHERE owner_id = 'good'") == 1)
            #expect(
                try rig.number(Self.letters + " WHERE reason LIKE 'the user''s id%is missing' AND attempts = 1") == 1)
            #expect(
                try rig.number(
                    Self.letters + " WHERE (stream_sequence, event_index) IN ((1, 0), (2, 0), (2, 2))") == 3)
            #expect(rig.count("wallet_provisioning_dead_letters_total") == 3)
            #expect(rig.count("wallet_provisioning_retries_total") == 0)
        }
    }

    @Test func whatFailsTooOftenIsPutAsideAndCanBeRetried() async throws {
        try await ProvisioningRig.run { rig in
            try await rig.startRefusingPoison(refusalsMax: 3)
            try await rig.publish([ProvisioningRig.event("poison"), ProvisioningRig.event("fine")])
            try await rig.expect(1, Self.letters + " WHERE attempts = 3 AND reason LIKE '%no_poison%'")
            try await rig.expectAllAnswered()
            #expect(try rig.number(Self.wallets) == 1)
            #expect(rig.count("wallet_provisioning_retries_total") == 2)

            let letter = try await blocking {
                let connection = try rig.database.connect()
                defer { connection.close() }
                return try DeadLetterTable.provisioning.letters(limit: 10, on: connection).first
            }
            let payload = try #require(letter).payload
            try await Self.withUsers(of: rig) { users in
                #expect(await users.apply(payload)?.contains("no_poison") == true)
                try rig.execute("ALTER TABLE ledger.wallets DROP CONSTRAINT no_poison")
                #expect(await users.apply(payload) == nil)
                #expect(await users.apply(payload) == nil)
            }
            #expect(try rig.number(Self.wallets + " WHERE owner_id = 'poison'") == 1)
        }
    }

    @Test func aMissingStreamIsWaitedForAndNotMade() async throws {
        try await ProvisioningRig.run { rig in
            try await rig.startWorker()
            try await eventually("it was looked for") { rig.count("wallet_provisioning_stream_missing_total") >= 3 }
            #expect(rig.log.matches(of: /there is no stream of user events/).count == 1)
            try await rig.makeStream()
            try await rig.publish([ProvisioningRig.event("late")])
            try await rig.expect(1, Self.wallets)
        }
    }

    @Test func aMissingStreamIsMadeWhenThatIsAskedFor() async throws {
        try await ProvisioningRig.run { rig in
            var configuration = ProvisioningRig.configuration
            configuration.createsStream = true
            try await rig.startWorker(configuration)
            try await rig.expectAllAnswered()
            try await rig.publish([ProvisioningRig.event("anna")])
            try await rig.expect(1, Self.wallets)
            #expect(rig.count("wallet_provisioning_stream_missing_total") == 0)
        }
    }

    /// A stream made anew counts from 1 again: neither users nor dead letters may be taken for old ones.
    @Test func aStreamMadeAnewIsReadFromItsBeginning() async throws {
        try await ProvisioningRig.run { rig in
            try await rig.makeStream()
            try await rig.startWorker()
            try await rig.publish(["garbage", ProvisioningRig.event("anna")])
            try await rig.expect(1, Self.wallets)
            try await rig.expect(1, Self.letters)
            let connection = try await rig.connect()
            try await blocking { try NATSStreams.delete(ProvisioningRig.stream, over: connection) }
            try await rig.makeStream()
            try await rig.publish(["other garbage", ProvisioningRig.event("anna"), ProvisioningRig.event("bela")])
            try await rig.expect(2, Self.wallets)
            try await rig.expect(2, Self.letters)
        }
    }

    /// Wallets that clients open are their own business, and no key of theirs stands in the way.
    @Test func walletsOpenedByClientsDoNotCount() async throws {
        try await ProvisioningRig.run { rig in
            try await rig.makeStream()
            try await Self.withWriter(of: rig) { writer in
                for (number, reference) in ["user:anna:EUR", "user anna EUR"].enumerated() {
                    let request = OpeningRequest(
                        ownerID: "anna", asset: ProvisioningRig.euro, writtenAsset: nil,
                        key: IdempotencyKey(reference: reference))
                    let operation = request.operation(newID: { RawUUID(bits: UInt128(number + 1)) })
                    guard case .applied = try await writer.submit(operation, origin: .none) else {
                        Issue.record("the client got no wallet")
                        return
                    }
                }
            }
            try await rig.startWorker()
            try await rig.publish([ProvisioningRig.event("anna")])
            try await rig.expectAllAnswered()
            #expect(rig.count("wallet_provisioned_wallets_total") == 1)
            #expect(try rig.number(Self.wallets) == 3)
        }
    }

    private static func withUsers(
        of rig: ProvisioningRig, _ body: (UserProvisioning) async throws -> Void
    ) async throws {
        try await withWriter(of: rig) { writer in
            try await body(UserProvisioning(assets: [ProvisioningRig.euro], writer: writer))
        }
    }

    private static func withWriter(of rig: ProvisioningRig, _ body: (LedgerWriter) async throws -> Void) async throws {
        let writer = LedgerWriter(
            configuration: LedgerWriterConfiguration(), database: try rig.database.configuration(),
            assets: AssetTable(), logger: .silent, metrics: MetricsRegistry())
        let running = Task { try await writer.run() }
        do {
            try await body(writer)
        } catch {
            await writer.stop()
            throw error
        }
        await writer.stop()
        try await running.value
    }
}
