import JSON
import Messaging
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct AdminTests {
    @Test func streamAndConsumerAreMadeOnceAndKept() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("admin")
            try await blocking {
                let admin = rig.admin(connection)
                #expect(try admin.streamInfo(Rig.stream) == nil)
                #expect(try admin.consumerInfo(stream: Rig.stream, consumer: Rig.consumer) == nil)
                let made = try admin.ensureStream(rig.configuration())
                let again = try admin.ensureStream(rig.configuration())
                #expect(made.created == again.created && made.messages == 0 && made.lastSequence == 0)
                let consumer = try admin.ensureConsumer(.init(name: Rig.consumer), on: Rig.stream)
                let same = try admin.ensureConsumer(.init(name: Rig.consumer), on: Rig.stream)
                #expect(consumer.created == same.created && consumer.pending == 0)
                #expect(!rig.log.text.contains("changing"))
            }
        }
    }

    @Test func whatCanBeChangedIsChanged() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("admin")
            try await blocking {
                let admin = rig.admin(connection)
                let first = try admin.ensureStream(rig.configuration())
                var stream = rig.configuration()
                stream.maxAge = .seconds(3600)
                stream.maxBytes = 64 << 20
                stream.duplicateWindow = .seconds(60)
                stream.subjects = ["wallet.events.>", "wallet.more.>"]
                #expect(try admin.ensureStream(stream).created == first.created)
                var consumer = ConsumerConfiguration(name: Rig.consumer)
                _ = try admin.ensureConsumer(consumer, on: Rig.stream)
                consumer.ackWait = .seconds(7)
                consumer.maxAckPending = 77
                _ = try admin.ensureConsumer(consumer, on: Rig.stream)
                let answer = try connection.request([], to: "$JS.API.CONSUMER.INFO.\(Rig.stream).\(Rig.consumer)")
                let config = try JSONValue(parsing: answer)["config"]
                #expect(config?["max_ack_pending"]?.int64 == 77)
                #expect(config?["ack_wait"]?.int64 == 7_000_000_000)
                let streamAnswer = try connection.request([], to: "$JS.API.STREAM.INFO.\(Rig.stream)")
                let streamConfig = try JSONValue(parsing: streamAnswer)["config"]
                #expect(streamConfig?["max_bytes"]?.int64 == 64 << 20)
                #expect(streamConfig?["subjects"]?.array?.count == 2)
                #expect(streamConfig?["discard"]?.string == "new")
                #expect(streamConfig?["deny_delete"]?.boolean == true)
            }
        }
    }

    @Test func whatCannotBeChangedIsAnError() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("admin")
            try await blocking {
                let admin = rig.admin(connection)
                let body = #"{"name":"WALLET_EVENTS","subjects":["wallet.events.>"],"storage":"memory"}"#
                _ = try connection.request(Array(body.utf8), to: "$JS.API.STREAM.CREATE.WALLET_EVENTS")
                let error = #expect(throws: MessagingError.self) { try admin.ensureStream(rig.configuration()) }
                #expect(error?.description.contains("storage is \"memory\"") == true)
                try NATSStreams.delete(Rig.stream, over: connection)
                _ = try admin.ensureStream(rig.configuration())
                let push = """
                    {"stream_name":"WALLET_EVENTS","config":{"durable_name":"\(Rig.consumer)","ack_policy":"explicit",\
                    "deliver_policy":"all","deliver_subject":"elsewhere","ack_wait":30000000000}}
                    """
                _ = try connection.request(
                    Array(push.utf8), to: "$JS.API.CONSUMER.DURABLE.CREATE.WALLET_EVENTS.\(Rig.consumer)")
                let wrong = #expect(throws: MessagingError.self) {
                    try admin.ensureConsumer(.init(name: Rig.consumer), on: Rig.stream)
                }
                #expect(wrong?.description.contains("deliver_subject is set") == true)
                #expect(throws: MessagingError.self) { try admin.ensureConsumer(.init(name: "x"), on: "NONE") }
            }
        }
    }

    @Test func theServerVersionIsLearnedAndJudged() async throws {
        try await Rig.run { rig in
            let connection = try await rig.connect("admin")
            try await blocking {
                let version = rig.admin(connection).checkServerVersion()
                #expect(version?.description == NATSServer.version)
                let isOld = version.map { $0 < ServerVersion.firstAdvised }
                #expect(rig.log.text.contains("known JetStream faults") == isOld)
            }
        }
    }
}
