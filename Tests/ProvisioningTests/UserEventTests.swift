import Events
import Ledger
import Testing

@testable import Provisioning

/// What is read out of events that somebody else wrote.
@Suite struct UserEventTests {
    private func only(_ text: String) throws -> Result<UserEvent, UserEventFlaw> {
        let elements = UserEventReading.elements(of: Array(text.utf8))
        try #require(elements.count == 1)
        #expect(elements[0].payload == Array(text.utf8))
        return elements[0].user
    }

    @Test(arguments: [
        (#"{"specversion":"1.0","data":{"id":"u-1"}}"#, "u-1"),
        (#"{"specversion":"1.0","data":{"id":null,"user_id":"u-2"},"subject":"x"}"#, "u-2"),
        (#"{"specversion":"1.0","data":{"id":"a","user_id":"b"},"subject":"c"}"#, "a"),
        (#"{"specversion":"1.0","subject":"u-3"}"#, "u-3"),
        (#"{"specversion":"1.0","data":{"name":"Anna"},"subject":"u-4","x":[1,{"y":null}]}"#, "u-4"),
        (
            #"{"specversion":"1.0","data":{"id":"01990000-0000-7000-8000-0000000000FF"}}"#,
            "01990000-0000-7000-8000-0000000000FF"
        ),
        (#"{"specversion":"1.0","data":{"id":"J\u00f6rg \ud83d\ude00"}}"#, "J\u{F6}rg \u{1F600}"),
    ])
    func findsTheUser(text: String, id: String) throws {
        #expect(try only(text).get().userID == id)
    }

    @Test(arguments: [
        ("", "not a CloudEvent in JSON"),
        ("hello", "not a CloudEvent in JSON"),
        ("7", "an object is expected"),
        (#"{"specversion":"1.0","data":{"id":"u"}"#, "not a CloudEvent in JSON"),
        (#"{"specversion":"1.0","data":{"id":"u"}} {}"#, "not a CloudEvent in JSON"),
        (#"{"specversion":"1.0","specversion":"1.0","data":{"id":"u"}}"#, "not a CloudEvent in JSON"),
        (#"{"data":{"id":"u"}}"#, "specversion is missing"),
        (#"{"specversion":"0.3","data":{"id":"u"}}"#, "specversion is not"),
        (#"{"specversion":"1.0","data":{}}"#, "user's id"),
        (#"{"specversion":"1.0","data":{"id":7},"subject":"u"}"#, "data.id is not a string"),
        (#"{"specversion":"1.0","data":{"id":""}}"#, "has 0 characters"),
        (#"{"specversion":"1.0","data":{"user_id":"a\nb"}}"#, "control characters"),
        (#"{"specversion":"1.0","data":{"id":"a\u001fEUR"}}"#, "control characters"),
    ])
    func saysWhatIsWrong(text: String, reason: String) throws {
        guard case .failure(let flaw) = try only(text) else {
            Issue.record("was read: \(text)")
            return
        }
        #expect(flaw.description.contains(reason))
    }

    @Test func anIDHasAtMost255Characters() throws {
        func event(_ count: Int) -> String {
            #"{"specversion":"1.0","data":{"id":"\#(String(repeating: "\u{1F600}", count: count))"}}"#
        }
        #expect(try only(event(255)).get().userID.unicodeScalars.count == 255)
        #expect(throws: UserEventFlaw.self) { try only(event(256)).get() }
    }

    @Test func aBatchIsReadEventByEvent() {
        let text = #"[{"specversion":"1.0","subject":"a"}, 7 ,{"specversion":"1.0","subject":"b"}]"#
        let elements = UserEventReading.elements(of: Array(text.utf8))
        #expect(elements.map { try? $0.user.get().userID } == ["a", nil, "b"])
        #expect(elements.map { String(decoding: $0.payload, as: UTF8.self) }[1] == "7")
        #expect(UserEventReading.elements(of: Array("[]".utf8)).isEmpty)
    }

    @Test func theOriginIsTakenOver() throws {
        let trace = "00-01a1fbcb1bd6705aa7149bc52a2166d0-9e72e2f4bc82f93b-01"
        let origin = try only(
            #"{"specversion":"1.0","id":"e-1","subject":"u","traceparent":"\#(trace)","time":7}"#
        ).get().origin
        #expect(origin.correlationID == "e-1")
        #expect(origin.traceParent?.hasPrefix("00-01a1fbcb1bd6705aa7149bc52a2166d0-") == true)
        let useless = try only(#"{"specversion":"1.0","id":"e 1","subject":"u","traceparent":"00"}"#).get().origin
        #expect(useless == .none)
    }

    @Test func theKeyTellsUsersAndAssetsApart() throws {
        let euro = try #require(Asset(code: "EUR", scale: 2))
        let points = try #require(Asset(code: "POINTS", scale: 0))
        let keys = [("a", euro), ("a", points), ("a:EUR", euro), ("b", euro)].map {
            UserProvisioning.key(userID: $0.0, asset: $0.1).digest
        }
        #expect(Set(keys).count == keys.count)
    }

    @Test func theDelayGrowsToItsLimit() {
        var configuration = ProvisionerConfiguration(stream: "S", subject: "s", consumer: "c")
        configuration.redelivery = .milliseconds(100)
        configuration.redeliveryMax = .milliseconds(1000)
        let limits = [1: 100, 2: 200, 3: 400, 4: 800, 5: 1000, 60: 1000]
        for (deliveries, limit) in limits {
            let delay = configuration.delay(afterDeliveries: UInt64(deliveries))
            #expect(delay <= .milliseconds(limit) && delay >= .milliseconds(limit * 3 / 4), "after \(deliveries)")
        }
        #expect(configuration.delay(afterDeliveries: .max) <= .milliseconds(1000))
        #expect(configuration.delay(afterDeliveries: 0) <= .milliseconds(100))
    }
}
