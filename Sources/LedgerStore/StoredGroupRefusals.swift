import JSON
import Ledger

/// How the refusals of atomic batches are kept for repeats: index, code and detail, and on a second line what the
/// answer shows besides. Wallets and transfers the refusal speaks of may have been dropped with the batch, or have
/// moved on since, so nothing of the answer is looked up again.
enum StoredGroupRefusals {
    /// The text to store; nil for refusals that no repeat has to find.
    static func encode(_ refusal: Refusal, of operation: Operation, at index: Int) -> String? {
        // An opening is refused for its content alone: there is no state of its own it could depend on.
        if case .open = operation.command { return nil }
        guard refusal.isStateDependent, let words = StoredRefusals.encode(refusal) else { return nil }
        return "\(index) \(words.code) \(words.detail)\n\(subject(of: refusal))"
    }

    /// What `encode` made. Throws `LedgerStoreError.inconsistent` for any other text.
    static func decode(_ outcome: String) throws -> (index: Int, refusal: Refusal) {
        let lines = outcome.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let words = lines[0].split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard lines.count == 2, words.count == 3, let index = Int(words[0]) else {
            throw LedgerStoreError.inconsistent("the stored outcome of a batch: \(outcome)")
        }
        let subject = String(lines[1])
        let refusal = try StoredRefusals.decode(
            code: String(words[1]), detail: String(words[2]), transfer: StandingText.receipt(subject),
            asset: asset(subject))
        return (index, refusal)
    }

    private static func subject(of refusal: Refusal) -> String {
        switch refusal {
        case .transferNotPending(let standing):
            StandingText.text(standing)
        case .amountExceedsPending(_, let asset), .amountExceedsReversible(_, let asset),
            .overdraftInUse(_, let asset), .insufficientFunds(_, _, let asset):
            "\(asset.code):\(asset.scale)"
        case .idempotencyKeyReused, .selfTransfer, .walletNotFound, .counterpartyNotFound, .assetMismatch,
            .amountPrecision, .expiryInPast, .walletExists, .walletNotActive, .counterpartyNotActive,
            .transferNotFound, .transferExists, .transferNotCompleted, .transferNotReversible, .versionMismatch,
            .expiryNotLater, .walletNotEmpty, .amountOutOfRange:
            ""
        }
    }

    private static func asset(_ subject: String) -> Asset? {
        let parts = subject.split(separator: ":")
        guard parts.count == 2, let scale = Int(parts[1]) else { return nil }
        return Asset(code: String(parts[0]), scale: scale)
    }
}

/// A transfer as it stood, with its wallet, as text.
private enum StandingText {
    static func text(_ standing: Receipt) -> String {
        var members = [JSONValue.Member("wallet", wallet(standing.wallet))]
        if let transfer = standing.transfer { members.append(.init("transfer", self.transfer(transfer))) }
        return String(decoding: JSONValue.object(members).compactBytes, as: UTF8.self)
    }

    /// What `text` made; nil for any other text.
    static func receipt(_ text: String) -> Receipt? {
        guard text.hasPrefix("{"), let tree = try? JSONValue(parsing: Array(text.utf8)),
            let wallet = tree["wallet"].flatMap({ wallet(Fields(tree: $0)) })
        else { return nil }
        guard let standing = tree["transfer"] else { return Receipt(wallet: wallet, transfer: nil) }
        return transfer(Fields(tree: standing)).map { Receipt(wallet: wallet, transfer: $0) }
    }

    private static func object(_ members: [(name: String, text: String?)]) -> JSONValue {
        .object(members.compactMap { member in member.text.map { .init(member.name, .string($0)) } })
    }

    private static func wallet(_ wallet: Wallet) -> JSONValue {
        object([
            ("id", wallet.id.uuid.text), ("owner", wallet.ownerID), ("asset", wallet.asset.code),
            ("scale", "\(wallet.asset.scale)"), ("balance", "\(wallet.balance)"),
            ("pending_debit", "\(wallet.pendingDebit)"), ("pending_credit", "\(wallet.pendingCredit)"),
            ("overdraft_limit", "\(wallet.overdraftLimit)"), ("version", "\(wallet.version)"),
            ("status", wallet.status.word), ("metadata", wallet.metadata),
            ("created_at", "\(wallet.createdAt.microseconds)"), ("updated_at", "\(wallet.updatedAt.microseconds)"),
        ])
    }

    private static func wallet(_ fields: Fields) -> Wallet? {
        guard let id = fields.uuid("id"), let scale = fields.number("scale", Int.self),
            let asset = fields["asset"].flatMap({ Asset(code: $0, scale: scale) }),
            let balance = fields.number("balance", Int128.self),
            let pendingDebit = fields.number("pending_debit", Int128.self),
            let pendingCredit = fields.number("pending_credit", Int128.self),
            let overdraftLimit = fields.number("overdraft_limit", Int128.self),
            let version = fields.number("version", Int64.self),
            let status = fields["status"].flatMap({ WalletStatus(word: $0) }),
            let createdAt = fields.time("created_at"), let updatedAt = fields.time("updated_at")
        else { return nil }
        return Wallet(
            id: WalletID(id), ownerID: fields["owner"], asset: asset, balance: balance, pendingDebit: pendingDebit,
            pendingCredit: pendingCredit, overdraftLimit: overdraftLimit, version: version, status: status,
            metadata: fields["metadata"], createdAt: createdAt, updatedAt: updatedAt)
    }

    private static func transfer(_ transfer: Transfer) -> JSONValue {
        object([
            ("id", transfer.id.uuid.text), ("wallet", transfer.walletID.uuid.text),
            ("direction", transfer.direction.word), ("amount", "\(transfer.amount)"),
            ("status", transfer.status.word), ("reason", transfer.reason?.rawValue),
            ("completed_amount", transfer.completedAmount.map { "\($0)" }), ("reference", transfer.referenceID),
            ("description", transfer.description), ("note", transfer.note),
            ("counterparty", transfer.counterparty?.uuid.text),
            ("expires_at", transfer.expiresAt.map { "\($0.microseconds)" }), ("metadata", transfer.metadata),
            ("created_version", "\(transfer.createdVersion)"), ("created_at", "\(transfer.createdAt.microseconds)"),
            ("version", "\(transfer.version)"), ("resolved_at", transfer.resolvedAt.map { "\($0.microseconds)" }),
            ("purpose", transfer.purpose.word), ("reverses", transfer.reverses?.uuid.text),
            ("reversed_amount", "\(transfer.reversedAmount)"), ("actor", transfer.actor),
        ])
    }

    private static func transfer(_ fields: Fields) -> Transfer? {
        guard let id = fields.uuid("id"), let wallet = fields.uuid("wallet"),
            let direction = fields["direction"].flatMap({ Direction(word: $0) }),
            let amount = fields.number("amount", Int128.self),
            let status = fields["status"].flatMap({ TransferStatus(word: $0) }),
            let createdVersion = fields.number("created_version", Int64.self),
            let createdAt = fields.time("created_at"), let version = fields.number("version", Int64.self),
            let purpose = fields["purpose"].flatMap({ TransferPurpose(word: $0) }),
            let reversedAmount = fields.number("reversed_amount", Int128.self)
        else { return nil }
        return Transfer(
            id: TransferID(id), walletID: WalletID(wallet), direction: direction, amount: amount, status: status,
            reason: fields["reason"].flatMap { FailureReason(rawValue: $0) },
            completedAmount: fields.number("completed_amount", Int128.self), referenceID: fields["reference"],
            description: fields["description"], note: fields["note"],
            counterparty: fields.uuid("counterparty").map { WalletID($0) }, expiresAt: fields.time("expires_at"),
            metadata: fields["metadata"], createdVersion: createdVersion, createdAt: createdAt, version: version,
            resolvedAt: fields.time("resolved_at"), purpose: purpose,
            reverses: fields.uuid("reverses").map { TransferID($0) }, reversedAmount: reversedAmount,
            actor: fields["actor"])
    }
}

/// The members of a JSON object whose values are all texts.
private struct Fields {
    let tree: JSONValue

    subscript(name: String) -> String? { tree[name]?.string }

    func number<Number: FixedWidthInteger>(_ name: String, _: Number.Type) -> Number? {
        self[name].flatMap { Number($0) }
    }

    func uuid(_ name: String) -> RawUUID? { self[name].flatMap { RawUUID(text: $0) } }

    func time(_ name: String) -> Timestamp? { number(name, Int64.self).map { Timestamp(microseconds: $0) } }
}
