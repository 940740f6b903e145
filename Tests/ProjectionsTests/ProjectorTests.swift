import Events
import JSON
import Ledger
import Messaging
import Postgres
import TestSupport
import Testing

@testable import Projections

/// What a projector does with events that come doubled, late, out of order or broken.
@Suite struct ProjectorTests {
    /// A wallet at a version, with a balance that tells the version.
    private static func event(_ id: WalletID, _ version: Int64, owner: String? = nil) -> WalletEvent {
        let moment = Timestamp(microseconds: 1_800_000_000_000_000 + version)
        let wallet = Wallet(
            id: id, ownerID: owner, asset: EventPath.eur, balance: Int128(version), pendingDebit: 0, pendingCredit: 0,
            overdraftLimit: 0, version: version, status: .active, metadata: nil, createdAt: moment, updatedAt: moment)
        return WalletEvent(type: .walletCreated, wallet: wallet, transfer: nil, origin: .none)
    }

    private static func id(_ number: Int) -> WalletID { WalletID(RawUUID(bits: UInt128(number) + 1)) }

    private static func message(_ events: [WalletEvent]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginArray()
        for event in events { writer.event(event) }
        writer.endArray()
        return writer.bytes
    }

    private static func publish(_ payloads: [[UInt8]], on path: EventPath) async throws {
        let connection = try await path.connect("test-publish")
        let stream = path.streamConfiguration()
        let logger = path.logger
        try await blocking {
            let admin = JetStreamAdmin(connection: connection, logger: logger)
            _ = try admin.ensureStream(stream)
            _ = try admin.ensureConsumer(EventPath.consumerConfiguration, on: stream.name)
        }
        let publisher = try BatchPublisher(
            connection: connection, expectedStream: EventPath.stream, logger: logger, metrics: path.metrics)
        let results = await publisher.publish(
            payloads.enumerated().map { index, payload in
                OutgoingMessage(subject: "wallet.events.0", messageID: "m\(index)", payload: payload)
            }, within: .seconds(5))
        for result in results {
            guard case .stored = result else { throw Disagreement(description: "\(result)") }
        }
        await publisher.close()
    }

    private static func expect(_ count: Int, _ sql: String, on path: EventPath) async throws {
        try await eventually("\(sql) gives \(count)") { try path.projectedNumber(sql) == count }
    }

    /// Everything was delivered and acknowledged.
    private static func expectNoLag(_ projector: Projector) async throws {
        try await eventually("all is acknowledged") { projector.lag?.messages == 0 }
    }

    @Test func theNewestVersionWinsInAnyOrder() async throws {
        try await EventPath.run { path in
            var random = TestRandom()
            var payloads: [[UInt8]] = []
            let events = (0..<20).flatMap { wallet in (1...10).map { Self.event(Self.id(wallet), Int64($0)) } }
            // Twice each, in any order, in messages of any length.
            var shuffled = (events + events).shuffled(using: &random)
            while !shuffled.isEmpty {
                let count = min(shuffled.count, 1 + random.below(7))
                payloads.append(Self.message(Array(shuffled.prefix(count))))
                shuffled.removeFirst(count)
            }
            try await Self.publish(payloads, on: path)
            let first = try await path.startProjector(eventsPerTransaction: 10)
            _ = try await path.startProjector(eventsPerTransaction: 10)
            try await Self.expect(20, "SELECT count(*) FROM projection.wallets WHERE version = 10", on: path)
            try await Self.expectNoLag(first)
            #expect(try path.projectedNumber("SELECT sum(balance)::int8 FROM projection.wallets") == 200)
            #expect(try path.projectedNumber("SELECT count(*) FROM projection.dead_letters") == 0)
        }
    }

    @Test func malformedMessagesAndEventsArePutAside() async throws {
        try await EventPath.run { path in
            let unknown = #"{"specversion":"1.0","id":"x","type":"wallet.exploded.v1","data":{}}"#
            let empty = #"{"specversion":"1.0","id":"x","type":"wallet.created.v1","data":{}}"#
            let good = String(decoding: Self.message([Self.event(Self.id(1), 1)]).dropFirst().dropLast(), as: UTF8.self)
            try await Self.publish(
                [
                    Array("no JSON at all \u{0}".utf8), Array("[\(empty),\(good),\(unknown),17]".utf8),
                    Array("[]".utf8),
                    Self.message([Self.event(Self.id(2), 1)]),
                ], on: path)
            let projector = try await path.startProjector()
            try await Self.expect(2, "SELECT count(*) FROM projection.wallets", on: path)
            try await Self.expect(3, "SELECT count(*) FROM projection.dead_letters", on: path)
            try await Self.expectNoLag(projector)
            #expect(
                try path.projectedNumber(
                    """
                    SELECT count(*) FROM projection.dead_letters
                    WHERE stream = 'WALLET_EVENTS' AND subject = 'wallet.events.0'
                        AND (stream_sequence, event_index) IN ((1, 0), (2, 0), (2, 3)) AND length(payload) > 0
                    """) == 3)
            #expect(
                try path.projectedNumber(
                    "SELECT count(*) FROM projection.dead_letters WHERE reason LIKE '%data.wallet%'") == 1)
            #expect(path.count("wallet_projection_dead_letters_total") == 3)
            #expect(path.count("wallet_projector_skipped_total") == 1)
        }
    }

    /// A stream made anew counts from 1 again: its dead letters may not be taken for old ones.
    @Test func deadLettersOfAStreamMadeAnewAreKept() async throws {
        try await EventPath.run { path in
            try await Self.publish([Array("garbage".utf8)], on: path)
            _ = try await path.startProjector()
            try await Self.expect(1, "SELECT count(*) FROM projection.dead_letters", on: path)
            let connection = try await path.connect("test-delete")
            try await blocking { try NATSStreams.delete(EventPath.stream, over: connection) }
            try await Self.publish([Array("other garbage".utf8)], on: path)
            try await Self.expect(
                2, "SELECT count(DISTINCT payload) FROM projection.dead_letters WHERE stream_sequence = 1", on: path)
            try await eventually("both are counted") { path.count("wallet_projection_dead_letters_total") == 2 }
        }
    }

    @Test func onlyDeadLettersThatWereNotKeptBeforeCount() async throws {
        try await EventPath.run { path in
            try await blocking {
                let connection = try path.projectionDatabase.connect()
                defer { connection.close() }
                let writer = try ProjectionWriter(connection: connection)
                let letters = (0..<3).map { index in
                    DeadLetter(
                        stream: "S", sequence: 1, storedAt: Timestamp(microseconds: 1_800_000_000_000_000),
                        subject: "s", index: index, reason: "r", payload: [1])
                }
                #expect(try writer.apply([], deadLetters: [letters[1]]).deadLetters.map(\.index) == [1])
                let event = Self.event(Self.id(1), 1)
                let changes = try writer.apply([event], deadLetters: letters)
                #expect(changes.wallets == 1 && changes.deadLetters.map(\.index) == [0, 2])
                #expect(try writer.apply([event], deadLetters: letters).deadLetters.isEmpty)
            }
        }
    }

    @Test func anEventThatTheDatabaseRefusesHarmsNoOther() async throws {
        try await EventPath.run { path in
            try path.executeOnProjections(
                "ALTER TABLE projection.wallets ADD CONSTRAINT no_poison CHECK (owner_id <> 'poison')")
            let events = (0..<40).map { Self.event(Self.id($0), 1, owner: $0 % 13 == 6 ? "poison" : "fine") }
            try await Self.publish([Self.message(Array(events[..<25])), Self.message(Array(events[25...]))], on: path)
            let projector = try await path.startProjector()
            try await Self.expect(37, "SELECT count(*) FROM projection.wallets", on: path)
            try await Self.expect(3, "SELECT count(*) FROM projection.dead_letters", on: path)
            try await Self.expectNoLag(projector)
            #expect(
                try path.projectedNumber(
                    """
                    SELECT count(*) FROM projection.dead_letters WHERE reason LIKE '%no_poison%'
                        AND (stream_sequence, event_index) IN ((1, 6), (1, 19), (2, 7))
                    """) == 3)
        }
    }

    @Test func aBusyDatabaseIsWaitedFor() async throws {
        try await EventPath.run { path in
            try await Self.publish([], on: path)
            let projector = try await path.startProjector()
            try await eventually("it is connected") { projector.lagReason == nil }
            let blocker = try path.projectionDatabase.connect()
            try blocker.execute("BEGIN; LOCK TABLE projection.wallets IN EXCLUSIVE MODE")
            try await Self.publish([Self.message([Self.event(Self.id(1), 1)])], on: path)
            // Longer than the lock timeout: a failed attempt must not become a dead letter.
            try await eventually("an attempt failed") { path.log.text.contains("projections cannot be written") }
            try blocker.execute("COMMIT")
            blocker.close()
            try await Self.expect(1, "SELECT count(*) FROM projection.wallets", on: path)
            try await Self.expectNoLag(projector)
            #expect(path.count("wallet_projection_dead_letters_total") == 0)
        }
    }

    @Test func aDatabaseThatIsNotAsItMustBeIsWaitedFor() async throws {
        try await EventPath.run { path in
            try await Self.publish([], on: path)
            let projector = try await path.startProjector()
            try await eventually("it is connected") { projector.lagReason == nil }
            try path.executeOnProjections("ALTER TABLE projection.wallets RENAME COLUMN balance TO equilibrium")
            try await Self.publish([Self.message([Self.event(Self.id(1), 1)])], on: path)
            try await eventually("an attempt failed") { path.log.text.contains("projections cannot be written") }
            try path.executeOnProjections("ALTER TABLE projection.wallets RENAME COLUMN equilibrium TO balance")
            try await Self.expect(1, "SELECT count(*) FROM projection.wallets", on: path)
            try await Self.expectNoLag(projector)
            #expect(path.count("wallet_projection_dead_letters_total") == 0)
        }
    }

    @Test func whatAStoppedProjectorHeldComesToTheNextAtOnce() async throws {
        try await EventPath.run { path in
            try await Self.publish([], on: path)
            let first = try await path.startProjector(eventsPerTransaction: 5)
            try await eventually("it is connected") { first.lagReason == nil }
            let blocker = try path.projectionDatabase.connect()
            try blocker.execute("BEGIN; LOCK TABLE projection.wallets IN EXCLUSIVE MODE")
            let payloads = (0..<50).map { Self.message([Self.event(Self.id($0), 1)]) }
            try await Self.publish(payloads, on: path)
            try await eventually("an attempt failed") { path.log.text.contains("projections cannot be written") }
            try await path.stop(first)
            #expect(path.count("wallet_projector_postponed_total") > 0)
            try blocker.execute("COMMIT")
            blocker.close()
            let second = try await path.startProjector(eventsPerTransaction: 5)
            try await Self.expect(50, "SELECT count(*) FROM projection.wallets", on: path)
            try await Self.expectNoLag(second)
        }
    }

    @Test func aMissingConsumerIsMadeWhenNobodyElseDoes() async throws {
        try await EventPath.run { path in
            let projector = try await path.startProjector(consumerPatience: .milliseconds(50))
            try await eventually("it is there") { projector.lagReason == nil }
            try await Self.publish([Self.message([Self.event(Self.id(1), 1)])], on: path)
            try await Self.expect(1, "SELECT count(*) FROM projection.wallets", on: path)
        }
    }
}
