import Ledger
import Testing

@testable import API

@Suite struct BatchDecodingTests {
    private static let wallet = #""wallet_id":"\#(walletID.text)""#
    private static let transfer = #""transfer_id":"\#(transferID.text)""#

    private func batch(
        _ body: String, headers: [(name: String, value: String)] = []
    ) throws -> BatchRequest {
        let type = [(name: "Content-Type", value: "application/json")]
        return try makeDecoder().batch(
            Destination(endpoint: .batch), headers: RequestHeaders(headers + type), body: Array(body.utf8))
    }

    private func refusal(_ body: String, headers: [(name: String, value: String)] = []) throws -> [String] {
        do {
            _ = try batch(body, headers: headers)
            return []
        } catch let problem as Problem {
            return problem.errors.map { "\($0.field) \($0.code.rawValue)" }
        }
    }

    /// What is said about the only operation of a batch.
    private func finding(_ operation: String) throws -> [String] {
        let batch = try batch(#"{"operations":[\#(operation)]}"#)
        #expect(batch.count == 1)
        return batch.malformed.flatMap { $0.problem.errors.map { "\($0.field) \($0.code.rawValue)" } }
    }

    /// Each kind of operation as a route has it and as a batch has it.
    @Test func operationsAreWhatTheirRoutesMakeOfThem() throws {
        let other = #""transfer_id":"01990000-0000-7000-8000-0000000000ff""#
        let cases: [(Route, String, String)] = [
            (
                .openWallet, #""op":"create_wallet""#,
                #"\#(Self.wallet),"asset":"EUR","initial_balance":"5","owner_id":"o""#
            ),
            (.debit, #""op":"debit",\#(Self.wallet)"#, #""amount":"1","expires_in":60,\#(other)"#),
            (.credit, #""op":"credit",\#(Self.wallet)"#, #""amount":1.5,"status":"completed",\#(other)"#),
            (.complete, #""op":"complete",\#(Self.wallet),\#(Self.transfer)"#, #""amount":"1""#),
            (.revert, #""op":"revert",\#(Self.wallet),\#(Self.transfer)"#, #""reason":"r""#),
            (.extend, #""op":"extend",\#(Self.wallet),\#(Self.transfer)"#, #""expires_in":60"#),
            (
                .move, #""op":"transfer""#,
                #""from_wallet_id":"\#(walletID.text)","to_wallet_id":"\#(transferID.text)","amount":"1",\#(other)"#
            ),
            (
                .adjust, #""op":"adjust",\#(Self.wallet)"#,
                #""direction":"debit","amount":"1","reason":"r",\#(other)"#
            ),
        ]
        let actor = (name: "Wallet-Actor", value: "ann")
        let type = (name: "Content-Type", value: "application/json")
        for (endpoint, start, members) in cases {
            let route = try decode(#"{\#(members),"reference_id":"k"}"#, to: endpoint, headers: [type, actor])
            for operation in [
                #"{\#(start),\#(members),"reference_id":"k"}"#, #"{\#(members),"reference_id":"k",\#(start)}"#,
            ] {
                let batch = try batch(#"{"operations":[\#(operation)]}"#, headers: [actor])
                #expect(batch.operations == [route], "\(endpoint)")
            }
        }
        let reversal = try decode(#"{"amount":"1",\#(other),"reference_id":"k"}"#, to: .reverse)
        let item = try batch(
            #"{"operations":[{"op":"reverse",\#(Self.wallet),\#(Self.transfer),"amount":"1","reference_id":"k","#
                + #""reversal_id":"01990000-0000-7000-8000-0000000000ff"}]}"#)
        #expect(item.operations == [reversal])
    }

    @Test func aMalformedOperationStopsNoOther() throws {
        let batch = try batch(
            """
            {"atomic": true, "operations": [
              {"op":"debit",\(Self.wallet),"amount":"1"}, {"op":"debit",\(Self.wallet)}, 7,
              {"op":"credit",\(Self.wallet),"amount":"2"}, {"op":"credit",\(Self.wallet),"amount":"9\
            \(String(repeating: "9", count: 40))"}]}
            """)
        #expect(batch.isAtomic)
        #expect(batch.count == 5)
        #expect(batch.operations.count == 2)
        #expect(batch.malformed.map(\.index) == [1, 2, 4])
        #expect(batch.malformed.map(\.problem.code) == [.invalidRequest, .invalidRequest, .amountOutOfRange])
        #expect(batch.malformed[0].problem.errors.map(\.field) == ["amount"])
        #expect(batch.malformed[1].problem.errors.map { "\($0.field) \($0.code.rawValue)" } == [" wrong_type"])
    }

    @Test func badOperationsAreNamed() throws {
        #expect(try finding("{}") == ["op required"])
        #expect(try finding(#"{"op":"pay"}"#) == ["op out_of_range"])
        #expect(try finding(#"{"op":"amend"}"#) == ["op out_of_range"])
        #expect(try finding(#"{"op":7,"amount":"0"}"#) == ["op wrong_type", "amount not_positive"])
        #expect(try finding(#"{"op":"debit"}"#) == ["wallet_id required", "amount required"])
        #expect(try finding(#"{"op":"complete"}"#) == ["wallet_id required", "transfer_id required"])
        #expect(try finding(#"{"op":"debit",\#(Self.wallet),"amount":"1","x":{"y":1}}"#) == ["x unknown"])
        #expect(try finding(#"{"op":"debit",\#(Self.wallet),"amount":"1","reason":"x"}"#) == ["reason unknown"])
        #expect(try finding(#"{"reason":"x","op":"debit",\#(Self.wallet),"amount":"1"}"#) == ["reason unknown"])
        #expect(try finding(#"{"op":"debit",\#(Self.wallet),"amount":"1","metadata":[]}"#) == ["metadata wrong_type"])
        #expect(
            try finding(#"{"op":"adjust",\#(Self.wallet),"amount":"1","direction":"debit","reason":"r"}"#)
                == ["Wallet-Actor required"])
    }

    /// JSON allows what these hold; no value of the ledger may hold it.
    static let spoiltMembers = [
        #""description":"\u0000""#, #""description":"a\ud800""#, #""description":"\udc00\ud800""#,
        #""metadata":{"a":["\u0000"]}"#, #""metadata":{"\ud800":1,"\ud801":1,"\u0000":1}"#,
        #""metadata":\#(nested(31))"#, #""metadata":\#(nested(400))"#, #""amount":["\u0000"]"#, #""x\u0000":1"#,
        #""status":"\ud800""#,
    ]

    private static func nested(_ depth: Int) -> String {
        String(repeating: #"{"a":"#, count: depth) + "{}" + String(repeating: "}", count: depth)
    }

    @Test(arguments: spoiltMembers)
    func aSpoiltTextStopsNoOtherOperation(_ member: String) throws {
        let good = #"{"op":"debit",\#(Self.wallet),"amount":"1"}"#
        for spoilt in [#"{"op":"debit",\#(Self.wallet),\#(member)}"#, #"{\#(member),"op":"debit",\#(Self.wallet)}"#] {
            let batch = try batch(#"{"operations":[\#(good),\#(spoilt),\#(good)],"reference_id":"k"}"#)
            #expect(batch.operations.map(\.key?.reference) == ["k#0", "k#2"])
            #expect(batch.malformed.map(\.index) == [1])
            let route = try #require(try problem("{\(member)}"))
            let found = try #require(batch.malformed.first?.problem)
            #expect(found.code == route.code)
            #expect(found.errors.map { "\($0.field) \($0.code)" } == route.errors.map { "\($0.field) \($0.code)" })
        }
    }

    @Test func metadataMayBeAsDeepAsOfItsRoute() throws {
        let deep = #""amount":"1","metadata":\#(Self.nested(30))"#
        #expect(try finding(#"{"op":"debit",\#(Self.wallet),\#(deep)}"#).isEmpty)
        #expect(try problem("{\(deep)}") == nil)
    }

    @Test func badBatchesAreNamed() throws {
        #expect(try refusal("") == [" required"])
        #expect(try refusal("[]") == [" wrong_type"])
        #expect(try refusal("{}") == ["operations required"])
        #expect(try refusal(#"{"operations":[]}"#) == ["operations too_short"])
        #expect(try refusal(#"{"operations":{}}"#) == ["operations wrong_type"])
        #expect(try refusal(#"{"operations":[{}],"atomic":"yes"}"#) == ["atomic wrong_type"])
        #expect(try refusal(#"{"operations":[{}],"mode":1}"#) == ["mode unknown"])
        #expect(try refusal(#"{"operations":[{}] x"#) == [" malformed"])
        #expect(try refusal(#"{"operations":[{"op":"debit","op":"debit"}]}"#) == ["operations[0].op duplicate"])
        // A text that spoils one operation hides nothing that spoils the whole.
        let spoilt = #"{"operations":[{"description":"\u0000","a":"#
        #expect(try refusal(spoilt + "1,\"a\":2}]}") == ["operations[0].a duplicate"])
        #expect(try refusal(spoilt + "nope}]}") == ["operations[0].a malformed"])
        #expect(try refusal(spoilt + "1}") == ["operations malformed"])
        #expect(try refusal(spoilt + Self.nested(510) + "}]}").map { $0.suffix(12) } == [".a malformed"])
        let long = String(repeating: "x", count: 251)
        #expect(try refusal(#"{"operations":[{}],"reference_id":"\#(long)"}"#) == ["reference_id too_long"])
        #expect(
            try refusal(#"{"operations":[{}]}"#, headers: [("Idempotency-Key", long)]) == ["Idempotency-Key too_long"])
        #expect(
            try refusal(#"{"operations":[{}],"reference_id":"a"}"#, headers: [("Idempotency-Key", "b")])
                == ["reference_id conflict"])
        let most = Array(repeating: "{}", count: 10_000).joined(separator: ",")
        #expect(try batch(#"{"operations":[\#(most)]}"#).count == 10_000)
        #expect(try refusal(#"{"operations":[\#(most),{}]}"#) == ["operations too_long"])
    }

    @Test func operationsGetKeysFromTheirBatch() throws {
        let operations =
            #""operations":[{"op":"debit",\#(Self.wallet),"amount":"1"},"#
            + #"{"op":"debit",\#(Self.wallet),"amount":"1","reference_id":"own"}]"#
        for (body, headers) in [
            (#"{"reference_id":"b",\#(operations)}"#, []), (#"{\#(operations),"reference_id":"b"}"#, []),
            (#"{\#(operations)}"#, [(name: "Idempotency-Key", value: "b")]),
        ] {
            let batch = try batch(body, headers: headers)
            #expect(batch.key?.reference == "b")
            #expect(batch.operations.map(\.key?.reference) == ["b#0", "own"])
            #expect(batch.operations.allSatisfy { $0.contentHash != nil })
        }
        #expect(try batch(#"{\#(operations)}"#).operations.map(\.key?.reference) == [nil, "own"])
    }

    @Test func theContentOfABatchIsThatOfItsOperations() throws {
        let one = #"{"op":"debit",\#(Self.wallet),"amount":"1"}"#
        let two = #"{"op":"debit",\#(Self.wallet),"amount":"2"}"#
        let own = #"{"op":"debit",\#(Self.wallet),"amount":"1","reference_id":"own"}"#
        let lists = ["[\(one)]", "[\(two)]", "[\(one),\(one)]", "[\(one),\(two)]", "[\(two),\(one)]", "[\(own)]"]
        var seen = Set<UInt128>()
        for list in lists {
            for atomic in [true, false] {
                let content = try batch(#"{"reference_id":"b","atomic":\#(atomic),"operations":\#(list)}"#).contentHash
                #expect(seen.insert(content).inserted, "\(list) \(atomic)")
            }
        }
    }
}
