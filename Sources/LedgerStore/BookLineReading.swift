import Digest
import JSON
import Ledger

/// Reads single lines of a book file and checks the form of each.
struct BookLineReading {
    private let assets: AssetTable

    /// Takes the assets that this installation is configured for.
    init(assets: AssetTable) { self.assets = assets }

    /// What the line `bytes` says. Sums are those of `wallet`, to which entries belong.
    /// Throws `BookFile.Flaw` without a line.
    func line(_ bytes: [UInt8], of wallet: BookWallet?) throws(BookFile.Flaw) -> BookLine {
        var fields = try LineFields(bytes)
        let type = try fields.text("type")
        let line: BookLine
        switch type {
        case "book": line = .header(try header(&fields))
        case "wallet": line = .wallet(try self.wallet(&fields))
        case "entry":
            guard let wallet else { throw BookFile.Flaw("an entry before the first wallet") }
            line = .entry(try entry(&fields, of: wallet), chain: try fields.hash("chain"))
        case "refusal": line = .refusal(try refusal(&fields))
        case "batch": line = .batch(try batch(&fields))
        case "end": line = try end(&fields)
        default: throw BookFile.Flaw("a line of the unknown type \"\(type)\"")
        }
        try fields.finish()
        return line
    }

    private func header(_ fields: inout LineFields) throws(BookFile.Flaw) -> BookHeader {
        guard try fields.text("format") == BookFile.format else { throw BookFile.Flaw("this is no book file") }
        let version = try fields.number("format_version")
        guard version == BookFile.version else {
            throw BookFile.Flaw(
                "the file has format version \(version), this program reads version \(BookFile.version): "
                    + "use the version of the program that wrote it")
        }
        let known = try fields.text("assets").split(separator: ",").map { text throws(BookFile.Flaw) in
            try asset(String(text))
        }
        return BookHeader(
            bookID: try fields.uuid("book_id"), createdAt: try fields.time("created_at"),
            schemaVersion: try fields.number("schema_version"), assets: known)
    }

    /// An asset of the book, which must be known here with the same scale: another one would change every sum.
    private func asset(_ text: String) throws(BookFile.Flaw) -> Asset {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let scale = Int(parts[1]), let asset = Asset(code: String(parts[0]), scale: scale)
        else {
            throw BookFile.Flaw("\"\(text)\" is no asset: CODE:SCALE is expected")
        }
        guard let own = assets[asset.code] else {
            throw BookFile.Flaw("the book uses the asset \(asset.code): add \(text) to WALLET_ASSETS")
        }
        guard own == asset else {
            throw BookFile.Flaw(
                "the asset \(asset.code) has scale \(scale) in the book and \(own.scale) here: "
                    + "set \(text) in WALLET_ASSETS")
        }
        return asset
    }

    private func wallet(_ fields: inout LineFields) throws(BookFile.Flaw) -> BookWallet {
        let code = try fields.text("asset")
        guard let asset = assets[code] else { throw BookFile.Flaw("the asset \(code) is not known here") }
        return BookWallet(
            id: WalletID(try fields.uuid("id")), ownerID: fields.textIfAny("owner_id"), asset: asset,
            version: try fields.number("version"), chain: try fields.hash("chain"))
    }

    private func entry(_ fields: inout LineFields, of wallet: BookWallet) throws(BookFile.Flaw) -> Entry {
        let scale = wallet.asset.scale
        let kind = try fields.word("kind") { word in EntryKind.allCases.first { $0.word == word } }
        let digest = try fields.uuidIfAny("key_digest")
        let reference = fields.textIfAny("reference_id")
        guard (digest == nil) == (reference == nil) else {
            throw BookFile.Flaw("reference_id and key_digest go together")
        }
        var key: IdempotencyKey?
        if let digest, let reference { key = IdempotencyKey(reference: reference, digest: digest.bits) }
        return Entry(
            walletID: WalletID(try fields.uuid("wallet_id")), version: try fields.number("version"), kind: kind,
            transferID: try fields.uuidIfAny("transfer_id").map { TransferID($0) },
            direction: try fields.wordIfAny("direction") { Direction(word: $0) },
            amount: try fields.money("amount", scale), balance: try fields.money("balance", scale),
            pendingDebit: try fields.money("pending_debit", scale),
            pendingCredit: try fields.money("pending_credit", scale),
            overdraftLimit: try fields.money("overdraft_limit", scale),
            counterparty: try fields.uuidIfAny("counterparty").map { WalletID($0) }, key: key,
            contentHash: try fields.uuidIfAny("content_hash")?.bits, note: fields.textIfAny("note"),
            description: fields.textIfAny("description"), metadata: fields.textIfAny("metadata"),
            expiresAt: try fields.timeIfAny("expires_at"), occurredAt: try fields.time("occurred_at"),
            status: try fields.word("status") { WalletStatus(word: $0) },
            purpose: try fields.wordIfAny("purpose") { TransferPurpose(word: $0) },
            related: try fields.uuidIfAny("related_transfer").map { TransferID($0) },
            actor: fields.textIfAny("actor"))
    }

    private func refusal(_ fields: inout LineFields) throws(BookFile.Flaw) -> BookRefusal {
        BookRefusal(
            walletID: WalletID(try fields.uuid("wallet_id")), key: try fields.key(),
            contentHash: try fields.uuid("content_hash").bits,
            transferID: try fields.uuidIfAny("transfer_id").map { TransferID($0) },
            occurredAt: try fields.time("occurred_at"), code: try fields.text("code"),
            detail: try fields.text("detail"))
    }

    private func batch(_ fields: inout LineFields) throws(BookFile.Flaw) -> BookBatch {
        BookBatch(
            key: try fields.key(), contentHash: try fields.uuid("content_hash").bits,
            createdAt: try fields.time("created_at"), outcome: fields.textIfAny("outcome"))
    }

    private func end(_ fields: inout LineFields) throws(BookFile.Flaw) -> BookLine {
        var tally = BookFile.Tally()
        tally.wallets = Int(try fields.number("wallets"))
        tally.entries = Int(try fields.number("entries"))
        tally.refusals = Int(try fields.number("refusals"))
        tally.batches = Int(try fields.number("batches"))
        return .end(tally, sha256: try fields.hash("sha256"))
    }
}

/// The members of a line: strings and whole numbers. Each is taken once; what nobody takes is a flaw.
private struct LineFields {
    private var texts: [String: String] = [:]
    private var numbers: [String: Int64] = [:]

    init(_ bytes: [UInt8]) throws(BookFile.Flaw) {
        do throws(JSONError) {
            var reader = JSONReader(bytes, maxDepth: 1)
            try reader.beginObject()
            while let name = try reader.nextMember() {
                if try reader.peekKind() == .number {
                    numbers[name] = try reader.readInt64()
                } else {
                    texts[name] = try reader.readString()
                }
            }
            try reader.finish()
        } catch {
            throw BookFile.Flaw("no line of a book file: \(error.message)")
        }
    }

    func finish() throws(BookFile.Flaw) {
        guard let name = texts.keys.min() ?? numbers.keys.min() else { return }
        throw BookFile.Flaw("the member \"\(name)\" is not known")
    }

    mutating func textIfAny(_ name: String) -> String? { texts.removeValue(forKey: name) }

    mutating func text(_ name: String) throws(BookFile.Flaw) -> String {
        guard let text = textIfAny(name) else { throw BookFile.Flaw("the member \"\(name)\" is missing") }
        return text
    }

    mutating func number(_ name: String) throws(BookFile.Flaw) -> Int64 {
        guard let number = numbers.removeValue(forKey: name) else {
            throw BookFile.Flaw("the member \"\(name)\" is missing")
        }
        return number
    }

    mutating func uuidIfAny(_ name: String) throws(BookFile.Flaw) -> RawUUID? {
        try wordIfAny(name) { RawUUID(text: $0) }
    }

    mutating func uuid(_ name: String) throws(BookFile.Flaw) -> RawUUID { try word(name) { RawUUID(text: $0) } }

    mutating func timeIfAny(_ name: String) throws(BookFile.Flaw) -> Timestamp? {
        try wordIfAny(name) { Timestamp(text: $0) }
    }

    mutating func time(_ name: String) throws(BookFile.Flaw) -> Timestamp { try word(name) { Timestamp(text: $0) } }

    mutating func hash(_ name: String) throws(BookFile.Flaw) -> Fingerprint {
        try word(name) { text in
            Hexadecimal.bytes(text).flatMap { bytes in
                bytes.count == Digest.size ? bytes.withUnsafeBytes { Fingerprint($0) } : nil
            }
        }
    }

    mutating func key() throws(BookFile.Flaw) -> IdempotencyKey {
        IdempotencyKey(reference: try text("reference_id"), digest: try uuid("key_digest").bits)
    }

    /// A sum in minor units of an asset with `scale` decimals.
    mutating func money(_ name: String, _ scale: Int) throws(BookFile.Flaw) -> Int128 {
        try word(name) { text in
            let isNegative = text.utf8.first == UInt8(ascii: "-")
            let decimal = try? DecimalAmount(text: text.utf8.dropFirst(isNegative ? 1 : 0))
            guard let sum = try? decimal?.minorUnits(scale: scale) else { return nil }
            return isNegative ? -sum : sum
        }
    }

    mutating func word<Value>(
        _ name: String, _ value: (String) -> Value?
    ) throws(BookFile.Flaw) -> Value {
        guard let found = try wordIfAny(name, value) else { throw BookFile.Flaw("the member \"\(name)\" is missing") }
        return found
    }

    mutating func wordIfAny<Value>(
        _ name: String, _ value: (String) -> Value?
    ) throws(BookFile.Flaw) -> Value? {
        guard let text = textIfAny(name) else { return nil }
        guard let found = value(text) else {
            throw BookFile.Flaw("the member \"\(name)\" cannot be \"\(text.prefix(100))\"")
        }
        return found
    }
}
