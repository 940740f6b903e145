import JSON
import Ledger

/// Why bytes are no event.
public enum EventFlaw: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not the JSON that an event is written in.
    case malformed(String)
    /// A member is missing.
    case missing(String)
    /// A member's value makes no sense.
    case invalid(member: String, value: String)
    /// A type this program does not know.
    case unknownType(String)

    /// The flaw in words.
    public var description: String {
        switch self {
        case .malformed(let message): "not an event: \(message)"
        case .missing(let member): "the member \(member) is missing"
        case .invalid(let member, let value): "the member \(member) has the value \(value.prefix(80))"
        case .unknownType(let type): "the event type \(type.prefix(80)) is unknown"
        }
    }
}

/// Reads messages: JSON arrays of CloudEvents (the batch format).
public enum EventReading {
    /// The events of one message in order, each as an event or as its raw bytes with what is wrong with them.
    public enum Element: Hashable, Sendable {
        /// A readable event.
        case event(WalletEvent)
        /// Anything else.
        case flawed(EventFlaw, payload: [UInt8])
    }

    /// Reads a message. A message that is no JSON array gives one flawed element with the whole payload.
    public static func elements(of message: [UInt8]) -> [Element] {
        if let events = try? events(of: message) { return events.map(Element.event) }
        var elements: [Element] = []
        do throws(JSONError) {
            var reader = JSONReader(message, maxDepth: 48)
            try reader.beginArray()
            while try reader.nextElement() {
                elements.append(element(try reader.readRawBytes()))
            }
            try reader.finish()
        } catch {
            return [.flawed(.malformed(error.message), payload: message)]
        }
        return elements
    }

    private static func events(of message: [UInt8]) throws -> [WalletEvent] {
        var reader = JSONReader(message, maxDepth: 48)
        var events: [WalletEvent] = []
        try reader.beginArray()
        while try reader.nextElement() {
            events.append(try event(from: &reader))
        }
        try reader.finish()
        return events
    }

    private static func element(_ payload: [UInt8]) -> Element {
        do {
            var reader = JSONReader(payload, maxDepth: 48)
            return .event(try event(from: &reader))
        } catch let flaw as EventFlaw {
            return .flawed(flaw, payload: payload)
        } catch let error as JSONError {
            return .flawed(.malformed(error.message), payload: payload)
        } catch {
            return .flawed(.malformed("\(error)"), payload: payload)
        }
    }

    private static func event(from reader: inout JSONReader) throws -> WalletEvent {
        var type: String?
        var correlation: String?
        var trace: String?
        var wallet: WalletFields?
        var transfer: TransferFields?
        try reader.beginObject()
        while let member = try reader.nextMember() {
            switch member {
            case "type": type = try reader.readString()
            case "correlationid": correlation = try reader.readString()
            case "traceparent": trace = try reader.readString()
            case "data":
                try reader.beginObject()
                while let part = try reader.nextMember() {
                    switch part {
                    case "wallet": wallet = try WalletFields(from: &reader)
                    case "transfer": transfer = try TransferFields(from: &reader)
                    default: try reader.skipValue()
                    }
                }
            default: try reader.skipValue()
            }
        }
        guard let type else { throw EventFlaw.missing("type") }
        guard let known = EventType(rawValue: type) else { throw EventFlaw.unknownType(type) }
        guard let wallet else { throw EventFlaw.missing("data.wallet") }
        let after = try wallet.wallet()
        let isOfWallet = known == .walletCreated || known == .walletAmended
        if !isOfWallet, transfer == nil { throw EventFlaw.missing("data.transfer") }
        return WalletEvent(
            type: known, wallet: after, transfer: try transfer?.transfer(in: after),
            origin: EventOrigin(correlationID: correlation, traceParent: trace))
    }
}

/// The members of `data.wallet` as they are read, in any order.
private struct WalletFields {
    private var texts: [String: String] = [:]
    private var scale: Int64?
    private var version: Int64?
    private var metadata: String?

    init(from reader: inout JSONReader) throws {
        try reader.beginObject()
        while let member = try reader.nextMember() {
            switch member {
            case "scale": scale = try reader.readInt64()
            case "version": version = try reader.readInt64()
            case "metadata": metadata = String(decoding: try reader.readRawBytes(), as: UTF8.self)
            case "id", "owner_id", "asset", "balance", "pending_debit", "pending_credit", "overdraft_limit", "status",
                "created_at", "updated_at":
                texts[member] = try reader.readString()
            default: try reader.skipValue()
            }
        }
    }

    func wallet() throws(EventFlaw) -> Wallet {
        let code = try required(texts["asset"], "data.wallet.asset")
        let scale = try required(scale, "data.wallet.scale")
        guard let asset = Asset(code: code, scale: Int(clamping: scale)) else {
            throw .invalid(member: "data.wallet.asset", value: "\(code):\(scale)")
        }
        let statusWord = try required(texts["status"], "data.wallet.status")
        guard let status = WalletStatus(word: statusWord) else {
            throw .invalid(member: "data.wallet.status", value: statusWord)
        }
        let version = try required(version, "data.wallet.version")
        guard version > 0 else { throw .invalid(member: "data.wallet.version", value: "\(version)") }
        return Wallet(
            id: WalletID(try uuid(texts["id"], "data.wallet.id")), ownerID: texts["owner_id"], asset: asset,
            balance: try money(texts["balance"], asset.scale, "data.wallet.balance"),
            pendingDebit: try money(texts["pending_debit"], asset.scale, "data.wallet.pending_debit"),
            pendingCredit: try money(texts["pending_credit"], asset.scale, "data.wallet.pending_credit"),
            overdraftLimit: try texts["overdraft_limit"].map { text throws(EventFlaw) in
                try money(text, asset.scale, "data.wallet.overdraft_limit")
            } ?? 0,
            version: version, status: status, metadata: metadata,
            createdAt: try moment(texts["created_at"], "data.wallet.created_at"),
            updatedAt: try moment(texts["updated_at"], "data.wallet.updated_at"))
    }
}

/// The members of `data.transfer` as they are read, in any order.
private struct TransferFields {
    private var texts: [String: String] = [:]
    private var createdVersion: Int64?
    private var metadata: String?

    init(from reader: inout JSONReader) throws {
        try reader.beginObject()
        while let member = try reader.nextMember() {
            switch member {
            case "created_version": createdVersion = try reader.readInt64()
            case "metadata": metadata = String(decoding: try reader.readRawBytes(), as: UTF8.self)
            case "id", "direction", "amount", "status", "reason", "completed_amount", "reference_id", "description",
                "note", "counterparty_wallet_id", "expires_at", "created_at", "resolved_at":
                texts[member] = try reader.readString()
            default: try reader.skipValue()
            }
        }
    }

    func transfer(in wallet: Wallet) throws(EventFlaw) -> Transfer {
        let scale = wallet.asset.scale
        let directionWord = try required(texts["direction"], "data.transfer.direction")
        guard let direction = Direction(word: directionWord) else {
            throw .invalid(member: "data.transfer.direction", value: directionWord)
        }
        let statusWord = try required(texts["status"], "data.transfer.status")
        guard let status = TransferStatus(word: statusWord) else {
            throw .invalid(member: "data.transfer.status", value: statusWord)
        }
        let reason = try texts["reason"].map { word throws(EventFlaw) in
            guard let reason = FailureReason(rawValue: word) else {
                throw EventFlaw.invalid(member: "data.transfer.reason", value: word)
            }
            return reason
        }
        return Transfer(
            id: TransferID(try uuid(texts["id"], "data.transfer.id")), walletID: wallet.id, direction: direction,
            amount: try money(texts["amount"], scale, "data.transfer.amount"), status: status, reason: reason,
            completedAmount: try texts["completed_amount"].map { text throws(EventFlaw) in
                try money(text, scale, "data.transfer.completed_amount")
            },
            referenceID: texts["reference_id"], description: texts["description"], note: texts["note"],
            counterparty: try texts["counterparty_wallet_id"].map { text throws(EventFlaw) in
                WalletID(try uuid(text, "data.transfer.counterparty_wallet_id"))
            },
            expiresAt: try texts["expires_at"].map { text throws(EventFlaw) in
                try moment(text, "data.transfer.expires_at")
            },
            metadata: metadata,
            createdVersion: try required(createdVersion, "data.transfer.created_version"),
            createdAt: try moment(texts["created_at"], "data.transfer.created_at"), version: wallet.version,
            resolvedAt: try texts["resolved_at"].map { text throws(EventFlaw) in
                try moment(text, "data.transfer.resolved_at")
            })
    }
}

private func required<Value>(_ value: Value?, _ member: String) throws(EventFlaw) -> Value {
    guard let value else { throw .missing(member) }
    return value
}

private func uuid(_ text: String?, _ member: String) throws(EventFlaw) -> RawUUID {
    let text = try required(text, member)
    guard let uuid = RawUUID(text: text) else { throw .invalid(member: member, value: text) }
    return uuid
}

private func moment(_ text: String?, _ member: String) throws(EventFlaw) -> Timestamp {
    let text = try required(text, member)
    guard let moment = Timestamp(text: text) else { throw .invalid(member: member, value: text) }
    return moment
}

/// Sums in events may be below zero where an overdraft was used.
private func money(_ text: String?, _ scale: Int, _ member: String) throws(EventFlaw) -> Int128 {
    let text = try required(text, member)
    let isNegative = text.utf8.first == 0x2D
    guard let decimal = try? DecimalAmount(text: isNegative ? Array(text.utf8.dropFirst()) : Array(text.utf8)),
        let sum = try? decimal.minorUnits(scale: scale)
    else { throw .invalid(member: member, value: text) }
    return isNegative ? -sum : sum
}
