import Messaging
import Observability
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct ConnectionTests {
    @Test func itStartsWhileTheServerIsAway() async throws {
        try await Rig.run { rig in
            rig.server.stop()
            let connection = try rig.start("away")
            #expect(await connection.waitUntilConnected(within: .milliseconds(300)) == false)
            #expect(connection.lastError != nil)
            #expect(throws: MessagingError.notConnected) { try connection.publish([], to: "x") }
            try await blocking { try rig.server.start() }
            #expect(await connection.waitUntilConnected(within: .seconds(10)))
            #expect(connection.lastError == nil)
        }
    }

    @Test func eventsTellLossAndReturn() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("events")
            let events = EventLog()
            let number = connection.observe { events.add($0) }
            try await blocking {
                rig.server.kill()
                try rig.server.start()
            }
            // The first success may still be on its way to observers when the connection is already in use.
            try await expectSoon { events.all.filter { $0 != .connected } == [.disconnected, .reconnected] }
            #expect(connection.isConnected)
            connection.removeObserver(number)
            #expect(rig.metrics.text().contains("wallet_nats_reconnects_total{connection=\"events\"} 1"))
        }
    }

    @Test func aWrongPasswordIsReportedWithoutBeingShown() async throws {
        var options = NATSServer.Options()
        options.user = "wallet"
        options.password = "right-secret"
        try await Rig.run(options) { rig in
            let url = "nats://wallet:wrong-secret@127.0.0.1:\(rig.server.port)"
            let connection = NATSConnection(
                try NATSConfiguration(urls: [url], name: "wrong"), logger: rig.logger, metrics: rig.metrics)
            try connection.start()
            try await expectSoon { connection.lastError != nil }
            #expect(connection.lastError?.description.contains("Authentication") == true)
            #expect(!connection.isConnected)
            await connection.close()
            let good = try await rig.connect("good")
            #expect(good.isConnected)
            #expect(rig.log.text.contains("cannot connect"))
            #expect(!rig.log.text.contains("secret"))
        }
    }

    /// The client library closes a connection for ever after two refused passwords in a row.
    @Test func aConnectionThatWasGivenUpIsReplaced() async throws {
        var options = NATSServer.Options()
        options.user = "wallet"
        options.password = "one"
        try await Rig.run(options) { rig in
            let connection = try await rig.connect("replaced")
            let events = EventLog()
            _ = connection.observe { events.add($0) }
            try await rig.makeStream(connection)
            let publisher = try rig.publisher(connection)
            try await rig.fill(publisher, count: 10)
            let other = try await blocking {
                rig.server.kill()
                return try rig.server.restartedWithPassword("two")
            }
            try await expectSoon { events.all.contains(.closed) }
            #expect(!connection.isConnected)
            try await blocking {
                other.kill()
                try rig.server.start()
            }
            try await expectSoon { connection.isConnected }
            #expect(events.all.last == .connected)
            try await rig.fill(publisher, first: 10, count: 10)
            await publisher.close()
        }
    }

    @Test func whatWasHandedOverIsSentBeforeTheEnd() async throws {
        try await Rig.run { rig in
            let first = try await rig.connect("first")
            try await rig.makeStream(first)
            for number in 0..<5000 { try first.publish([1, 2, 3], to: "wallet.events.\(number % 8)") }
            await first.close()
            #expect(throws: MessagingError.closed) { try first.publish([], to: "wallet.events.1") }
            let second = try await rig.connect("second")
            try await expectSoon { try rig.admin(second).streamInfo(Rig.stream)?.messages == 5000 }
        }
    }
}
