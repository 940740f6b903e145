import Ledger
import Messaging
import Outbox
import TestSupport
import Testing

@testable import Projections

/// Events from the outbox through JetStream into the projections, with everything failing in between.
@Suite struct EventPathTests {
    @Test func twoRelaysAndTwoProjectorsBringEverything() async throws {
        try await EventPath.run { path in
            for _ in 0..<2 {
                _ = try await path.startRelay()
                _ = try await path.startProjector(eventsPerTransaction: 30)
            }
            try await path.traffic(try await path.openMany(20), rounds: 8)
            try await path.expectBooksToAgree()
            #expect(try path.number("SELECT count(*) FROM ledger.outbox WHERE published_at IS NULL") == 0)
            #expect(path.count("wallet_projection_dead_letters_total") == 0)
            #expect(path.losses.current == 0)
        }
    }

    @Test func lagIsToldAndEnds() async throws {
        try await EventPath.run { path in
            let projector = try await path.startProjector()
            #expect(projector.lagReason != nil)
            _ = try await path.startRelay()
            try await path.traffic(try await path.openMany(5), rounds: 4)
            try await path.expectBooksToAgree()
            try await eventually("no lag is left") {
                projector.lag == ProjectionLag(messages: 0, events: 0, seconds: 0) && projector.lagReason == nil
            }
        }
    }

    /// The consumer cannot be asked and has nothing left anyway: what waits in the outbox is what is behind.
    @Test func whatDoesNotReachTheStreamIsLag() async throws {
        try await EventPath.run { path in
            let relay = try await path.startRelay()
            let projector = try await path.startProjector(
                lagLimit: .seconds(1), unpublishedSeconds: { relay.waitingSeconds })
            let wallets = try await path.openMany(2)
            try await path.expectBooksToAgree()
            try await eventually("no lag is left") { projector.lagReason == nil && projector.lag?.seconds == 0 }
            let broker = try await path.broker()
            try await blocking { broker.kill() }
            try await path.traffic(wallets, rounds: 2)
            try await eventually("the outbox is behind") { relay.waitingSeconds > 1 }
            try await eventually("the lag grows") { projector.lag?.seconds ?? 0 > 2 && projector.lagReason != nil }
            try await blocking { try broker.start() }
            try await path.expectBooksToAgree()
            try await eventually("no lag is left") { projector.lagReason == nil && projector.lag?.seconds == 0 }
            #expect(relay.waitingSeconds == 0)
        }
    }

    @Test func aKilledBrokerLosesNothing() async throws {
        try await EventPath.run { path in
            _ = try await path.startRelay()
            _ = try await path.startProjector()
            let broker = try await path.broker()
            let wallets = try await path.openMany(10)
            for _ in 0..<2 {
                async let traffic: Void = path.traffic(wallets, rounds: 6)
                try await blocking { broker.kill() }
                try await traffic
                // Money moves while the broker is away.
                try await path.traffic(wallets, rounds: 2)
                try await blocking { try broker.start() }
            }
            try await path.expectBooksToAgree()
        }
    }

    @Test func aLostStreamIsSentAgainWithNewIDs() async throws {
        try await EventPath.run { path in
            let relay = try await path.startRelay()
            let wallets = try await path.openMany(10)
            try await path.traffic(wallets, rounds: 4)
            try await eventually("all is published") {
                try path.number("SELECT count(*) FROM ledger.outbox WHERE published_at IS NULL") == 0
            }
            let rows = try path.number("SELECT count(*) FROM ledger.outbox")
            let broker = try await path.broker()
            try await blocking {
                broker.kill()
                try broker.deleteJetStreamDirectory()
                try broker.start()
            }
            try await eventually("the loss is noticed") { path.losses.current == 1 }
            #expect(path.count("wallet_outbox_redriven_total") == rows)
            #expect(try path.number("SELECT count(*) FROM ledger.outbox WHERE drive = 1") == rows)
            // Nobody has read the lost messages: only those sent again can have brought this.
            _ = try await path.startProjector()
            try await path.traffic(wallets, rounds: 1)
            try await path.expectBooksToAgree()
            #expect(path.count("wallet_stream_losses_total") == 1)
            try await path.stop(relay)
        }
    }

    @Test func aStreamThatWentBackwardsIsNoticed() async throws {
        try await EventPath.run { path in
            let relay = try await path.startRelay()
            try await path.traffic(try await path.openMany(3), rounds: 2)
            try await eventually("all is published") {
                try path.number("SELECT count(*) FROM ledger.outbox WHERE published_at IS NULL") == 0
            }
            // As if the stream had given out more than it has.
            try path.execute("UPDATE ledger.outbox_streams SET last_sequence = last_sequence + 1000")
            try await eventually("the loss is noticed") { path.losses.current == 1 }
            _ = try await path.startProjector()
            try await path.expectBooksToAgree()
            try await path.stop(relay)
        }
    }

    @Test func aDeletedConsumerOrStreamIsMadeAgain() async throws {
        try await EventPath.run { path in
            _ = try await path.startRelay()
            _ = try await path.startProjector()
            let wallets = try await path.openMany(5)
            try await path.traffic(wallets, rounds: 3)
            try await path.expectBooksToAgree()
            let connection = try await path.connect("vandal")
            try await blocking {
                try NATSStreams.deleteConsumer("wallet-projector", of: EventPath.stream, over: connection)
            }
            try await path.traffic(wallets, rounds: 3)
            try await path.expectBooksToAgree()
            try await blocking { try NATSStreams.delete(EventPath.stream, over: connection) }
            try await path.traffic(wallets, rounds: 3)
            try await path.expectBooksToAgree()
            try await eventually("the loss is noticed") { path.losses.current == 1 }
        }
    }

    @Test func aRestartedDatabaseLosesNothing() async throws {
        let server = try await blocking { try PostgresServer() }
        defer { server.remove() }
        try await EventPath.run(projectionServer: server) { path in
            let relay = try await path.startRelay()
            let projector = try await path.startProjector(eventsPerTransaction: 10)
            let wallets = try await path.openMany(10)
            try await eventually("the projector is ready") { projector.lagReason == nil }
            async let traffic: Void = path.traffic(wallets, rounds: 12)
            try await blocking { server.kill() }
            try await traffic
            try await eventually("it is noticed") { projector.lagReason != nil }
            try await blocking { try server.start() }
            try await path.expectBooksToAgree()
            try await eventually("it is over") { projector.lagReason == nil }
            #expect(path.count("wallet_projector_reconnects_total") > 0)
            #expect(path.count("wallet_projection_dead_letters_total") == 0)
            try await path.stop(projector)
            try await path.stop(relay)
        }
    }
}
