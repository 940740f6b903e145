import Ledger
import Testing

@testable import API

/// What only somebody with a name may ask for.
@Suite struct AdministrationTests {
    private static let named = [
        (name: "Content-Type", value: "application/json"), (name: "Wallet-Actor", value: "ann"),
    ]

    static let badBodies: [BadBody] = [
        BadBody(.adjust, "{}", "amount required", "direction required", "reason required"),
        BadBody(.adjust, #"{"direction":"in","amount":"1","reason":"r"}"#, "direction out_of_range"),
        BadBody(.adjust, #"{"direction":"debit","amount":"1","reason":""}"#, "reason too_short"),
        BadBody(.adjust, #"{"direction":"debit","amount":"1","reason":"r","status":"pending"}"#, "status unknown"),
        BadBody(.adjust, #"{"direction":"debit","amount":"1","reason":"r","expires_in":5}"#, "expires_in unknown"),
        BadBody(.amend, "{}", " required"),
        BadBody(.amend, #"{"reason":"r"}"#, " required"),
        BadBody(.amend, #"{"status":"open"}"#, "status out_of_range"),
        BadBody(.amend, #"{"status":null}"#, "status wrong_type"),
        BadBody(.amend, #"{"metadata":7}"#, "metadata wrong_type"),
        BadBody(.amend, #"{"overdraft_limit":"-1"}"#, "overdraft_limit malformed"),
        BadBody(.amend, #"{"balance":"1"}"#, "balance unknown", " required"),
    ]

    @Test(arguments: badBodies)
    func badBodyIsNamed(_ bad: BadBody) throws {
        let problem = try #require(try problem(bad.body, to: bad.endpoint, headers: Self.named))
        #expect(problem.errors.map { "\($0.field) \($0.code.rawValue)" } == bad.findings)
    }

    @Test func anAdjustmentArrives() throws {
        let operation = try decode(
            #"{"direction":"credit","amount":"1.50","reason":"fee back","metadata":{"a":1}}"#, to: .adjust,
            headers: Self.named)
        guard case .transfer(let order) = operation.command else { throw MissingFixture() }
        #expect(operation.actor == "ann")
        #expect(order.purpose == .adjustment)
        #expect(order.direction == .credit)
        #expect(order.settlesAtOnce)
        #expect(order.note == "fee back")
        #expect(order.metadata == #"{"a":1}"#)
    }

    @Test func anAmendmentArrives() throws {
        func amendment(_ body: String) throws -> Amendment {
            let operation = try decode(body, to: .amend, headers: Self.named)
            guard case .amend(let amendment) = operation.command else { throw MissingFixture() }
            return amendment
        }
        let all = try amendment(#"{"status":"frozen","metadata":{"a":1},"overdraft_limit":"0","reason":"r"}"#)
        #expect(all.status == .frozen)
        #expect(all.metadata == .set(#"{"a":1}"#))
        #expect(all.overdraftLimit?.isZero == true)
        #expect(all.note == "r")
        #expect(try amendment(#"{"metadata":null}"#).metadata == .remove)
        #expect(try amendment(#"{"status":"active"}"#).metadata == nil)
    }

    @Test(arguments: [(nil, "required"), ("", "malformed"), ("é", "malformed"), ("  ", "malformed")])
    func administratorsHaveAName(_ actor: String?, _ code: String) throws {
        var headers: [(name: String, value: String)] = [("Content-Type", "application/json")]
        if let actor { headers.append(("Wallet-Actor", actor)) }
        let bodies: [(Route, String)] = [
            (.adjust, #"{"direction":"debit","amount":"1","reason":"r"}"#), (.amend, #"{"status":"frozen"}"#),
        ]
        for (endpoint, body) in bodies {
            let found = try problem(body, to: endpoint, headers: headers)
            #expect(found?.errors.map { "\($0.field) \($0.code.rawValue)" } == ["Wallet-Actor \(code)"])
        }
    }

    @Test func othersMayHaveOne() throws {
        #expect(try decode(#"{"amount":"1"}"#).actor == nil)
        #expect(try decode(#"{"amount":"1"}"#, headers: Self.named).actor == "ann")
        let long = [Self.named[0], (name: "Wallet-Actor", value: String(repeating: "x", count: 256))]
        #expect(try problem(#"{"amount":"1"}"#, headers: long)?.errors.map(\.field) == ["Wallet-Actor"])
    }
}
