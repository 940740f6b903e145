import Ledger

/// Writes the requests of a run as bytes, from parts that are rendered once.
struct RequestWriter: Sendable {
    private static let idLength = 36

    private let getHead: [UInt8]
    private let getTail: [UInt8]
    private let createWalletHead: [UInt8]
    /// What stands between the target of a POST and the length of its body.
    private let postFields: [UInt8]
    private let hasKeys: Bool
    /// The wallets' ids as text, one after the other.
    private let walletTexts: [UInt8]

    init(authority: HTTPAuthority, wallets: [RawUUID], hasKeys: Bool) {
        self.hasKeys = hasKeys
        var texts: [UInt8] = []
        texts.reserveCapacity(wallets.count * Self.idLength)
        for wallet in wallets { wallet.append(to: &texts) }
        walletTexts = texts
        getHead = Array("GET /v1/wallet/".utf8)
        getTail = Array(" HTTP/1.1\r\nHost: \(authority.text)\r\n\r\n".utf8)
        createWalletHead = Array("POST /v1/wallet".utf8)
        postFields = Array(
            " HTTP/1.1\r\nHost: \(authority.text)\r\nContent-Type: application/json\r\nContent-Length: ".utf8)
    }

    /// Appends the request for one operation.
    func write(_ operation: BenchOperation, to request: inout [UInt8]) {
        let transfer = operation.transfer
        if operation.isCreation, transfer.counterparty != nil {
            append("POST /v1/transfers", to: &request)
        } else {
            append("POST /v1/wallet/", to: &request)
            appendWallet(Int(transfer.wallet), to: &request)
            append("/transfers/", to: &request)
            switch operation.kind {
            case .create, .post: append(transfer.isDebit ? "debit" : "credit", to: &request)
            case .complete, .revert:
                transfer.id.append(to: &request)
                append(operation.kind == .complete ? "/complete" : "/revert", to: &request)
            }
        }
        guard operation.isCreation else { return appendBody([UInt8(ascii: "{"), UInt8(ascii: "}")], to: &request) }
        var body: [UInt8] = []
        body.reserveCapacity(256)
        appendMembers(of: operation, to: &body)
        // The comma before the first member makes room for the brace.
        body[0] = UInt8(ascii: "{")
        body.append(UInt8(ascii: "}"))
        appendBody(body, to: &request)
    }

    /// Appends the request for a batch.
    func write(batch operations: [BenchOperation], isAtomic: Bool, to request: inout [UInt8]) {
        var body: [UInt8] = []
        body.reserveCapacity(64 + operations.count * 256)
        append(isAtomic ? #"{"atomic":true,"operations":["# : #"{"operations":["#, to: &body)
        for (index, operation) in operations.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            append(#"{"op":""#, to: &body)
            append(Self.word(for: operation), to: &body)
            body.append(UInt8(ascii: "\""))
            if !operation.isCreation || operation.transfer.counterparty == nil {
                append(#","wallet_id":""#, to: &body)
                appendWallet(Int(operation.transfer.wallet), to: &body)
                body.append(UInt8(ascii: "\""))
            }
            if operation.isCreation {
                appendMembers(of: operation, to: &body)
            } else {
                append(#","transfer_id":""#, to: &body)
                operation.transfer.id.append(to: &body)
                body.append(UInt8(ascii: "\""))
            }
            body.append(UInt8(ascii: "}"))
        }
        append("]}", to: &body)
        append("POST /v1/batches", to: &request)
        appendBody(body, to: &request)
    }

    /// `POST /v1/wallet` with that initial balance (decimal text).
    func writeCreation(ofWallet index: Int, asset: String, balance: String, to request: inout [UInt8]) {
        let body = #"{"wallet_id":"\#(walletText(index))","asset":"\#(asset)","initial_balance":"\#(balance)"}"#
        request.append(contentsOf: createWalletHead)
        appendBody(Array(body.utf8), to: &request)
    }

    /// `GET` of a wallet, or of one of its transfers; from the write side when `isStrong`.
    func writeRead(ofWallet index: Int, transfer: RawUUID? = nil, isStrong: Bool, to request: inout [UInt8]) {
        request.append(contentsOf: getHead)
        appendWallet(index, to: &request)
        if let transfer {
            append("/transfers/", to: &request)
            transfer.append(to: &request)
        }
        if isStrong { append("?consistency=strong", to: &request) }
        request.append(contentsOf: getTail)
    }

    /// The id of a wallet as text.
    func walletText(_ index: Int) -> String {
        String(decoding: walletTexts[(index * Self.idLength)..<((index + 1) * Self.idLength)], as: UTF8.self)
    }

    /// The `op` of an operation in a batch.
    private static func word(for operation: BenchOperation) -> StaticString {
        switch operation.kind {
        case .complete: return "complete"
        case .revert: return "revert"
        case .create, .post:
            if operation.transfer.counterparty != nil { return "transfer" }
            return operation.transfer.isDebit ? "debit" : "credit"
        }
    }

    /// The members of a new transfer, each after a comma.
    private func appendMembers(of operation: BenchOperation, to body: inout [UInt8]) {
        let transfer = operation.transfer
        if let counterparty = transfer.counterparty {
            append(#","from_wallet_id":""#, to: &body)
            appendWallet(Int(transfer.isDebit ? counterparty : transfer.wallet), to: &body)
            append(#"","to_wallet_id":""#, to: &body)
            appendWallet(Int(transfer.isDebit ? transfer.wallet : counterparty), to: &body)
            body.append(UInt8(ascii: "\""))
        }
        append(#","transfer_id":""#, to: &body)
        transfer.id.append(to: &body)
        append(#"","amount":""#, to: &body)
        let amount = Int(transfer.amount)
        body.append(UInt8(48 + amount / 100))
        body.append(UInt8(ascii: "."))
        body.append(UInt8(48 + amount / 10 % 10))
        body.append(UInt8(48 + amount % 10))
        body.append(UInt8(ascii: "\""))
        if hasKeys {
            append(#","reference_id":"bench:"#, to: &body)
            transfer.id.append(to: &body)
            body.append(UInt8(ascii: "\""))
        }
        if operation.kind == .post { append(#","status":"completed""#, to: &body) }
    }

    /// The rest of the head, and the body.
    private func appendBody(_ body: [UInt8], to request: inout [UInt8]) {
        request.append(contentsOf: postFields)
        request.append(contentsOf: String(body.count).utf8)
        append("\r\n\r\n", to: &request)
        request.append(contentsOf: body)
    }

    private func append(_ text: StaticString, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func appendWallet(_ index: Int, to request: inout [UInt8]) {
        request.append(contentsOf: walletTexts[(index * Self.idLength)..<((index + 1) * Self.idLength)])
    }
}
