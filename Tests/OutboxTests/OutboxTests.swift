import Ledger
import Messaging
import Postgres
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Outbox

/// The relay between a real database and a real broker.
@Suite struct OutboxTests {
    private static func expectAllPublished(_ rig: OutboxRig) async throws {
        try await eventually("all is published") { try rig.waiting() == 0 }
    }

    @Test func everyEventIsPublishedOnce() async throws {
        try await OutboxRig.run { rig in
            try rig.insert(rows: 40)
            try await rig.startRelay()
            try await Self.expectAllPublished(rig)
            let found = try await rig.eventsInStream()
            #expect(found.count == 400 && found.values.allSatisfy { $0 == 1 })
            try await eventually("all is counted") { rig.count("wallet_outbox_events_published_total") == 400 }
            #expect(rig.count("wallet_outbox_duplicates_total") == 0)
            #expect(try rig.number("SELECT count(*) FROM ledger.outbox WHERE attempts = 1 AND drive = 0") == 40)
        }
    }

    @Test func twoRelaysShareTheWorkAndLoseNothing() async throws {
        try await OutboxRig.run { rig in
            try await rig.startRelay()
            let second = try await rig.startRelay()
            for _ in 0..<5 { try rig.insert(rows: 20) }
            // One leaves in the middle of it.
            try await rig.stop(second)
            try rig.insert(rows: 20)
            try await Self.expectAllPublished(rig)
            let found = try await rig.eventsInStream()
            #expect(found.count == 1200 && found.values.allSatisfy { $0 == 1 })
        }
    }

    @Test func aKilledBrokerLosesAndDoublesNothing() async throws {
        try await OutboxRig.run { rig in
            try await rig.startRelay()
            for _ in 0..<3 {
                try rig.insert(rows: 30)
                try await blocking {
                    rig.broker.kill()
                    try rig.broker.start()
                }
            }
            try await Self.expectAllPublished(rig)
            let found = try await rig.eventsInStream()
            #expect(found.count == 900 && found.values.allSatisfy { $0 == 1 })
            #expect(rig.losses.load(ordering: .relaxed) == 0)
        }
    }

    @Test func whatADeadRelayHadClaimedComesFree() async throws {
        try await OutboxRig.run { rig in
            try rig.insert(rows: 3)
            let store = OutboxStore(pool: try rig.pool())
            let claimed = try await store.claim(2, lease: .seconds(300))
            #expect(claimed.count == 2)
            #expect(try await store.claim(10, lease: .seconds(300)).count == 1)
            #expect(try await store.claim(10, lease: .seconds(300)).isEmpty)
            // The end of two leases, without waiting for it.
            let ids = claimed.map { "'\($0.id.text)'" }.joined(separator: ", ")
            try rig.execute("UPDATE ledger.outbox SET next_attempt_at = now() WHERE id IN (\(ids))")
            try await rig.startRelay()
            try await eventually("the free ones are published") { try rig.waiting() == 1 }
            #expect(try rig.number("SELECT count(*) FROM ledger.outbox WHERE attempts = 2") == 2)
        }
    }

    @Test func aClaimIsBoundedInEvents() async throws {
        try await OutboxRig.run { rig in
            try rig.insert(rows: 3, events: 10)
            try rig.insert(rows: 1, events: 100)
            try rig.insert(rows: 2, events: 10)
            let store = OutboxStore(pool: try rig.pool())
            // The row that reaches the bound is the last; one that is larger than the bound is not left for ever.
            for expected in [[10, 10], [10, 100], [10, 10], []] {
                let rows = try await store.claim(10, events: 15, lease: .seconds(300))
                #expect(rows.map { Int($0.eventCount) } == expected)
            }
        }
    }

    @Test func aFullStreamKeepsEverythingInTheOutbox() async throws {
        try await OutboxRig.run { rig in
            let relay = try await rig.startRelay(rig.configuration(maxBytes: 64 * 1024))
            try rig.insert(rows: 40, padding: 400)
            try await eventually("the stream is full") { rig.count("wallet_outbox_stream_full_total") > 0 }
            #expect(try rig.waiting() > 0)
            try await eventually("it is told") { rig.log.contains("outbox rows are tried again") }
            try await eventually("the oldest gets older") { relay.waitingSeconds > 1 }
            try await rig.stop(relay)
            // An operator gives it more room.
            try await rig.startRelay()
            try await Self.expectAllPublished(rig)
            let found = try await rig.eventsInStream()
            if found.count < 400 {
                // A server that removes the oldest message of a stream that becomes exactly full: it is noticed.
                try await eventually("it is noticed") { rig.losses.load(ordering: .relaxed) > 0 }
                #expect(rig.count("wallet_stream_unread_removals_total") > 0)
            }
        }
    }

    @Test func anUnreadableRowStandsInNobodysWay() async throws {
        try await OutboxRig.run { rig in
            let connection = try rig.database.connect()
            try rig.insert([1, 2, 3], events: 1, on: connection)
            connection.close()
            try rig.insert(rows: 10)
            try await rig.startRelay()
            try await eventually("the others are published") { try rig.waiting() == 1 }
            #expect(try rig.number("SELECT count(*) FROM ledger.outbox WHERE last_error LIKE '%cannot be read%'") == 1)
        }
    }

    @Test func publishedRowsAreKeptForTheRetention() async throws {
        try await OutboxRig.run { rig in
            try rig.insert(rows: 5)
            var configuration = rig.configuration()
            configuration.retention = .seconds(3600)
            try await rig.startRelay(configuration)
            try await Self.expectAllPublished(rig)
            try rig.insert(rows: 1)
            try await Self.expectAllPublished(rig)
            try rig.execute(
                """
                UPDATE ledger.outbox SET published_at = now() - interval '2 hours'
                WHERE id IN (SELECT id FROM ledger.outbox ORDER BY id LIMIT 4)
                """)
            try await eventually("the old ones are forgotten") {
                try rig.number("SELECT count(*) FROM ledger.outbox") == 2
            }
        }
    }

    @Test func aLostStreamIsFilledAgainUnderNewIDs() async throws {
        try await OutboxRig.run { rig in
            try rig.insert(rows: 30)
            for _ in 0..<2 { try await rig.startRelay() }
            try await Self.expectAllPublished(rig)
            try await blocking {
                rig.broker.kill()
                try rig.broker.deleteJetStreamDirectory()
                try rig.broker.start()
            }
            try await eventually("the loss is noticed") { rig.losses.load(ordering: .relaxed) > 0 }
            try await Self.expectAllPublished(rig)
            #expect(try await rig.eventsInStream().count == 300)
            // Two relays see the loss, one tells of it.
            #expect(rig.losses.load(ordering: .relaxed) == 1)
            #expect(rig.count("wallet_stream_losses_total") == 1)
            #expect(try rig.number("SELECT count(*) FROM ledger.outbox WHERE drive > 0") == 30)
        }
    }

    @Test func aMarkThatComesAfterTheLossDoesNotCount() async throws {
        try await OutboxRig.run { rig in
            try rig.insert(rows: 3)
            let store = OutboxStore(pool: try rig.pool())
            let claimed = try await store.claim(2, lease: .seconds(30))
            // Published into the stream that is lost now; the other relay has not said so yet.
            #expect(try await store.redrive() == 2)
            try await store.settle(published: claimed, postponed: [], stream: "S", created: "then", sequence: 2)
            #expect(try rig.waiting() == 3)
            #expect(try await store.claim(10, lease: .seconds(30)).map(\.drive).sorted() == [0, 1, 1])
        }
    }

    @Test func redrivingGoesOverAllRowsInPieces() async throws {
        try await OutboxRig.run { rig in
            try rig.insert(rows: 25)
            let store = OutboxStore(pool: try rig.pool())
            let claimed = try await store.claim(15, lease: .seconds(30))
            try await store.settle(published: claimed, postponed: [], stream: "S", created: "then", sequence: 15)
            #expect(try await store.redrive(piece: 4) == 15)
            #expect(try rig.waiting() == 25)
            // Done once, and not again before the rows are handed out again.
            #expect(try await store.redrive(piece: 5) == 0)
            #expect(try rig.number("SELECT count(*) FROM ledger.outbox WHERE drive = 1") == 15)
            // Those that were written last have not been published yet.
            try rig.execute(
                """
                UPDATE ledger.outbox SET created_at = now() - interval '1 minute' * CASE drive WHEN 1 THEN 9 ELSE 2 END
                """)
            let backlog = try await store.backlog()
            #expect(backlog.entries == 25 && backlog.oldestSeconds >= 540)
            #expect(try #require(backlog.oldestNewSeconds) < 540 && backlog.oldestNewSeconds ?? 0 >= 120)
            try rig.execute("UPDATE ledger.outbox SET published_at = now() WHERE drive = 0")
            #expect(try await store.backlog().oldestNewSeconds == nil)
            let stopping = StopSignal()
            stopping.stop()
            await #expect(throws: CancellationError.self) { try await store.redrive(until: stopping) }
        }
    }

    @Test func onlyOneOfSeveralReplacesWhatIsRemembered() async throws {
        try await OutboxRig.run { rig in
            let store = OutboxStore(pool: try rig.pool())
            #expect(try await store.knownStream("S") == nil)
            #expect(try await store.replaceStream("S", created: "a", lastSequence: 5, known: nil))
            try await store.settle(published: [], postponed: [], stream: "S", created: "a", sequence: 9)
            try await store.settle(published: [], postponed: [], stream: "S", created: "a", sequence: 7)
            try await store.settle(published: [], postponed: [], stream: "S", created: "other", sequence: 99)
            let known = try #require(try await store.knownStream("S"))
            #expect(known.created == "a" && known.lastSequence == 9)
            #expect(try await store.replaceStream("S", created: "b", lastSequence: 0, known: known))
            #expect(try await !store.replaceStream("S", created: "b", lastSequence: 0, known: known))
            // A slow one that looked before the others published on.
            let truncated = try #require(try await store.knownStream("S"))
            try await store.settle(published: [], postponed: [], stream: "S", created: "b", sequence: 4)
            #expect(try await !store.replaceStream("S", created: "b", lastSequence: 2, known: truncated))
            #expect(try await store.knownStream("S")?.lastSequence == 4)
        }
    }

    @Test func messagesThatNobodyReadAreMissed() async throws {
        try await OutboxRig.run { rig in
            // Gone long before a projector comes.
            var configuration = rig.configuration()
            configuration.stream.maxAge = .seconds(1)
            configuration.stream.duplicateWindow = .seconds(1)
            try await rig.startRelay(configuration)
            try rig.insert(rows: 10)
            try await Self.expectAllPublished(rig)
            try await eventually("it is noticed") { rig.losses.load(ordering: .relaxed) == 1 }
            #expect(rig.count("wallet_stream_unread_removals_total") == 1)
            #expect(rig.count("wallet_stream_losses_total") == 0)
        }
    }
}
