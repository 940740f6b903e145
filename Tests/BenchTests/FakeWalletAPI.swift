import Glibc
import JSON
import Runtime
import Synchronization

/// A small in-memory wallet API over real sockets, one thread a connection, that can misbehave on demand. It listens on
/// two ports, as two processes of one service would.
final class FakeWalletAPI: Sendable {
    /// How it misbehaves. Writes are counted from 1 after the wallets' creation.
    struct Faults: Sendable {
        /// Holds the answer to this write for that long.
        var stalledWrite = 0
        var stallMilliseconds: Int32 = 0
        /// Does this write twice.
        var doubledWrite = 0
        /// Acknowledges this write without doing it.
        var forgottenWrite = 0
        /// Does this write, but closes the connection instead of answering.
        var unansweredWrite = 0
        /// Refuses this write and the four after it with 503 `overloaded`.
        var overloadedWrite = 0
        /// Gives the money of this write to nobody: of a transfer between wallets, the other one gets none.
        var halvedWrite = 0
        /// Leaves this result out of a batch's answer, counted from 1 over all batches.
        var forgottenResult = 0
        /// Adds one cent to the balance that the projection shows of the first wallet that is asked for.
        var liesInProjection = false
        /// How many reads of the projection show the wallet as it was created.
        var staleReads = 0
        /// Bytes a piece of an answer; 0 sends answers whole.
        var pieceSize = 0
        /// Closes each connection after so many answers without a word about it; 0 keeps them.
        var answersPerConnection = 0
    }

    private struct Wallet: Sendable {
        var balance: Int64
        var pendingDebit: Int64 = 0
        var pendingCredit: Int64 = 0
        var version: Int64 = 1
    }

    private struct Transfer: Sendable {
        var amount: Int64
        var isDebit: Bool
        /// The wallet it is a transfer of, and the other one.
        var wallet: String
        var other: String?
        var status: String
        var reason: String?

        /// The same as the other wallet has it.
        var mirrored: Transfer? {
            guard let other else { return nil }
            return Transfer(
                amount: amount, isDebit: !isDebit, wallet: other, other: wallet, status: status, reason: reason)
        }
    }

    private struct State: Sendable {
        var wallets: [String: Wallet] = [:]
        var created: [String: Wallet] = [:]
        var transfers: [String: Transfer] = [:]
        var writes = 0
        var results = 0
        var connections: [Int] = [0, 0]
        var staleReads = 0
        var victim: String?
        var descriptors: Set<Int32> = []
        var threads: [OwnedThread] = []
        var isStopped = false
    }

    private struct Request {
        var method = ""
        var path: [String] = []
        var isStrong = false
        var body = ""
    }

    private enum Reply {
        case answer(Int, String)
        case hangUp
    }

    private let ports: [UInt16]
    private let faults: Faults
    private let listeners: [Int32]
    private let state = Mutex(State())

    var url: String { urls[0] }
    var urls: [String] { ports.map { "http://127.0.0.1:\($0)" } }
    /// Connections that each port accepted.
    var connections: [Int] { state.withLock { $0.connections } }
    /// Writes so far, without the wallets' creation.
    var writes: Int { state.withLock { $0.writes } }

    init(_ faults: Faults = Faults()) throws {
        self.faults = faults
        let opened = [try Self.listen(), try Self.listen()]
        listeners = opened.map(\.descriptor)
        ports = opened.map(\.port)
        for number in 0..<2 {
            let thread = try OwnedThread(name: "fake-accept") { self.acceptAll(number) }
            state.withLock { $0.threads.append(thread) }
        }
    }

    private static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, size) == 0 && Glibc.listen(descriptor, 128) == 0
                    && getsockname(descriptor, generic, &size) == 0
            }
        }
        struct NoListener: Error {}
        guard bound else { throw NoListener() }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// How many connections were closed on this side.
    var closedConnections: Int { state.withLock { $0.connections.reduce(0, +) - $0.descriptors.count } }

    /// Closes everything and waits for the threads.
    func stop() {
        let threads = state.withLock { state in
            state.isStopped = true
            for listener in listeners { shutdown(listener, Int32(SHUT_RDWR)) }
            for descriptor in state.descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
            return state.threads
        }
        for thread in threads { thread.join() }
        for listener in listeners { close(listener) }
    }

    private func acceptAll(_ number: Int) {
        while true {
            let descriptor = accept(listeners[number], nil, nil)
            guard descriptor >= 0 else { return }
            var enabled: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &enabled, socklen_t(MemoryLayout<Int32>.size))
            let isServed = state.withLock { state in
                guard !state.isStopped, let thread = try? OwnedThread(name: "fake", body: { self.serve(descriptor) })
                else { return false }
                state.descriptors.insert(descriptor)
                state.connections[number] += 1
                state.threads.append(thread)
                return true
            }
            if !isServed { close(descriptor) }
        }
    }

    private func serve(_ descriptor: Int32) {
        defer { state.withLock { _ = close($0.descriptors.remove(descriptor) ?? descriptor) } }
        var received: [UInt8] = []
        var answers = 0
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            while let request = Self.takeRequest(from: &received) {
                guard case .answer(let status, let body) = handle(request) else { return }
                let head = """
                    HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nWallet-Source: projection\r\n\
                    content-length: \(body.utf8.count)\r\n\r\n
                    """
                guard sendAll(descriptor, Array(head.utf8) + Array(body.utf8)) else { return }
                answers += 1
                if answers == faults.answersPerConnection { return }
            }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            received += buffer[..<count]
        }
    }

    private func sendAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        let size = faults.pieceSize > 0 ? faults.pieceSize : bytes.count
        var start = 0
        while start < bytes.count {
            let piece = Array(bytes[start..<min(start + size, bytes.count)])
            let sent = send(descriptor, piece, piece.count, Int32(MSG_NOSIGNAL))
            guard sent > 0 else { return false }
            start += sent
        }
        return true
    }

    private static func takeRequest(from bytes: inout [UInt8]) -> Request? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        var length = 0
        for line in lines where line.hasPrefix("Content-Length: ") { length = Int(line.dropFirst(16)) ?? 0 }
        let body = text[end.upperBound...].utf8
        guard body.count >= length, let first = lines.first else { return nil }
        let words = first.split(separator: " ")
        guard words.count == 3 else { return nil }
        let target = words[1].split(separator: "?")
        var request = Request()
        request.method = String(words[0])
        request.path = target[0].split(separator: "/").map(String.init)
        request.isStrong = target.count > 1 && target[1] == "consistency=strong"
        request.body = String(decoding: Array(body.prefix(length)), as: UTF8.self)
        bytes.removeFirst(bytes.count - body.count + length)
        return request
    }

    private func handle(_ request: Request) -> Reply {
        if request.method == "GET" { return state.withLock { read(request, &$0) } }
        if request.path == ["v1", "wallet"] { return state.withLock { createWallet(request, &$0) } }
        if request.path == ["v1", "batches"] { return state.withLock { batch(request, &$0) } }
        let (reply, number) = state.withLock { state in
            state.writes += 1
            return (write(Write(request), &state), state.writes)
        }
        if number == faults.stalledWrite { poll(nil, 0, faults.stallMilliseconds) }
        return reply
    }

    private func createWallet(_ request: Request, _ state: inout State) -> Reply {
        let id = Self.member("wallet_id", request.body)
        let wallet = Wallet(balance: Self.cents(Self.member("initial_balance", request.body)))
        state.wallets[id] = wallet
        state.created[id] = wallet
        return .answer(201, Self.json(id, wallet))
    }

    private func read(_ request: Request, _ state: inout State) -> Reply {
        let id = request.path[2]
        guard var wallet = state.wallets[id] else { return Self.problem(404, "wallet_not_found") }
        if request.path.count == 5 {
            guard let transfer = state.transfers[request.path[4]] else {
                return Self.problem(404, "transfer_not_found")
            }
            let shown = transfer.wallet == id ? transfer : transfer.mirrored ?? transfer
            return .answer(200, Self.json(request.path[4], shown, wallet))
        }
        if !request.isStrong {
            state.staleReads += 1
            if state.staleReads <= faults.staleReads, let created = state.created[id] { wallet = created }
            if faults.liesInProjection, state.victim == nil || state.victim == id {
                state.victim = id
                wallet.balance += 1
            }
        }
        return .answer(200, Self.json(id, wallet))
    }

    /// One write, whichever way it was asked for.
    private struct Write {
        var wallet: String
        var other: String?
        var transfer: String
        /// `debit`, `credit`, `complete` or `revert`.
        var verb: String
        var amount: Int64 = 0
        var isCompleted = false

        init(_ request: Request) {
            let members = try? JSONValue(parsing: Array(request.body.utf8))
            self.init(members ?? .null, verb: "credit")
            guard request.path.count > 4 else { return }
            wallet = request.path[2]
            verb = request.path.last ?? ""
            if request.path.count > 5 { transfer = request.path[4] }
        }

        init(_ members: JSONValue, verb: String) {
            func text(_ name: String) -> String { members[name]?.string ?? "" }
            self.verb = verb == "transfer" ? "credit" : verb
            wallet = text("wallet_id") + text("from_wallet_id")
            other = members["to_wallet_id"]?.string
            transfer = text("transfer_id")
            amount = FakeWalletAPI.cents(text("amount"))
            isCompleted = text("status") == "completed"
        }
    }

    private func batch(_ request: Request, _ state: inout State) -> Reply {
        guard let body = try? JSONValue(parsing: Array(request.body.utf8)), let items = body["operations"]?.array else {
            return Self.problem(400, "invalid_request")
        }
        var results: [String] = []
        for (index, item) in items.enumerated() {
            state.writes += 1
            state.results += 1
            guard case .answer(let status, let text) = write(Write(item, verb: item["op"]?.string ?? ""), &state) else {
                return .hangUp
            }
            guard state.results != faults.forgottenResult else { continue }
            let member = status < 300 ? "transfer" : "problem"
            results.append(#"{"index":\#(index),"status":\#(status),"\#(member)":\#(text)}"#)
        }
        return .answer(200, #"{"results":[\#(results.joined(separator: ","))]}"#)
    }

    private func write(_ write: Write, _ state: inout State) -> Reply {
        let number = state.writes
        if faults.overloadedWrite > 0, (faults.overloadedWrite..<faults.overloadedWrite + 5).contains(number) {
            return Self.problem(503, "overloaded")
        }
        let isCreation = write.verb == "debit" || write.verb == "credit"
        var transfer: Transfer
        if isCreation {
            transfer = Transfer(
                amount: write.amount, isDebit: write.verb == "debit", wallet: write.wallet, other: write.other,
                status: write.isCompleted ? "completed" : "pending")
        } else {
            guard let known = state.transfers[write.transfer], known.status == "pending" else {
                return Self.problem(409, "transfer_not_pending")
            }
            transfer = known
            transfer.status = write.verb == "complete" ? "completed" : "failed"
            transfer.reason = write.verb == "complete" ? nil : "reverted"
        }
        var sides = [transfer]
        if let mirrored = transfer.mirrored { sides.append(mirrored) }
        let before = state.wallets
        for (index, side) in sides.enumerated() where index == 0 || number != faults.halvedWrite {
            guard state.wallets[side.wallet] != nil else { return Self.problem(404, "wallet_not_found") }
            Self.move(side, isCreation: isCreation, &state.wallets[side.wallet, default: Wallet(balance: 0)])
        }
        let shown = sides.first { $0.wallet == write.wallet } ?? transfer
        let reply = Reply.answer(
            isCreation ? 201 : 200,
            Self.json(write.transfer, shown, state.wallets[shown.wallet] ?? Wallet(balance: 0)))
        if number == faults.forgottenWrite {
            state.wallets = before
        } else {
            state.transfers[write.transfer] = transfer
            if number == faults.doubledWrite { state.wallets[write.wallet]?.version += 1 }
        }
        return number == faults.unansweredWrite ? .hangUp : reply
    }

    private static func move(_ transfer: Transfer, isCreation: Bool, _ wallet: inout Wallet) {
        if isCreation { hold(transfer, 1, &wallet) }
        if transfer.status == "completed" { settle(transfer, &wallet) }
        if transfer.status == "failed" { hold(transfer, -1, &wallet) }
        wallet.version += 1
    }

    private static func hold(_ transfer: Transfer, _ sign: Int64, _ wallet: inout Wallet) {
        if transfer.isDebit {
            wallet.pendingDebit += sign * transfer.amount
        } else {
            wallet.pendingCredit += sign * transfer.amount
        }
    }

    private static func settle(_ transfer: Transfer, _ wallet: inout Wallet) {
        hold(transfer, -1, &wallet)
        wallet.balance += transfer.isDebit ? transfer.amount : -transfer.amount
    }

    private static func problem(_ status: Int, _ code: String) -> Reply {
        .answer(status, #"{"type":"about:blank","status":\#(status),"code":"\#(code)","detail":"x"}"#)
    }

    private static func json(_ id: String, _ wallet: Wallet) -> String {
        #"{"id":"\#(id)","asset":"EUR",\#(sums(wallet)),"version":\#(wallet.version),"status":"active"}"#
    }

    private static func json(_ id: String, _ transfer: Transfer, _ wallet: Wallet) -> String {
        let reason = transfer.reason.map { "\"\($0)\"" } ?? "null"
        let other = transfer.other.map { "\"\($0)\"" } ?? "null"
        return """
            {"id":"\(id)","direction":"\(transfer.isDebit ? "debit" : "credit")","amount":"\(money(transfer.amount))",\
            "status":"\(transfer.status)","reason":\(reason),\
            "counterparty_wallet_id":\(other),"wallet":{\(sums(wallet)),"version":\(wallet.version)}}
            """
    }

    private static func sums(_ wallet: Wallet) -> String {
        """
        "balance":"\(money(wallet.balance))","pending_debit":"\(money(wallet.pendingDebit))",\
        "pending_credit":"\(money(wallet.pendingCredit))","available":"\(money(wallet.balance - wallet.pendingCredit))"
        """
    }

    private static func money(_ cents: Int64) -> String {
        let part = String(cents % 100)
        return "\(cents / 100)." + (part.count < 2 ? "0" : "") + part
    }

    private static func cents(_ text: String) -> Int64 {
        Int64(text.filter { $0 != "." }) ?? 0
    }

    private static func member(_ name: String, _ body: String) -> String {
        guard let range = body.firstRange(of: "\"\(name)\":\"") else { return "" }
        return String(body[range.upperBound...].prefix { $0 != "\"" })
    }
}
