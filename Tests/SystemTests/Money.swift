import Foundation
import JSON

/// Euros in cents, as the API writes them.
enum Euros {
    static func text(_ cents: Int) -> String {
        let sign = cents < 0 ? "-" : ""
        return "\(sign)\(abs(cents) / 100).\(abs(cents) % 100 < 10 ? "0" : "")\(abs(cents) % 100)"
    }

    /// The cents of a text with exactly two decimals; nil for anything else.
    static func cents(_ text: String?) -> Int? {
        guard let text, let point = text.firstIndex(of: "."),
            text[text.index(after: point)...].count == 2, let whole = Int(text[..<point]),
            let part = Int(text[text.index(after: point)...])
        else { return nil }
        return text.hasPrefix("-") ? whole * 100 - part : whole * 100 + part
    }
}

/// What a client wants done, so that it can be asked for again word for word.
struct MoneyCommand: Sendable {
    enum Kind: Sendable {
        case open
        case debit(cents: Int, pending: Bool)
        case credit(cents: Int, pending: Bool)
        /// From the command's wallet to another one.
        case transfer(to: String, cents: Int, pending: Bool)
        case adjust(cents: Int, isDebit: Bool)
        case complete(cents: Int?)
        case revert
        case extend(seconds: Int)
        case reverse(cents: Int?)
        /// Freezes the wallet, or makes it active again.
        case amend(status: String)
        case batch([MoneyCommand], isAtomic: Bool)
    }

    let kind: Kind
    /// Empty for the creation of a wallet whose id the service chooses, and for a batch.
    let wallet: String
    /// The transfer that is named by the path or chosen by the client.
    var transfer: String?
    /// The idempotency key; without one the client's transfer id protects the operation. In a batch it may be the one
    /// that follows from the batch's own.
    var key: String?
    /// Whether the key goes as a header instead of a member; in a batch, whether it is left out.
    var keyInHeader = false
    var expiresIn: Int?

    /// The request, the same at each repeat.
    var request: HTTPRequest {
        var members = members
        if let key, !keyInHeader { members.append(.init("reference_id", .string(key))) }
        var request = HTTPRequest.post(path, String(decoding: JSONValue.object(members).compactBytes, as: UTF8.self))
        if case .amend = kind { request.method = "PATCH" }
        if let key, keyInHeader { request.headers.append(("Idempotency-Key", "\"\(key)\"")) }
        switch kind {
        case .amend, .adjust, .batch: request.headers.append(("Wallet-Actor", "auditor"))
        default: break
        }
        return request
    }

    private var path: String {
        let transfers = "/v1/wallet/\(wallet)/transfers/"
        return switch kind {
        case .open: "/v1/wallet"
        case .debit: transfers + "debit"
        case .credit: transfers + "credit"
        case .transfer: "/v1/transfers"
        case .adjust: "/v1/wallet/\(wallet)/adjustments"
        case .complete, .revert, .extend, .reverse: transfers + "\(transfer ?? "")/\(word)"
        case .amend: "/v1/wallet/\(wallet)"
        case .batch: "/v1/batches"
        }
    }

    /// The `op` in a batch.
    private var word: String {
        switch kind {
        case .open: "create_wallet"
        case .debit: "debit"
        case .credit: "credit"
        case .transfer: "transfer"
        case .adjust: "adjust"
        case .complete: "complete"
        case .revert: "revert"
        case .extend: "extend"
        case .reverse: "reverse"
        case .amend, .batch: ""
        }
    }

    /// The body's members without the key.
    private var members: [JSONValue.Member] {
        switch kind {
        case .open, .revert: return []
        case .debit(let cents, let pending), .credit(let cents, let pending): return transferMembers(cents, pending)
        case .transfer(let other, let cents, let pending):
            return [.init("from_wallet_id", .string(wallet)), .init("to_wallet_id", .string(other))]
                + transferMembers(cents, pending)
        case .adjust(let cents, let isDebit):
            return [
                .init("direction", .string(isDebit ? "debit" : "credit")), .init("amount", .string(Euros.text(cents))),
                .init("reason", .string("set right")),
            ]
        case .complete(let cents), .reverse(let cents):
            return cents.map { [.init("amount", .string(Euros.text($0)))] } ?? []
        case .extend(let seconds): return [.init("expires_in", .number(String(seconds)))]
        case .amend(let status): return [.init("status", .string(status))]
        case .batch(let items, let isAtomic):
            return [
                .init("atomic", isAtomic ? .boolean(true) : .boolean(false)),
                .init("operations", .array(items.map(\.item))),
            ]
        }
    }

    /// The operation in a batch: what its route has in the path is a member there.
    private var item: JSONValue {
        var members = [JSONValue.Member("op", .string(word))] + members
        switch kind {
        case .open, .transfer: break
        case .complete, .revert, .extend, .reverse:
            members.append(.init("wallet_id", .string(wallet)))
            members.append(.init("transfer_id", .string(transfer ?? "")))
        default: members.append(.init("wallet_id", .string(wallet)))
        }
        if let key, !keyInHeader { members.append(.init("reference_id", .string(key))) }
        return .object(members)
    }

    private func transferMembers(_ cents: Int, _ pending: Bool) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("amount", .string(Euros.text(cents))), .init("status", .string(pending ? "pending" : "completed")),
        ]
        if let transfer { members.append(.init("transfer_id", .string(transfer))) }
        if let expiresIn { members.append(.init("expires_in", .number(String(expiresIn)))) }
        return members
    }
}

/// A command with the definite answer its client got, and what it took.
struct MoneyRecord: Sendable {
    let command: MoneyCommand
    let answer: HTTPAnswer
    /// How often it was sent.
    let attempts: Int
    /// Whether it went down with the batch it belongs to, so that it was neither applied nor refused by itself.
    var isDropped = false

    var isSuccess: Bool { (200..<300).contains(answer.status) }

    /// The command by itself, or each operation of a batch with its result.
    var effects: [MoneyRecord] {
        guard case .batch(let items, _) = command.kind else { return [self] }
        guard isSuccess else {
            return items.map { MoneyRecord(command: $0, answer: answer, attempts: attempts, isDropped: true) }
        }
        let results = answer.json["results"]?.array ?? []
        return zip(items, results).map { item, result in
            let body = result["transfer"] ?? result["wallet"] ?? result["problem"] ?? .null
            let status = result["status"]?.int64.map { Int($0) } ?? 0
            let told = HTTPAnswer(status: status, headers: [], body: body.compactBytes)
            return MoneyRecord(command: item, answer: told, attempts: attempts)
        }
    }

    /// A record that tells of something applied as if it had gone down with its batch.
    var asDropped: MoneyRecord {
        let told = HTTPAnswer(status: 409, headers: [], body: [])
        return MoneyRecord(command: command, answer: told, attempts: attempts, isDropped: true)
    }

    /// A record that tells of another version of the wallet than the answer did.
    var withAnotherVersion: MoneyRecord {
        let text = String(decoding: answer.body, as: UTF8.self).replacingOccurrences(
            of: "\"version\":", with: "\"version\":9")
        let told = HTTPAnswer(status: answer.status, headers: answer.headers, body: Array(text.utf8))
        return MoneyRecord(command: command, answer: told, attempts: attempts)
    }
}

/// A transfer that may be gone on with: pending, or completed.
struct KnownTransfer: Sendable {
    let wallet: String
    /// The other wallet of one between two.
    let other: String?
    let id: String
    let cents: Int
}
