import Ledger

/// The kinds of operations whose latencies are reported apart.
public enum BenchOperationKind: Int, Sendable, CaseIterable {
    /// A pending transfer.
    case create
    /// A transfer completed at once.
    case transfer
    /// The completion of a pending transfer.
    case complete
    /// The reversal of a pending transfer.
    case revert

    /// The name in reports.
    public var name: String {
        switch self {
        case .create: "create"
        case .transfer: "transfer"
        case .complete: "complete"
        case .revert: "revert"
        }
    }
}

/// Money moved by one operation, in minor units, on the three sums of a wallet.
struct Effect: Equatable, Sendable {
    var balance: Int64 = 0
    var pendingDebit: Int64 = 0
    var pendingCredit: Int64 = 0

    static func += (left: inout Effect, right: Effect) {
        left.balance += right.balance
        left.pendingDebit += right.pendingDebit
        left.pendingCredit += right.pendingCredit
    }

    static func + (left: Effect, right: Effect) -> Effect {
        var sum = left
        sum += right
        return sum
    }

    /// The parts that lower a sum, and those that raise one.
    var lowering: Effect {
        Effect(balance: min(0, balance), pendingDebit: min(0, pendingDebit), pendingCredit: min(0, pendingCredit))
    }
    var raising: Effect {
        Effect(balance: max(0, balance), pendingDebit: max(0, pendingDebit), pendingCredit: max(0, pendingCredit))
    }
}

/// A transfer of the run.
struct BenchTransfer: Sendable {
    let id: RawUUID
    /// Index of the wallet in the run.
    let wallet: Int32
    /// Minor units, 1 to 999.
    let amount: Int16
    /// Money into the wallet (debit) or out of it (credit).
    let isDebit: Bool

    /// What an operation of that kind does to the wallet.
    func effect(of kind: BenchOperationKind) -> Effect {
        let amount = Int64(amount)
        switch (kind, isDebit) {
        case (.create, true): return Effect(pendingDebit: amount)
        case (.create, false): return Effect(pendingCredit: amount)
        case (.transfer, true): return Effect(balance: amount)
        case (.transfer, false): return Effect(balance: -amount)
        case (.complete, true): return Effect(balance: amount, pendingDebit: -amount)
        case (.complete, false): return Effect(balance: -amount, pendingCredit: -amount)
        case (.revert, true): return Effect(pendingDebit: -amount)
        case (.revert, false): return Effect(pendingCredit: -amount)
        }
    }
}

/// Writes the requests of a run as bytes, from parts that are rendered once.
struct RequestWriter: Sendable {
    private static let idLength = 36

    private let getHead: [UInt8]
    private let getTail: [UInt8]
    private let postHead: [UInt8]
    private let createWalletHead: [UInt8]
    private let debitTail: [UInt8]
    private let creditTail: [UInt8]
    private let completedDebitTail: [UInt8]
    private let completedCreditTail: [UInt8]
    private let completeTail: [UInt8]
    private let revertTail: [UInt8]
    private let authority: String
    private let hasKeys: Bool
    /// The wallets' ids as text, one after the other.
    private let walletTexts: [UInt8]

    init(authority: HTTPAuthority, wallets: [RawUUID], hasKeys: Bool) {
        self.authority = authority.text
        self.hasKeys = hasKeys
        var texts: [UInt8] = []
        texts.reserveCapacity(wallets.count * Self.idLength)
        for wallet in wallets { wallet.append(to: &texts) }
        walletTexts = texts
        let idMember = #"{"transfer_id":""#.utf8.count + Self.idLength
        let amountMember = #"","amount":"0.00""#.utf8.count
        let keyMember = hasKeys ? #","reference_id":"bench:""#.utf8.count + Self.idLength : 0
        let pending = idMember + amountMember + keyMember + 1
        let completed = pending + Self.completedMember.utf8.count
        func tail(_ path: String, _ length: Int, _ body: String) -> [UInt8] {
            Array(
                """
                \(path) HTTP/1.1\r\nHost: \(authority.text)\r\nContent-Type: application/json\r\n\
                Content-Length: \(length)\r\n\r\n\(body)
                """.utf8)
        }
        getHead = Array("GET /v1/wallet/".utf8)
        getTail = Array(" HTTP/1.1\r\nHost: \(authority.text)\r\n\r\n".utf8)
        postHead = Array("POST /v1/wallet/".utf8)
        createWalletHead = Array("POST /v1/wallet".utf8)
        debitTail = tail("/transfers/debit", pending, #"{"transfer_id":""#)
        creditTail = tail("/transfers/credit", pending, #"{"transfer_id":""#)
        completedDebitTail = tail("/transfers/debit", completed, #"{"transfer_id":""#)
        completedCreditTail = tail("/transfers/credit", completed, #"{"transfer_id":""#)
        completeTail = tail("/complete", 2, "{}")
        revertTail = tail("/revert", 2, "{}")
    }

    private static let completedMember = #","status":"completed""#
    private static let completedBytes = Array(completedMember.utf8)
    private static let amountName = Array(#"","amount":""#.utf8)
    private static let keyName = Array(#","reference_id":"bench:"#.utf8)
    private static let transfersPath = Array("/transfers/".utf8)

    func write(_ kind: BenchOperationKind, _ transfer: BenchTransfer, to request: inout [UInt8]) {
        request.append(contentsOf: postHead)
        appendWallet(Int(transfer.wallet), to: &request)
        switch kind {
        case .create:
            request.append(contentsOf: transfer.isDebit ? debitTail : creditTail)
            appendBody(of: transfer, isCompleted: false, to: &request)
        case .transfer:
            request.append(contentsOf: transfer.isDebit ? completedDebitTail : completedCreditTail)
            appendBody(of: transfer, isCompleted: true, to: &request)
        case .complete, .revert:
            request.append(contentsOf: Self.transfersPath)
            transfer.id.append(to: &request)
            request.append(contentsOf: kind == .complete ? completeTail : revertTail)
        }
    }

    /// `POST /v1/wallet` with that initial balance (decimal text).
    func writeCreation(ofWallet index: Int, asset: String, balance: String, to request: inout [UInt8]) {
        let length = #"{"wallet_id":"","asset":"","initial_balance":""}"#.utf8.count
        let count = length + Self.idLength + asset.utf8.count + balance.utf8.count
        request.append(contentsOf: createWalletHead)
        let head = """
             HTTP/1.1\r\nHost: \(authority)\r\nContent-Type: application/json\r\n\
            Content-Length: \(count)\r\n\r\n{"wallet_id":"
            """
        request.append(contentsOf: head.utf8)
        appendWallet(index, to: &request)
        request.append(contentsOf: #"","asset":"\#(asset)","initial_balance":"\#(balance)"}"#.utf8)
    }

    /// `GET` of a wallet, or of one of its transfers; from the write side when `isStrong`.
    func writeRead(ofWallet index: Int, transfer: RawUUID? = nil, isStrong: Bool, to request: inout [UInt8]) {
        request.append(contentsOf: getHead)
        appendWallet(index, to: &request)
        if let transfer {
            request.append(contentsOf: Self.transfersPath)
            transfer.append(to: &request)
        }
        if isStrong { request.append(contentsOf: "?consistency=strong".utf8) }
        request.append(contentsOf: getTail)
    }

    /// The id of a wallet as text.
    func walletText(_ index: Int) -> String {
        String(decoding: walletTexts[(index * Self.idLength)..<((index + 1) * Self.idLength)], as: UTF8.self)
    }

    private func appendWallet(_ index: Int, to request: inout [UInt8]) {
        request.append(contentsOf: walletTexts[(index * Self.idLength)..<((index + 1) * Self.idLength)])
    }

    private func appendBody(of transfer: BenchTransfer, isCompleted: Bool, to request: inout [UInt8]) {
        transfer.id.append(to: &request)
        request.append(contentsOf: Self.amountName)
        let amount = Int(transfer.amount)
        request.append(UInt8(48 + amount / 100))
        request.append(UInt8(ascii: "."))
        request.append(UInt8(48 + amount / 10 % 10))
        request.append(UInt8(48 + amount % 10))
        request.append(UInt8(ascii: "\""))
        if hasKeys {
            request.append(contentsOf: Self.keyName)
            transfer.id.append(to: &request)
            request.append(UInt8(ascii: "\""))
        }
        if isCompleted { request.append(contentsOf: Self.completedBytes) }
        request.append(UInt8(ascii: "}"))
    }
}
