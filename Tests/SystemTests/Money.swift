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
    enum Kind: Sendable, Equatable {
        case open
        case debit(cents: Int, pending: Bool)
        case credit(cents: Int, pending: Bool)
        case complete(cents: Int?)
        case revert
    }

    let kind: Kind
    /// Empty for the creation of a wallet whose id the service chooses.
    let wallet: String
    /// The transfer that is named by the path or chosen by the client.
    var transfer: String?
    /// The idempotency key; without one the client's transfer id protects the operation.
    let key: String?
    /// Whether the key goes as a header instead of a member.
    var keyInHeader = false
    var expiresIn: Int?

    /// The request, the same at each repeat.
    var request: HTTPRequest {
        var members: [JSONValue.Member] = []
        var path = "/v1/wallet/\(wallet)/transfers/"
        switch kind {
        case .open: path = "/v1/wallet"
        case .debit(let cents, let pending): (path, members) = (path + "debit", transferMembers(cents, pending))
        case .credit(let cents, let pending): (path, members) = (path + "credit", transferMembers(cents, pending))
        case .complete(let cents):
            path += "\(transfer ?? "")/complete"
            if let cents { members.append(.init("amount", .string(Euros.text(cents)))) }
        case .revert: path += "\(transfer ?? "")/revert"
        }
        if let key, !keyInHeader { members.append(.init("reference_id", .string(key))) }
        var request = HTTPRequest.post(path, String(decoding: JSONValue.object(members).compactBytes, as: UTF8.self))
        if let key, keyInHeader { request.headers.append(("Idempotency-Key", "\"\(key)\"")) }
        return request
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

    var isSuccess: Bool { (200..<300).contains(answer.status) }

    /// A record that tells of another version of the wallet than the answer did.
    var withAnotherVersion: MoneyRecord {
        let text = String(decoding: answer.body, as: UTF8.self).replacingOccurrences(
            of: "\"version\":", with: "\"version\":9")
        let told = HTTPAnswer(status: answer.status, headers: answer.headers, body: Array(text.utf8))
        return MoneyRecord(command: command, answer: told, attempts: attempts)
    }
}

/// A transfer that some client left pending.
struct OpenTransfer: Sendable {
    let wallet: String
    let id: String
    let cents: Int
}
