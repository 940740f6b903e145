import JSON
import Ledger

// An event is read in two steps: first its members, in any order and as their places in the document, then their
// values. No strings are made for what is no text in the end. The members are listed in the order in which
// `JSONWriter.event` writes them: so each is found at once.

/// The members of an event as they are read.
struct EventFields {
    private enum Member: String, CaseIterable {
        case specversion, id, source, type, subject, time, datacontenttype, correlationid, traceparent, data
    }
    private enum Part: String, CaseIterable { case transfer, related, wallet }

    private static let members = WordList(Member.allCases, \.rawValue)
    private static let parts = WordList(Part.allCases, \.rawValue)
    private static let types = WordList(EventType.allCases, \.rawValue)

    private var type: JSONText?
    private var correlation: JSONText?
    private var trace: JSONText?
    private var wallet: WalletFields?
    private var transfer: TransferFields?
    private var related: TransferFields?

    init(from reader: inout JSONReader) throws(JSONError) {
        try reader.beginObject()
        let members = Self.members
        while let member = try reader.nextMember(among: members.words) {
            switch members[member] {
            case .type: type = try reader.readText()
            case .correlationid: correlation = try reader.readText()
            case .traceparent: trace = try reader.readText()
            case .data: try readData(from: &reader)
            // What these say stands in the wallet, too.
            case .specversion, .id, .source, .subject, .time, .datacontenttype, nil: try reader.skipValue()
            }
        }
    }

    private mutating func readData(from reader: inout JSONReader) throws(JSONError) {
        try reader.beginObject()
        let parts = Self.parts
        while let part = try reader.nextMember(among: parts.words) {
            switch parts[part] {
            case .transfer: transfer = try TransferFields(from: &reader)
            case .related: related = try TransferFields(from: &reader)
            case .wallet: wallet = try WalletFields(from: &reader)
            case nil: try reader.skipValue()
            }
        }
    }

    /// The event; `reader` is the one it was read with.
    func element(in reader: JSONReader) throws(EventFlaw) -> EventReading.Element {
        let values = FieldValues(reader: reader)
        guard let type else { throw .missing("type") }
        guard let known = values.word(type, Self.types) else { return .skipped(type: reader.string(type)) }
        return .event(try event(of: known, values))
    }

    private func event(of known: EventType, _ values: FieldValues) throws(EventFlaw) -> WalletEvent {
        guard let wallet else { throw .missing("data.wallet") }
        let after = try wallet.wallet(values)
        if !known.isOfWallet, transfer == nil { throw .missing("data.transfer") }
        return WalletEvent(
            type: known, wallet: after, transfer: try transfer?.transfer(in: after, values),
            related: try related?.transfer(in: after, values),
            origin: EventOrigin(
                correlationID: values.optionalText(correlation), traceParent: values.optionalText(trace)))
    }
}

/// The members of `data.wallet` as they are read.
private struct WalletFields {
    private enum Member: String, CaseIterable {
        case id
        case owner = "owner_id"
        case asset, scale, balance
        case pendingDebit = "pending_debit"
        case pendingCredit = "pending_credit"
        case available
        case overdraftLimit = "overdraft_limit"
        case version, status, metadata
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    private static let members = WordList(Member.allCases, \.rawValue)
    private static let statuses = WordList(WalletStatus.allCases, \.word)

    private var id: JSONText?
    private var owner: JSONText?
    private var asset: JSONText?
    private var scale: Int64?
    private var balance: JSONText?
    private var pendingDebit: JSONText?
    private var pendingCredit: JSONText?
    private var overdraftLimit: JSONText?
    private var version: Int64?
    private var status: JSONText?
    private var metadata: String?
    private var createdAt: JSONText?
    private var updatedAt: JSONText?

    init(from reader: inout JSONReader) throws(JSONError) {
        try reader.beginObject()
        let members = Self.members
        while let member = try reader.nextMember(among: members.words) {
            switch members[member] {
            case .id: id = try reader.readText()
            case .owner: owner = try reader.readText()
            case .asset: asset = try reader.readText()
            case .scale: scale = try reader.readInt64()
            case .balance: balance = try reader.readText()
            case .pendingDebit: pendingDebit = try reader.readText()
            case .pendingCredit: pendingCredit = try reader.readText()
            case .overdraftLimit: overdraftLimit = try reader.readText()
            case .version: version = try reader.readInt64()
            case .status: status = try reader.readText()
            case .metadata: metadata = String(decoding: try reader.readRawBytes(), as: UTF8.self)
            case .createdAt: createdAt = try reader.readText()
            case .updatedAt: updatedAt = try reader.readText()
            // Follows from the others.
            case .available, nil: try reader.skipValue()
            }
        }
    }

    func wallet(_ values: FieldValues) throws(EventFlaw) -> Wallet {
        let code = values.text(try values.required(asset, "data.wallet.asset"))
        let scale = try values.required(scale, "data.wallet.scale")
        guard let asset = Asset(code: code, scale: Int(clamping: scale)) else {
            throw .invalid(member: "data.wallet.asset", value: "\(code):\(scale)")
        }
        let status = try values.word(status, of: Self.statuses, "data.wallet.status")
        let version = try values.required(version, "data.wallet.version")
        guard version > 0 else { throw .invalid(member: "data.wallet.version", value: "\(version)") }
        let settled = try values.money(balance, asset.scale, "data.wallet.balance")
        let reserved = try values.money(pendingCredit, asset.scale, "data.wallet.pending_credit")
        // What is available must be a sum, whoever wrote the event.
        guard Money.sum(settled, -reserved) != nil else {
            throw .invalid(
                member: "data.wallet.pending_credit", value: Money.text(reserved, scale: asset.scale))
        }
        return Wallet(
            id: WalletID(try values.uuid(id, "data.wallet.id")), ownerID: values.optionalText(owner), asset: asset,
            balance: settled,
            pendingDebit: try values.money(pendingDebit, asset.scale, "data.wallet.pending_debit"),
            pendingCredit: reserved,
            overdraftLimit: overdraftLimit == nil
                ? 0 : try values.money(overdraftLimit, asset.scale, "data.wallet.overdraft_limit"),
            version: version, status: status, metadata: metadata,
            createdAt: try values.moment(createdAt, "data.wallet.created_at"),
            updatedAt: try values.moment(updatedAt, "data.wallet.updated_at"))
    }
}

/// The members of `data.transfer` as they are read.
private struct TransferFields {
    private enum Member: String, CaseIterable {
        case id, direction, amount, status, reason
        case completedAmount = "completed_amount"
        case reference = "reference_id"
        case description, note
        case counterparty = "counterparty_wallet_id"
        case purpose, reverses
        case reversedAmount = "reversed_amount"
        case actor
        case expiresAt = "expires_at"
        case metadata
        case createdVersion = "created_version"
        case createdAt = "created_at"
        case resolvedAt = "resolved_at"
    }

    private static let members = WordList(Member.allCases, \.rawValue)
    private static let directions = WordList(Direction.allCases, \.word)
    private static let statuses = WordList(TransferStatus.allCases, \.word)
    private static let purposes = WordList(TransferPurpose.allCases, \.word)
    private static let reasons = WordList(FailureReason.allCases, \.rawValue)

    private var id: JSONText?
    private var direction: JSONText?
    private var amount: JSONText?
    private var status: JSONText?
    private var reason: JSONText?
    private var completedAmount: JSONText?
    private var reference: JSONText?
    private var description: JSONText?
    private var note: JSONText?
    private var counterparty: JSONText?
    private var purpose: JSONText?
    private var reverses: JSONText?
    private var reversedAmount: JSONText?
    private var actor: JSONText?
    private var expiresAt: JSONText?
    private var metadata: String?
    private var createdVersion: Int64?
    private var createdAt: JSONText?
    private var resolvedAt: JSONText?

    init(from reader: inout JSONReader) throws(JSONError) {
        try reader.beginObject()
        let members = Self.members
        while let member = try reader.nextMember(among: members.words) {
            switch members[member] {
            case .id: id = try reader.readText()
            case .direction: direction = try reader.readText()
            case .amount: amount = try reader.readText()
            case .status: status = try reader.readText()
            case .reason: reason = try reader.readText()
            case .completedAmount: completedAmount = try reader.readText()
            case .reference: reference = try reader.readText()
            case .description: description = try reader.readText()
            case .note: note = try reader.readText()
            case .counterparty: counterparty = try reader.readText()
            case .purpose: purpose = try reader.readText()
            case .reverses: reverses = try reader.readText()
            case .reversedAmount: reversedAmount = try reader.readText()
            case .actor: actor = try reader.readText()
            case .expiresAt: expiresAt = try reader.readText()
            case .metadata: metadata = String(decoding: try reader.readRawBytes(), as: UTF8.self)
            case .createdVersion: createdVersion = try reader.readInt64()
            case .createdAt: createdAt = try reader.readText()
            case .resolvedAt: resolvedAt = try reader.readText()
            case nil: try reader.skipValue()
            }
        }
    }

    func transfer(in wallet: Wallet, _ values: FieldValues) throws(EventFlaw) -> Transfer {
        let scale = wallet.asset.scale
        let direction = try values.word(direction, of: Self.directions, "data.transfer.direction")
        let status = try values.word(status, of: Self.statuses, "data.transfer.status")
        let reason = reason == nil ? nil : try values.word(reason, of: Self.reasons, "data.transfer.reason")
        return Transfer(
            id: TransferID(try values.uuid(id, "data.transfer.id")), walletID: wallet.id,
            direction: direction,
            amount: try values.money(amount, scale, "data.transfer.amount"), status: status,
            reason: reason,
            completedAmount: completedAmount == nil
                ? nil : try values.money(completedAmount, scale, "data.transfer.completed_amount"),
            referenceID: values.optionalText(reference), description: values.optionalText(description),
            note: values.optionalText(note),
            counterparty: counterparty == nil
                ? nil : WalletID(try values.uuid(counterparty, "data.transfer.counterparty_wallet_id")),
            expiresAt: expiresAt == nil ? nil : try values.moment(expiresAt, "data.transfer.expires_at"),
            metadata: metadata,
            createdVersion: try values.required(createdVersion, "data.transfer.created_version"),
            createdAt: try values.moment(createdAt, "data.transfer.created_at"), version: wallet.version,
            resolvedAt: resolvedAt == nil ? nil : try values.moment(resolvedAt, "data.transfer.resolved_at"),
            purpose: purpose == nil
                ? .transfer : try values.word(purpose, of: Self.purposes, "data.transfer.purpose"),
            reverses: reverses == nil ? nil : TransferID(try values.uuid(reverses, "data.transfer.reverses")),
            reversedAmount: reversedAmount == nil
                ? 0 : try values.money(reversedAmount, scale, "data.transfer.reversed_amount"),
            actor: values.optionalText(actor))
    }
}
