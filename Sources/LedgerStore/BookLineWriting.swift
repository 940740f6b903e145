import Digest
import JSON
import Ledger

/// Writes the lines of a book file and counts and hashes them. Sums are decimals in the wallet's asset, as in the API.
struct BookLineWriting {
    private(set) var tally = BookFile.Tally()
    private var digest = RunningDigest()
    private var writer = JSONWriter(capacity: 4096)
    /// Finished lines that nobody has taken yet.
    private var buffer: [UInt8] = []

    /// How many bytes wait to be taken.
    var waiting: Int { buffer.count }

    /// The finished lines; they are forgotten here.
    mutating func take() -> [UInt8] {
        defer { buffer.removeAll(keepingCapacity: true) }
        return buffer
    }

    mutating func header(_ header: BookHeader) {
        line("book") { writer in
            writer.member("format", BookFile.format)
            writer.member("format_version", BookFile.version)
            writer.member("schema_version", header.schemaVersion)
            writer.member("book_id", header.bookID.text)
            writer.member("created_at", header.createdAt.text)
            writer.member("assets", header.assets.map { "\($0.code):\($0.scale)" }.joined(separator: ","))
        }
    }

    mutating func wallet(_ wallet: BookWallet) {
        tally.wallets += 1
        line("wallet") { writer in
            writer.member("id", wallet.id.text)
            writer.memberIfAny("owner_id", wallet.ownerID)
            writer.member("asset", wallet.asset.code)
            writer.member("version", wallet.version)
            writer.member("chain", Hexadecimal.text(wallet.chain.bytes))
        }
    }

    mutating func entry(_ entry: Entry, chain: Fingerprint, of asset: Asset) {
        tally.entries += 1
        func money(_ minorUnits: Int128) -> String { Money.text(minorUnits, scale: asset.scale) }
        line("entry") { writer in
            writer.member("wallet_id", entry.walletID.text)
            writer.member("version", entry.version)
            writer.member("kind", entry.kind.word)
            writer.member("occurred_at", entry.occurredAt.text)
            writer.memberIfAny("transfer_id", entry.transferID?.uuid.text)
            writer.memberIfAny("direction", entry.direction?.word)
            writer.member("amount", money(entry.amount))
            writer.member("balance", money(entry.balance))
            writer.member("pending_debit", money(entry.pendingDebit))
            writer.member("pending_credit", money(entry.pendingCredit))
            writer.member("overdraft_limit", money(entry.overdraftLimit))
            writer.member("status", entry.status.word)
            writer.memberIfAny("counterparty", entry.counterparty?.text)
            writer.memberIfAny("purpose", entry.purpose?.word)
            writer.memberIfAny("related_transfer", entry.related?.uuid.text)
            writer.memberIfAny("expires_at", entry.expiresAt?.text)
            writer.memberIfAny("reference_id", entry.key?.reference)
            writer.memberIfAny("key_digest", entry.key.map { RawUUID(bits: $0.digest).text })
            writer.memberIfAny("content_hash", entry.contentHash.map { RawUUID(bits: $0).text })
            writer.memberIfAny("note", entry.note)
            writer.memberIfAny("description", entry.description)
            // As text, not as the object it is: the hash is over these very bytes.
            writer.memberIfAny("metadata", entry.metadata)
            writer.memberIfAny("actor", entry.actor)
            writer.member("chain", Hexadecimal.text(chain.bytes))
        }
    }

    mutating func refusal(_ refusal: BookRefusal) {
        tally.refusals += 1
        line("refusal") { writer in
            writer.member("wallet_id", refusal.walletID.text)
            writer.member("occurred_at", refusal.occurredAt.text)
            writer.memberIfAny("transfer_id", refusal.transferID?.uuid.text)
            writer.member("code", refusal.code)
            writer.member("detail", refusal.detail)
            writer.key(refusal.key, refusal.contentHash)
        }
    }

    mutating func batch(_ batch: BookBatch) {
        tally.batches += 1
        line("batch") { writer in
            writer.member("created_at", batch.createdAt.text)
            writer.memberIfAny("outcome", batch.outcome)
            writer.key(batch.key, batch.contentHash)
        }
    }

    /// The last line: how much came before it, and the SHA-256 of all lines before it.
    mutating func end() {
        let (tally, sha256) = (tally, digest.fingerprint)
        line("end") { writer in
            writer.member("wallets", tally.wallets)
            writer.member("entries", tally.entries)
            writer.member("refusals", tally.refusals)
            writer.member("batches", tally.batches)
            writer.member("sha256", Hexadecimal.text(sha256.bytes))
        }
    }

    private mutating func line(_ type: String, _ members: (inout JSONWriter) -> Void) {
        writer.removeAll()
        writer.object { writer in
            writer.member("type", type)
            members(&writer)
        }
        let start = buffer.count
        buffer.append(contentsOf: writer.bytes)
        buffer.append(UInt8(ascii: "\n"))
        digest.update(buffer[start...])
    }
}

extension JSONWriter {
    fileprivate mutating func memberIfAny(_ name: StaticString, _ value: String?) {
        if let value { member(name, value) }
    }

    fileprivate mutating func key(_ key: IdempotencyKey, _ contentHash: UInt128) {
        member("reference_id", key.reference)
        member("key_digest", RawUUID(bits: key.digest).text)
        member("content_hash", RawUUID(bits: contentHash).text)
    }
}

/// Bytes as lower-case hexadecimal digits.
enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    static func text(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            for (place, byte) in bytes.enumerated() {
                buffer[place * 2] = digits[Int(byte >> 4)]
                buffer[place * 2 + 1] = digits[Int(byte & 15)]
            }
            return bytes.count * 2
        }
    }

    /// The bytes that `text` made; nil for anything else.
    static func bytes(_ text: String) -> [UInt8]? {
        let values = text.utf8.compactMap { digits.firstIndex(of: $0) }
        guard values.count == text.utf8.count, values.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}
