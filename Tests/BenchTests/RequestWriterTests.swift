import Glibc
import JSON
import Ledger
import Runtime
import Testing

@testable import Bench

@Suite struct RequestWriterTests {
    private static let ids = UUIDv7Generator()
    private static let wallets = [ids.next(), ids.next()]

    private static func writer(hasKeys: Bool = true) throws -> RequestWriter {
        RequestWriter(authority: try HTTPAuthority(url: "http://localhost:81/"), wallets: wallets, hasKeys: hasKeys)
    }

    /// The request line's target and the body of a request whose length is right.
    private static func parts(of bytes: [UInt8]) throws -> (target: String, body: JSONValue) {
        let text = String(decoding: bytes, as: UTF8.self)
        let end = try #require(text.firstRange(of: "\r\n\r\n"))
        let body = text[end.upperBound...]
        #expect(text.contains("\r\nContent-Length: \(body.utf8.count)\r\n"))
        #expect(text.contains("\r\nHost: localhost:81\r\n"))
        #expect(text.contains("\r\nContent-Type: application/json\r\n"))
        let words = text.prefix { $0 != "\r\n" }.split(separator: " ")
        #expect(words.count == 3 && words[0] == "POST" && words[2] == "HTTP/1.1")
        return (String(words[1]), try JSONValue(parsing: Array(body.utf8)))
    }

    private static func names(_ value: JSONValue) -> [String] { (value.members ?? []).map(\.name) }

    @Test(arguments: BenchOperationKind.allCases, [true, false])
    func oneOperation(_ kind: BenchOperationKind, _ hasKeys: Bool) throws {
        let transfer = BenchTransfer(id: Self.ids.next(), wallet: 1, amount: 7, isDebit: false)
        var bytes: [UInt8] = []
        try Self.writer(hasKeys: hasKeys).write(BenchOperation(kind: kind, transfer: transfer), to: &bytes)
        let (target, body) = try Self.parts(of: bytes)
        let path = "/v1/wallet/\(Self.wallets[1].text)/transfers/"
        switch kind {
        case .create, .post:
            #expect(target == path + "credit")
            #expect(body["transfer_id"]?.string == transfer.id.text)
            #expect(body["amount"]?.string == "0.07")
            #expect(body["reference_id"]?.string == (hasKeys ? "bench:\(transfer.id.text)" : nil))
            #expect(body["status"]?.string == (kind == .post ? "completed" : nil))
        case .complete, .revert:
            #expect(target == path + "\(transfer.id.text)/\(kind.name)")
            #expect(Self.names(body) == [])
        }
    }

    @Test func betweenTwoWallets() throws {
        let writer = try Self.writer()
        let credit = BenchTransfer(id: Self.ids.next(), wallet: 0, counterparty: 1, amount: 123, isDebit: false)
        let debit = try #require(credit.mirrored)
        #expect(debit.wallet == 1 && debit.counterparty == 0 && debit.isDebit && debit.mirrored == credit)
        for transfer in [credit, debit] {
            var bytes: [UInt8] = []
            writer.write(BenchOperation(kind: .create, transfer: transfer), to: &bytes)
            let (target, body) = try Self.parts(of: bytes)
            #expect(target == "/v1/transfers")
            #expect(body["from_wallet_id"]?.string == Self.wallets[0].text)
            #expect(body["to_wallet_id"]?.string == Self.wallets[1].text)
            #expect(body["amount"]?.string == "1.23")
        }
        var bytes: [UInt8] = []
        writer.write(BenchOperation(kind: .revert, transfer: debit), to: &bytes)
        let target = try Self.parts(of: bytes).target
        #expect(target == "/v1/wallet/\(Self.wallets[1].text)/transfers/\(debit.id.text)/revert")
    }

    @Test func batches() throws {
        let ids = (0..<5).map { _ in Self.ids.next() }
        let operations = [
            BenchOperation(kind: .create, transfer: BenchTransfer(id: ids[0], wallet: 1, amount: 5, isDebit: true)),
            BenchOperation(kind: .post, transfer: BenchTransfer(id: ids[1], wallet: 0, amount: 999, isDebit: false)),
            BenchOperation(kind: .complete, transfer: BenchTransfer(id: ids[2], wallet: 0, amount: 5, isDebit: true)),
            BenchOperation(kind: .revert, transfer: BenchTransfer(id: ids[3], wallet: 1, amount: 5, isDebit: true)),
            BenchOperation(
                kind: .post,
                transfer: BenchTransfer(id: ids[4], wallet: 1, counterparty: 0, amount: 5, isDebit: false)),
        ]
        for isAtomic in [false, true] {
            var bytes: [UInt8] = []
            try Self.writer().write(batch: operations, isAtomic: isAtomic, to: &bytes)
            let (target, body) = try Self.parts(of: bytes)
            #expect(target == "/v1/batches")
            #expect(body["atomic"]?.boolean == (isAtomic ? true : nil))
            let items = try #require(body["operations"]?.array)
            #expect(items.map { $0["op"]?.string } == ["debit", "credit", "complete", "revert", "transfer"])
            #expect(items.map { $0["transfer_id"]?.string } == ids.map(\.text))
            let wallets = Self.wallets.map(\.text)
            #expect(items.map { $0["wallet_id"]?.string } == [wallets[1], wallets[0], wallets[0], wallets[1], nil])
            #expect(items[1]["amount"]?.string == "9.99")
            #expect(items[1]["status"]?.string == "completed" && items[0]["status"] == nil)
            #expect(Self.names(items[2]) == ["op", "wallet_id", "transfer_id"])
            #expect(items[4]["from_wallet_id"]?.string == wallets[1])
            #expect(items[4]["to_wallet_id"]?.string == wallets[0])
        }
    }
}

@Suite struct BatchAnswerTests {
    private static func items(_ text: String) -> [BatchItem]? {
        let bytes = Array(text.utf8)
        return BatchAnswer.items(in: bytes.span)
    }

    @Test func resultsAreFoundWithTheirBytes() throws {
        let results = [
            #"{"index":0,"status":201,"transfer":{"id":"a","metadata":{"x":{}},"wallet":{"x":"","version":7}}}"#,
            #"{"index":1,"status":422,"problem":{"code":"insufficient_funds","detail":"{\"index\":5"}}"#,
            #"{"index":2,"status":200,"transfer":{"wallet":{"version":12}},"replayed":true}"#,
        ]
        let text = #"{"results":["# + results.joined(separator: ",") + "]}"
        let bytes = Array(text.utf8)
        let found = BatchAnswer.items(in: bytes.span)
        let items = try #require(found)
        #expect(items.map(\.status) == [201, 422, 200])
        #expect(items.map { String(decoding: bytes[$0.bytes], as: UTF8.self) } == results)
        #expect(MemberScanner.walletVersion(in: bytes.span.extracting(items[0].bytes)) == 7)
        #expect(MemberScanner.string("code", in: bytes.span.extracting(items[1].bytes)) == "insufficient_funds")
        #expect(MemberScanner.walletVersion(in: bytes.span.extracting(items[2].bytes)) == 12)
        #expect(Self.items(#"{"results":[]}"#) == [])
    }

    @Test(arguments: [
        "", "{}", "]}", #"{"results":["#, #"{"results":[{"index":0,"status":201}"#,
        #"{"results":[{"index":1,"status":201}]}"#, #"{"results":[{"index":0,"status":"201"}]}"#,
        #"{"results":[{"index":0,"status":201},{"index":2,"status":201}]}"#,
        #"{"results":[{"index":0,"status":201},{"index":0,"status":201}]}"#,
        #"{"results":[{"index":0,"status":201}{"index":1,"status":201}]}"#,
        #"{"results":[{"index":12345678901,"status":201}]}"#,
    ])
    func anythingElseIsRefused(_ text: String) {
        #expect(Self.items(text) == nil)
    }
}

@Suite struct ProcessorTimeTests {
    @Test func linesOfStatAreRead() {
        let line = "42 (a b) (c) S 7 42 42 0 -1 4194560 10 20 0 0 100 20 3 4 20 0 1 0 9 1 2"
        #expect(ProcessorTime.Record(stat: line) == ProcessorTime.Record(parent: 7, ticks: 127))
        for wrong in ["", "42 (a) S", "42 (a) S x 42 42 0 -1 4194560 10 20 0 0 100 20 3 4 20", "no line at all"] {
            #expect(ProcessorTime.Record(stat: wrong) == nil)
        }
    }

    @Test func descendantsCountAndOthersDoNot() throws {
        func record(_ parent: Int32, _ ticks: Int64) -> ProcessorTime.Record { .init(parent: parent, ticks: ticks) }
        let records: [Int32: ProcessorTime.Record] = [
            1: record(0, 1000), 5: record(1, 10), 6: record(5, 20), 7: record(6, 30), 8: record(1, 500),
        ]
        let one = try #require(ProcessorTime.microseconds(of: 7, in: records))
        #expect(ProcessorTime.microseconds(of: 5, in: records) == one * 2)
        #expect(ProcessorTime.microseconds(of: 9, in: records) == nil)
        #expect(ProcessorTime.records()[getpid()] != nil)
    }
}

@Suite struct ChainCostTests {
    @Test(arguments: [(false, true), (true, true), (false, false)])
    func entriesAreThoseTheLedgerWouldMake(_ transfers: Bool, _ keys: Bool) {
        var options = BenchOptions()
        options.transfers = transfers
        options.keys = keys
        let entries = ChainCost.entries(operations: 10, options)
        #expect(entries.count == (transfers ? 20 : 10))
        #expect(entries.count { $0.kind == .pending } == entries.count / 2)
        #expect(entries.count { $0.kind == .completed } == entries.count / 2)
        #expect(entries.count { $0.key != nil } == (keys ? 5 : 0))
        #expect(entries.allSatisfy { ($0.counterparty != nil) == transfers })
        #expect(entries.first?.version == 2 && entries.last?.version == 11)
    }
}
