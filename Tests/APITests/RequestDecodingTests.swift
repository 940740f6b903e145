import Ledger
import Testing

@testable import API

/// A body and what must be said about it.
struct BadBody: Sendable, CustomStringConvertible {
    let endpoint: Route
    let body: String
    let findings: [String]

    init(_ endpoint: Route, _ body: String, _ findings: String...) {
        self.endpoint = endpoint
        self.body = body
        self.findings = findings
    }

    var description: String { "\(endpoint) \(body.prefix(60))" }
}

@Suite struct RequestDecodingTests {
    static let long = String(repeating: "x", count: 256)

    static let badBodies: [BadBody] = [
        // The document
        BadBody(.debit, "", " required"),
        BadBody(.openWallet, "", " required"),
        BadBody(.debit, "[]", " wrong_type"),
        BadBody(.debit, "null", " wrong_type"),
        BadBody(.debit, "{", " malformed"),
        BadBody(.debit, #"{"amount":"1"} x"#, " malformed"),
        BadBody(.debit, #"{"amount":"1"}{}"#, " malformed"),
        BadBody(.debit, "{}", "amount required"),
        BadBody(.complete, "{}x", " malformed"),
        BadBody(.revert, "[]", " wrong_type"),
        // Members
        BadBody(.debit, #"{"amount":"1","amonut":"1"}"#, "amonut unknown"),
        BadBody(.debit, #"{"amount":"1","amount":"2"}"#, "amount duplicate"),
        BadBody(.debit, #"{"amount":"1","a\u006dount":"2"}"#, "amount duplicate"),
        BadBody(.debit, #"{"amount":"1","x":{"y":[1]},"z":2}"#, "x unknown", "z unknown"),
        BadBody(.complete, #"{"status":"completed"}"#, "status unknown"),
        BadBody(.revert, #"{"amount":"1"}"#, "amount unknown"),
        BadBody(.openWallet, #"{"balance":"1"}"#, "balance unknown"),
        BadBody(
            .debit, #"{"amount":true,"status":1,"metadata":[]}"#,
            "amount wrong_type", "status wrong_type", "metadata wrong_type"),
        BadBody(.debit, #"{"amount":"1","description":null}"#, "description wrong_type"),
        // Money
        BadBody(.debit, #"{"amount":"0"}"#, "amount not_positive"),
        BadBody(.debit, #"{"amount":0.00}"#, "amount not_positive"),
        BadBody(.debit, #"{"amount":"-1"}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":-1}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":"+1"}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":1e2}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":"1e2"}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":"1,50"}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":"1."}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":".5"}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":"01"}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":""}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":" 1"}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":"١"}"#, "amount malformed"),
        BadBody(.debit, #"{"amount":"NaN"}"#, "amount malformed"),
        BadBody(.complete, #"{"amount":"0"}"#, "amount not_positive"),
        BadBody(.openWallet, #"{"initial_balance":"1.005"}"#, "initial_balance amount_precision"),
        BadBody(.openWallet, #"{"asset":"JPY","initial_balance":"1.5"}"#, "initial_balance amount_precision"),
        BadBody(.openWallet, #"{"initial_balance":"-1"}"#, "initial_balance malformed"),
        // Ids and texts
        BadBody(.debit, #"{"amount":"1","transfer_id":"7"}"#, "transfer_id malformed"),
        BadBody(.debit, #"{"amount":"1","transfer_id":7}"#, "transfer_id wrong_type"),
        BadBody(.openWallet, #"{"wallet_id":"{0199}"}"#, "wallet_id malformed"),
        BadBody(.openWallet, #"{"owner_id":""}"#, "owner_id too_short"),
        BadBody(.openWallet, #"{"owner_id":"\#(long)"}"#, "owner_id too_long"),
        BadBody(.openWallet, #"{"asset":"EURO"}"#, "asset unknown_asset"),
        BadBody(.openWallet, #"{"asset":"eur"}"#, "asset unknown_asset"),
        BadBody(.debit, #"{"amount":"1","reference_id":""}"#, "reference_id too_short"),
        BadBody(.debit, #"{"amount":"1","reference_id":"\#(long)"}"#, "reference_id too_long"),
        BadBody(.debit, #"{"amount":"1","reference_id":"a\nb"}"#, "reference_id malformed"),
        BadBody(.debit, #"{"amount":"1","reference_id":"a\u0085"}"#, "reference_id malformed"),
        BadBody(.debit, #"{"amount":"1","reference_id":1}"#, "reference_id wrong_type"),
        BadBody(.debit, #"{"amount":"1","description":"\#(long)\#(long)\#(long)\#(long)x"}"#, "description too_long"),
        BadBody(.revert, #"{"reason":"\#(long)\#(long)\#(long)\#(long)x"}"#, "reason too_long"),
        BadBody(.debit, #"{"amount":"1","metadata":"x"}"#, "metadata wrong_type"),
        BadBody(.debit, #"{"amount":"1","metadata":{"a":1,"a":2}}"#, "metadata.a duplicate"),
        BadBody(
            .debit, #"{"amount":"1","metadata":{"a":"\#(String(repeating: long, count: 33))"}}"#,
            "metadata too_long"),
        BadBody(.debit, #"{"amount":"1","metadata":{"a":"\u0000"}}"#, "metadata.a malformed"),
        // Status and expiry
        BadBody(.debit, #"{"amount":"1","status":"failed"}"#, "status out_of_range"),
        BadBody(.debit, #"{"amount":"1","status":"Pending"}"#, "status out_of_range"),
        BadBody(.debit, #"{"amount":"1","expires_in":0}"#, "expires_in out_of_range"),
        BadBody(.debit, #"{"amount":"1","expires_in":-5}"#, "expires_in out_of_range"),
        BadBody(.debit, #"{"amount":"1","expires_in":315360001}"#, "expires_in out_of_range"),
        BadBody(.debit, #"{"amount":"1","expires_in":99999999999999999999}"#, "expires_in out_of_range"),
        BadBody(.debit, #"{"amount":"1","expires_in":1.5}"#, "expires_in wrong_type"),
        BadBody(.debit, #"{"amount":"1","expires_in":"60"}"#, "expires_in wrong_type"),
        BadBody(.debit, #"{"amount":"1","expires_at":"tomorrow"}"#, "expires_at malformed"),
        BadBody(.debit, #"{"amount":"1","expires_at":"2026-02-30T00:00:00Z"}"#, "expires_at malformed"),
        BadBody(.debit, #"{"amount":"1","expires_at":1}"#, "expires_at wrong_type"),
        BadBody(.debit, #"{"amount":"1","expires_at":"2030-01-01T00:00:00Z","expires_in":5}"#, "expires_in conflict"),
        BadBody(.debit, #"{"amount":"1","status":"completed","expires_in":5}"#, "expires_in not_allowed"),
        BadBody(
            .debit, #"{"amount":"1","status":"completed","expires_at":"2030-01-01T00:00:00Z"}"#,
            "expires_at not_allowed"),
        // Transfers between wallets
        BadBody(.move, "{}", "from_wallet_id required", "to_wallet_id required", "amount required"),
        BadBody(
            .move, #"{"from_wallet_id":"7","to_wallet_id":8,"amount":"0"}"#,
            "from_wallet_id malformed", "to_wallet_id wrong_type", "amount not_positive"),
        BadBody(
            .move,
            #"{"from_wallet_id":"\#(walletID.text)","to_wallet_id":"\#(transferID.text)","amount":"1","#
                + #""wallet_id":"\#(walletID.text)"}"#, "wallet_id unknown"),
        // Reversals, extensions
        BadBody(.reverse, #"{"amount":"0","status":"completed"}"#, "amount not_positive", "status unknown"),
        BadBody(.reverse, #"{"reversal_id":"\#(transferID.text)"}"#, "reversal_id unknown"),
        BadBody(.extend, "", " required"),
        BadBody(.extend, "{}", "expires_at required"),
        BadBody(.extend, #"{"expires_in":0}"#, "expires_in out_of_range"),
        BadBody(.extend, #"{"expires_in":5,"expires_at":"2030-01-01T00:00:00Z"}"#, "expires_in conflict"),
        BadBody(.extend, #"{"expires_in":5,"amount":"1"}"#, "amount unknown"),
        // Several at once, a sum above every range among them
        BadBody(.debit, #"{"amount":"\#(String(repeating: "9", count: 40))","status":"x"}"#, "status out_of_range"),
        BadBody(
            .debit, #"{"transfer_id":"x","status":"x","amount":"0"}"#,
            "transfer_id malformed", "status out_of_range", "amount not_positive"),
    ]

    @Test(arguments: badBodies)
    func badBodyIsNamed(_ bad: BadBody) throws {
        let problem = try #require(try problem(bad.body, to: bad.endpoint))
        #expect(problem.code == .invalidRequest)
        #expect(problem.errors.map { "\($0.field) \($0.code.rawValue)" } == bad.findings)
    }

    @Test(arguments: [
        "99999999999999999999999999999999999999.9999", String(repeating: "9", count: 39),
        "1" + String(repeating: "0", count: 90),
    ])
    func hugeAmountsAreOutOfRange(_ sum: String) throws {
        let found = try problem(#"{"amount":"\#(sum)"}"#)
        #expect(found?.code == .amountOutOfRange)
    }

    @Test func invalidUTF8IsRefused() throws {
        let destination = Destination(endpoint: .debit, walletID: walletID)
        let body = Array(#"{"amount":"1","description":""#.utf8) + [0xFF, 0x22, 0x7D]
        let headers = RequestHeaders([(name: "content-type", value: "application/json")])
        #expect(throws: Problem.self) {
            try makeDecoder().operation(destination, headers: headers, body: body)
        }
    }

    @Test(arguments: ["text/plain", "application/xml", "application/json; charset=latin1", "application/jsonx", ""])
    func otherContentTypesAreRefused(_ type: String) throws {
        #expect(try problem("not even json", headers: [("Content-Type", type)])?.code == .unsupportedMediaType)
    }

    @Test func aBodyWithoutContentTypeIsRefused() throws {
        #expect(try problem(#"{"amount":"1"}"#, headers: [])?.code == .unsupportedMediaType)
    }

    @Test(arguments: ["application/json", "Application/JSON ; charset=UTF-8", #"application/json;charset="utf-8""#])
    func jsonContentTypesAreAccepted(_ type: String) throws {
        #expect(try problem(#"{"amount":"1"}"#, headers: [("CONTENT-TYPE", type)]) == nil)
    }

    @Test func resolvingNeedsNoBody() throws {
        #expect(try decode("", to: .complete, headers: []).command == .complete(transferID, amount: nil))
        #expect(try decode("", to: .revert, headers: []).command == .revert(transferID, note: nil))
        #expect(try decode("{}", to: .complete).command == .complete(transferID, amount: nil))
    }

    @Test func everyMemberOfATransferArrives() throws {
        let operation = try decode(
            """
            {"amount": 10.50, "transfer_id": "\(transferID.text.uppercased())", "reference_id": "é 1",
             "status": "pending", "expires_at": "2030-01-01T01:00:00+01:00", "description": "tea\\nand milk",
             "metadata": {"b": 1.0, "a": ["x"]}}
            """, to: .credit)
        guard case .transfer(let order) = operation.command else { throw MissingFixture() }
        #expect(operation.walletID == walletID)
        #expect(operation.key?.reference == "é 1")
        #expect(operation.contentHash != nil)
        #expect(order.id == transferID)
        #expect(order.hasClientID)
        #expect(order.direction == .credit)
        #expect(try order.amount.minorUnits(scale: 2) == 1050)
        #expect(!order.settlesAtOnce)
        #expect(order.expiry == Timestamp(text: "2030-01-01T00:00:00Z").map { .at($0) })
        #expect(order.description == "tea\nand milk")
        #expect(order.metadata == #"{"a":["x"],"b":1.0}"#)
    }

    @Test func everyMemberOfAWalletArrives() throws {
        let operation = try decode(
            """
            {"wallet_id":"\(walletID.text)","owner_id":"o","asset":"POINTS","initial_balance":"0",
             "reference_id":"r","metadata":{}}
            """, to: .openWallet)
        guard case .open(let opening) = operation.command else { throw MissingFixture() }
        #expect(operation.walletID == walletID)
        #expect(opening.hasClientID)
        #expect(opening.ownerID == "o")
        #expect(opening.asset.code == "POINTS")
        #expect(opening.initialBalance?.isZero == true)
        #expect(opening.metadata == "{}")
        #expect(operation.key?.reference == "r")
    }

    @Test func whatNothingCanRepeatHasNoHash() throws {
        let operation = try decode(#"{"amount":"1"}"#)
        #expect(operation.key == nil)
        #expect(operation.contentHash == nil)
        #expect(try decode("{}", to: .openWallet).contentHash == nil)
        #expect(try decode("", to: .complete).contentHash == nil)
        #expect(try decode(#"{"amount":"1","transfer_id":"\#(transferID.text)"}"#).contentHash != nil)
    }

    @Test func everyMemberOfATransferBetweenWalletsArrives() throws {
        let operation = try decode(
            """
            {"from_wallet_id":"\(walletID.text)","to_wallet_id":"\(transferID.text)","amount":"1",
             "status":"completed","reference_id":"r","description":"d","transfer_id":"\(transferID.text)"}
            """, to: .move)
        guard case .transfer(let order) = operation.command else { throw MissingFixture() }
        #expect(operation.walletID == walletID)
        #expect(order.counterparty?.uuid == transferID.uuid)
        #expect(order.direction == .credit)
        #expect(order.purpose == .transfer)
        #expect(order.settlesAtOnce)
        #expect(order.hasClientID)
    }

    @Test func everyMemberOfAReversalArrives() throws {
        let other = "01990000-0000-7000-8000-0000000000ff"
        let operation = try decode(
            #"{"amount":"1","transfer_id":"\#(other)","reason":"r","description":"d","metadata":{"a":1}}"#, to: .reverse
        )
        guard case .reverse(let order) = operation.command else { throw MissingFixture() }
        #expect(operation.walletID == walletID)
        #expect(order.original == transferID)
        #expect(order.id.text == other)
        #expect(order.hasClientID)
        #expect(order.note == "r")
        #expect(order.description == "d")
        #expect(order.metadata == #"{"a":1}"#)
        #expect(try decode("", to: .reverse, headers: []).contentHash == nil)
    }

    @Test func anExtensionArrives() throws {
        let operation = try decode(#"{"expires_in":60}"#, to: .extend)
        #expect(operation.command == .extend(transferID, expiry: .after(seconds: 60)))
    }

    @Test func charactersAreCountedNotBytes() throws {
        let text = String(repeating: "é", count: 255)
        #expect(try decode(#"{"amount":"1","reference_id":"\#(text)"}"#).key?.reference == text)
    }
}
