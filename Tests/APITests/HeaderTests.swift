import Ledger
import Observability
import Testing

@testable import API

@Suite struct HeaderTests {
    private static let json: (name: String, value: String) = ("Content-Type", "application/json")

    @Test(arguments: [
        ("abc", "abc"), (#""abc""#, "abc"), (#" "a b" "#, "a b"), (#""a\"b\\c""#, #"a"b\c"#), (#"a"b"#, #"a"b"#),
    ])
    func keysPlainOrQuoted(_ header: String, _ key: String) {
        #expect(HeaderValue.idempotencyKey(header) == key)
    }

    @Test(arguments: [
        "", " ", #""""#, #""abc"#, #""a"b"#, #""a\n""#, "é", "a\u{7F}", String(repeating: "k", count: 256),
    ])
    func badKeysAreRefused(_ header: String) throws {
        #expect(HeaderValue.idempotencyKey(header) == nil)
        let found = try problem(#"{"amount":"1"}"#, headers: [Self.json, ("Idempotency-Key", header)])
        #expect(found?.errors.map(\.field) == ["Idempotency-Key"])
    }

    @Test func headerAndMemberMustAgree() throws {
        let same = try decode(
            #"{"amount":"1","reference_id":"k"}"#, headers: [Self.json, ("idempotency-key", #""k""#)])
        #expect(same.key?.reference == "k")
        let found = try problem(#"{"amount":"1","reference_id":"k"}"#, headers: [Self.json, ("Idempotency-Key", "K")])
        #expect(found?.errors.map { "\($0.field) \($0.code.rawValue)" } == ["reference_id conflict"])
    }

    @Test func aKeyMeansTheSameInHeaderAndBody() throws {
        let header = try decode(#"{"amount":"1"}"#, headers: [Self.json, ("Idempotency-Key", "k")])
        let member = try decode(#"{"amount":"1","reference_id":"k"}"#)
        #expect(header.key == member.key)
        #expect(header.contentHash == member.contentHash)
    }

    @Test func repeatedFieldsAreRefused() throws {
        let found = try problem(
            #"{"amount":"1"}"#, headers: [Self.json, ("Idempotency-Key", "a"), ("Idempotency-Key", "a")])
        #expect(found?.errors.map { "\($0.field) \($0.code.rawValue)" } == ["Idempotency-Key duplicate"])
    }

    @Test func ifMatch() throws {
        #expect(HeaderValue.ifMatch("*") == .any)
        #expect(HeaderValue.ifMatch(#" "5" "#) == .version(5))
        for text in ["", "5", #"W/"5""#, #""5", "6""#, #""x""#, #""""#, #""-1""#, #""05""#, #""99999999999999999999""#]
        {
            #expect(HeaderValue.ifMatch(text) == nil, "\(text)")
        }
        #expect(try decode(#"{"amount":"1"}"#, headers: [Self.json, ("If-Match", #""7""#)]).expectedVersion == 7)
        #expect(try decode(#"{"amount":"1"}"#, headers: [Self.json, ("If-Match", "*")]).expectedVersion == nil)
        let found = try problem(#"{"amount":"1"}"#, headers: [Self.json, ("If-Match", "7")])
        #expect(found?.errors.map(\.field) == ["If-Match"])
    }

    @Test func aPreconditionIsNoContent() throws {
        let body = #"{"amount":"1","reference_id":"k"}"#
        let with = try decode(body, headers: [Self.json, ("If-Match", #""7""#)])
        #expect(try with.contentHash == decode(body).contentHash)
    }

    @Test func correlationAndTraceAreTakenOrMade() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let taken = RequestHeaders([(name: "x-correlation-id", value: "abc"), (name: "Traceparent", value: trace)])
        #expect(taken.correlationID?.text == "abc")
        #expect(taken.trace?.traceparent == trace)
        let made = RequestHeaders([
            (name: "X-Correlation-Id", value: " padded"),
            (name: "traceparent", value: "00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
        ])
        #expect(made.correlationID == nil)
        #expect(made.trace == nil)
        let new = Trace(made, newID: { RawUUID(bits: 0x0199_0000_0000_7000_8000_0000_0000_0009) })
        #expect(new.correlationID == "01990000-0000-7000-8000-000000000009")
        #expect(RequestHeaders([(name: "traceparent", value: new.traceParent)]).trace?.traceparent == new.traceParent)
    }
}
