import JSON
import Testing

@testable import Messaging

@Suite struct PureTests {
    @Test(arguments: [
        ("nats://127.0.0.1:4222", "127.0.0.1", 4222), ("nats://a:b@host:1", "host", 1), ("tls://host", "host", 4222),
        ("host:65535/", "host", 65535), ("nats://tok@en@[::1]:7", "::1", 7), ("nats://u:p@ss@h", "h", 4222),
    ])
    func addressesAreTakenApart(_ url: String, _ host: String, _ port: Int) throws {
        let address = try NATSAddress(url)
        #expect(address.host == host)
        #expect(Int(address.port) == port)
    }

    @Test(arguments: [
        "", "nats://", "http://host", "nats://host:0", "nats://host:70000", "nats://host:+5", "nats://::1:5",
        "nats://[::1",
    ])
    func unusableAddressesAreRefused(_ url: String) {
        #expect(throws: MessagingError.self) { try NATSConfiguration(urls: [url], name: "x") }
    }

    @Test func secretsAreMasked() throws {
        let configuration = try NATSConfiguration(list: "nats://u:secret@a:1, nats://token@b:2", name: "x")
        #expect(configuration.urls.count == 2)
        #expect(!configuration.maskedURLs.contains("secret"))
        #expect(!configuration.maskedURLs.contains("token"))
        #expect(configuration.maskedURLs.contains("a:1"))
        let error = #expect(throws: MessagingError.self) {
            try NATSConfiguration(urls: ["nats://u:secret@a:x"], name: "x")
        }
        #expect(error?.description.contains("secret") == false)
    }

    @Test(arguments: [
        (#"{"stream":"S","seq":7}"#, PublishResult.stored(sequence: 7, duplicate: false)),
        (
            #"{"stream":"S", "domain":"d", "seq":18446744073709551615,"duplicate": true}"#,
            .stored(sequence: .max, duplicate: true)
        ),
        (
            #"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"S","seq":0}"#,
            .rejected(PublishRejection(code: 10077, description: "maximum bytes exceeded"))
        ),
        (#"{"stream":"S","seq":0}"#, .unknown), ("", .unknown), ("+OK", .unknown), (#"{"seq":-1}"#, .unknown),
    ])
    func acksAreRead(_ text: String, _ result: PublishResult) {
        #expect(PublishAck.parse(Array(text.utf8)) == result)
    }

    @Test(
        arguments: [
            ("in.1.0", 1, 0), ("in.18446744073709551615.12", Int(-1), 12), ("in.7", nil, nil), ("in.7.", nil, nil),
            ("in.7.x", nil, nil), ("in.7.1.2", nil, nil), ("inx7.1", nil, nil), ("in.99999999999999999999.1", nil, nil),
            ("in.1.99999999999", nil, nil),
        ] as [(String, Int?, Int?)])
    func ackPositionsAreRead(_ subject: String, _ batch: Int?, _ index: Int?) {
        let position = subject.withCString { PublishAck.position(subject: $0, after: 2) }
        #expect(position?.batch == batch.map { UInt64(bitPattern: Int64($0)) })
        #expect(position?.index == index)
    }

    @Test func deliveriesAreReadInBothForms() throws {
        let short = try #require(DeliveryInfo(ackSubject: "$JS.ACK.S.C.3.17.20.1700000000123456789.4"))
        #expect(short.stream == "S" && short.consumer == "C" && short.deliveries == 3 && short.streamSequence == 17)
        #expect(short.storedNanoseconds == 1_700_000_000_123_456_789)
        for tail in ["", ".token"] {
            let long = try #require(
                DeliveryInfo(ackSubject: "$JS.ACK.dom.hash.S.C.3.17.20.1700000000123456789.4\(tail)"))
            #expect(long == short)
        }
        for wrong in ["", "_INBOX.x", "$JS.ACK.S.C.3.17.20.4", "$JS.ACK.S.C.x.17.20.1.4", "$JS.ACK.a.S.C.3.17.20.1.4"] {
            #expect(DeliveryInfo(ackSubject: wrong) == nil)
        }
    }

    @Test func requestsAreCountedAndDoubted() {
        let second: UInt64 = 1_000_000_000
        var request = PullRequest(silence: 3 * second)
        #expect(request.standing(now: 0) == .none)
        request.open(2, now: 0, expires: 5 * second)
        #expect(request.standing(now: 3 * second) == .waiting)
        #expect(request.standing(now: 3 * second + 1) == .silent)
        request.heartbeatCame(now: 3 * second)
        #expect(request.standing(now: 5 * second) == .waiting)
        request.messageCame(now: 5 * second)
        #expect(request.isOpen)
        #expect(request.standing(now: 6 * second + 1) == .silent)
        request.messageCame(now: 6 * second)
        #expect(!request.isOpen)
        request.messageCame(now: 6 * second)
        #expect(request.remaining == 0)
        #expect(request.isAbout(1) && !request.isAbout(0) && !request.isAbout(nil))
    }

    @Test(arguments: [
        (100, "Idle Heartbeat", PullStatus.heartbeat), (404, "No Messages", .ended), (408, "Request Timeout", .ended),
        (409, "Message Size Exceeds MaxBytes", .tooLarge), (409, "Batch Completed", .ended),
        (409, "Consumer Deleted", .doubtful), (409, "Consumer is push based", .unusable),
        (409, "Leadership Change", .doubtful), (409, "Server Shutdown", .doubtful),
        (409, "Exceeded MaxRequestMaxBytes of 1", .doubtful), (500, "", .doubtful),
    ])
    func statusesAreSorted(_ code: Int, _ text: String, _ status: PullStatus) {
        #expect(PullStatus(code: code, description: text) == status)
    }

    @Test func versionsAreComparedByNumber() throws {
        let old = try #require(ServerVersion(text: "2.9.10"))
        let new = try #require(ServerVersion(text: "v2.10.27-RC.1"))
        #expect(old < new && old < .firstAdvised && new == .firstAdvised)
        #expect(ServerVersion(text: "2.9") == nil && ServerVersion(text: "") == nil)
    }

    @Test func settingsAreCompared() throws {
        let wanted = StreamConfiguration(name: "S", subjects: ["a.>"]).wanted
        var members = wanted.filter { !["sealed", "no_ack", "max_msgs_per_subject"].contains($0.name) }
        members.append(.init("placement", .object([])))
        #expect(SettingsComparison.differences(wanted, from: .object(members)).isEmpty)
        members.removeAll { $0.name == "deny_delete" || $0.name == "max_age" }
        members.append(.init("max_age", .number("5")))
        let different = SettingsComparison.differences(wanted, from: .object(members))
        #expect(Set(different.map(\.name)) == ["deny_delete", "max_age"])
        let merged = SettingsComparison.merged(wanted, into: .object(members))
        #expect(merged["placement"] != nil)
        #expect(SettingsComparison.differences(wanted, from: merged).isEmpty)
    }

    @Test func aBatchIsAnsweredOnce() async {
        let batches = InFlightBatches(limit: 4)
        let results = await withCheckedContinuation { continuation in
            let id = batches.register(2, continuation) ?? 0
            batches.answer(id, 1, .stored(sequence: 5, duplicate: false))
            batches.answer(id, 1, .unknown)
            batches.answer(id, 7, .unknown)
            batches.answer(id + 1, 0, .unknown)
            #expect(batches.inFlight == 2)
            batches.finish(id)
            batches.answer(id, 0, .stored(sequence: 6, duplicate: false))
            batches.finish(id)
            batches.connectionLost()
        }
        #expect(results == [.unknown, .stored(sequence: 5, duplicate: false)])
        #expect(batches.inFlight == 0)
    }
}
