import JSON
import Ledger
import Testing

@testable import API

@Suite struct RenderingTests {
    private static let id = "01990000-0000-7000-8000-000000000001"
    private static let time = "2026-11-21T10:00:00.000000Z"

    @Test func wallet() throws {
        var writer = JSONWriter()
        writer.wallet(try makeWallet(metadata: #"{"tier":"gold"}"#))
        #expect(
            String(decoding: writer.finish(), as: UTF8.self) == """
                {"id":"\(Self.id)","owner_id":"owner \\"1\\"","asset":"EUR","balance":"123.45",\
                "pending_debit":"1.00","pending_credit":"0.45","available":"123.00","overdraft_limit":"0.00",\
                "version":3,"status":"active","metadata":{"tier":"gold"},\
                "created_at":"\(Self.time)","updated_at":"\(Self.time)"}
                """)
    }

    @Test func transfer() throws {
        var writer = JSONWriter()
        writer.transfer(try makeReceipt())
        #expect(
            String(decoding: writer.finish(), as: UTF8.self) == """
                {"id":"01990000-0000-7000-8000-000000000002","wallet_id":"\(Self.id)","direction":"credit",\
                "amount":"10.50","asset":"EUR","status":"completed","reason":null,"completed_amount":"10.00",\
                "purpose":"transfer","reverses":null,"reversed_amount":"0.00","reference_id":"order-1",\
                "counterparty_wallet_id":null,"expires_at":null,"metadata":{"a":1},"description":"tea","note":null,\
                "created_at":"\(Self.time)","resolved_at":"\(Self.time)",\
                "wallet":{"balance":"123.45","pending_debit":"1.00","pending_credit":"0.45","available":"123.00",\
                "version":3}}
                """)
    }

    @Test func theLargestSumKeepsAllDigits() throws {
        var writer = JSONWriter()
        writer.wallet(try makeWallet(balance: Money.largest))
        let value = try JSONValue(parsing: writer.finish())
        #expect(value["balance"]?.string == "999999999999999999999999999999999999.99")
    }

    @Test func lists() throws {
        let cursor = Cursor(wallet: walletID, filter: TransferFilter(), before: 2)
        let page = try JSONValue(parsing: Answer.transfers([try makeReceipt()], next: cursor).body)
        #expect(page["items"]?.array?.count == 1)
        #expect(page["next_cursor"]?.string == cursor.text)
        let last = Answer.transfers([], next: nil).body
        #expect(String(decoding: last, as: UTF8.self) == #"{"items":[],"next_cursor":null}"#)
    }
}
