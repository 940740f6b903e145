import Ledger
import Requests
import Testing

@testable import API

@Suite struct ContentHashTests {
    private func hash(_ body: String, to endpoint: Route = .debit) throws -> UInt128? {
        let headers = [(name: "Content-Type", value: "application/json"), (name: "Wallet-Actor", value: "ann")]
        return try decode(body, to: endpoint, headers: headers).contentHash
    }

    /// Digests of the first releases' requests: they are stored for ever.
    @Test func storedDigestsStayValid() throws {
        let full =
            #"{"amount":"10.50","reference_id":"k","transfer_id":"\#(transferID.text)","status":"pending","#
            + #""expires_in":60,"description":"d","metadata":{"a":1}}"#
        let open =
            #"{"wallet_id":"\#(walletID.text)","owner_id":"o","asset":"EUR","initial_balance":"1","metadata":{}}"#
        let expected: [(Route, String, String)] = [
            (.openWallet, open, "db1a58b35928f9c955723bcaae90cc03"), (.debit, full, "b3c8b91e5adfa32ede094d96bf010596"),
            (.credit, full, "63e4efab5b565905a9e798bdc2d09ead"),
            (.complete, #"{"reference_id":"k","amount":"1"}"#, "cd4fe697316971f33cf3932f5e5f9933"),
            (.revert, #"{"reference_id":"k","reason":"r"}"#, "c8031f30b50e31c69b05ed7a7df4f077"),
        ]
        for (endpoint, body, digest) in expected {
            let value = try #require(try hash(body, to: endpoint))
            #expect(String(value, radix: 16) == digest, "\(endpoint)")
        }
    }

    @Test func equalContentHasEqualHash() throws {
        let base = try hash(
            #"{"amount":"10.50","reference_id":"k","metadata":{"a":1,"b":[2]},"expires_at":"2030-01-01T00:00:00Z"}"#)
        for body in [
            #"{"amount":10.5,"reference_id":"k","metadata":{"a":1,"b":[2]},"expires_at":"2030-01-01T00:00:00Z"}"#,
            #"{"reference_id":"k","metadata":{ "b":[2], "a":1 },"amount":"10.5","expires_at":"2030-01-01T00:00:00Z"}"#,
            #"{"amount":"10.50","reference_id":"k","status":"pending","metadata":{"\u0061":1,"b":[2]},"#
                + #""expires_at":"2030-01-01T02:00:00+02:00"}"#,
        ] {
            #expect(try hash(body) == base)
        }
        #expect(base != nil)
    }

    @Test func everyFieldOfATransferChangesTheHash() throws {
        let other = "01990000-0000-7000-8000-0000000000ff"
        let bodies = [
            #"{"amount":"1","reference_id":"k"}"#,
            #"{"amount":"2","reference_id":"k"}"#,
            #"{"amount":"0.1","reference_id":"k"}"#,
            #"{"amount":"0.01","reference_id":"k"}"#,
            #"{"amount":"10","reference_id":"k"}"#,
            #"{"amount":"1","reference_id":"k","status":"completed"}"#,
            #"{"amount":"1","reference_id":"k","transfer_id":"\#(transferID.text)"}"#,
            #"{"amount":"1","reference_id":"k","transfer_id":"\#(other)"}"#,
            #"{"amount":"1","reference_id":"k","expires_in":60}"#,
            #"{"amount":"1","reference_id":"k","expires_in":61}"#,
            #"{"amount":"1","reference_id":"k","expires_at":"2030-01-01T00:00:00Z"}"#,
            #"{"amount":"1","reference_id":"k","expires_at":"1970-01-01T00:00:00.000060Z"}"#,
            #"{"amount":"1","reference_id":"k","description":""}"#,
            #"{"amount":"1","reference_id":"k","description":"x"}"#,
            #"{"amount":"1","reference_id":"k","metadata":{}}"#,
            #"{"amount":"1","reference_id":"k","metadata":{"x":1}}"#,
            #"{"amount":"1","reference_id":"k","metadata":{"x":"1"}}"#,
        ]
        var seen = Set<UInt128>()
        for body in bodies {
            for endpoint in [Route.debit, .credit] {
                let value = try #require(try hash(body, to: endpoint))
                #expect(seen.insert(value).inserted, "\(endpoint) \(body)")
            }
        }
    }

    @Test func everyFieldOfTheOthersChangesTheHash() throws {
        let requests: [(Route, String)] = [
            (.openWallet, #"{"reference_id":"k"}"#),
            (.openWallet, #"{"reference_id":"k","wallet_id":"\#(walletID.text)"}"#),
            (.openWallet, #"{"reference_id":"k","owner_id":"x"}"#),
            (.openWallet, #"{"reference_id":"k","asset":"EUR"}"#),
            (.openWallet, #"{"reference_id":"k","asset":"USD"}"#),
            (.openWallet, #"{"reference_id":"k","initial_balance":"1"}"#),
            (.openWallet, #"{"reference_id":"k","initial_balance":"0"}"#),
            (.openWallet, #"{"reference_id":"k","metadata":{}}"#),
            (.complete, #"{"reference_id":"k"}"#),
            (.complete, #"{"reference_id":"k","amount":"1"}"#),
            (.revert, #"{"reference_id":"k"}"#),
            (.revert, #"{"reference_id":"k","reason":""}"#),
            (.revert, #"{"reference_id":"k","reason":"x"}"#),
            (.extend, #"{"reference_id":"k","expires_in":60}"#),
            (.extend, #"{"reference_id":"k","expires_in":61}"#),
            (.extend, #"{"reference_id":"k","expires_at":"2030-01-01T00:00:00Z"}"#),
            (.reverse, #"{"reference_id":"k"}"#),
            (.reverse, #"{"reference_id":"k","amount":"1"}"#),
            (.reverse, #"{"reference_id":"k","reason":"x"}"#),
            (.reverse, #"{"reference_id":"k","description":"x"}"#),
            (.reverse, #"{"reference_id":"k","metadata":{}}"#),
            (.reverse, #"{"reference_id":"k","transfer_id":"\#(transferID.text)"}"#),
            (.adjust, #"{"reference_id":"k","direction":"debit","amount":"1","reason":"x"}"#),
            (.adjust, #"{"reference_id":"k","direction":"credit","amount":"1","reason":"x"}"#),
            (.adjust, #"{"reference_id":"k","direction":"debit","amount":"2","reason":"x"}"#),
            (.adjust, #"{"reference_id":"k","direction":"debit","amount":"1","reason":"y"}"#),
            (.adjust, #"{"reference_id":"k","direction":"debit","amount":"1","reason":"x","metadata":{}}"#),
            (.amend, #"{"reference_id":"k","status":"active"}"#),
            (.amend, #"{"reference_id":"k","status":"frozen"}"#),
            (.amend, #"{"reference_id":"k","status":"frozen","reason":"x"}"#),
            (.amend, #"{"reference_id":"k","metadata":null}"#),
            (.amend, #"{"reference_id":"k","metadata":{}}"#),
            (.amend, #"{"reference_id":"k","overdraft_limit":"0"}"#),
            (.amend, #"{"reference_id":"k","overdraft_limit":"1"}"#),
            (.move, Self.move(#""amount":"1""#)),
            (.move, Self.move(#""amount":"1","status":"completed""#)),
            (.move, Self.move(#""amount":"1""#, to: walletID.text)),
        ]
        var seen = Set<UInt128>()
        for (endpoint, body) in requests {
            let value = try #require(try hash(body, to: endpoint))
            #expect(seen.insert(value).inserted, "\(endpoint) \(body)")
        }
    }

    private static func move(_ members: String, to other: String = transferID.text) -> String {
        #"{"reference_id":"k","from_wallet_id":"\#(walletID.text)","to_wallet_id":"\#(other)",\#(members)}"#
    }

    @Test func theKeyIsNoContent() throws {
        #expect(
            try hash(#"{"amount":"1","reference_id":"a"}"#) == hash(#"{"amount":"1","reference_id":"b"}"#))
    }

    @Test func textsCannotRunIntoEachOther() throws {
        let one = try hash(#"{"amount":"1","reference_id":"k","description":"a","metadata":{"b":1}}"#)
        let two = try hash(#"{"amount":"1","reference_id":"k","description":"a{\"b\":1}"}"#)
        #expect(one != two)
    }
}
