// The form in which an entry goes into its wallet's chain of hashes. It must never change: entries that were hashed
// once are hashed again by every audit. A new field gets a new form under a new first byte.

extension Entry {
    /// All fields in one form that no other entry has: numbers of fixed length, texts after their length, a mark before
    /// whatever may be missing.
    public var canonicalBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(320)
        appendCanonicalBytes(to: &bytes)
        return bytes
    }

    /// Appends `canonicalBytes`.
    public func appendCanonicalBytes(to bytes: inout [UInt8]) {
        bytes.append(1)
        Self.append(walletID.uuid.bits, to: &bytes)
        Self.append(UInt64(bitPattern: version), to: &bytes)
        Self.append(UInt64(bitPattern: occurredAt.microseconds), to: &bytes)
        Self.append(UInt16(bitPattern: kind.rawValue), to: &bytes)
        Self.append(UInt16(bitPattern: status.rawValue), to: &bytes)
        Self.append(UInt128(bitPattern: amount), to: &bytes)
        Self.append(UInt128(bitPattern: balance), to: &bytes)
        Self.append(UInt128(bitPattern: pendingDebit), to: &bytes)
        Self.append(UInt128(bitPattern: pendingCredit), to: &bytes)
        Self.append(UInt128(bitPattern: overdraftLimit), to: &bytes)
        Self.append(optional: transferID?.uuid.bits, to: &bytes)
        Self.append(optional: direction.map { UInt16(bitPattern: $0.rawValue) }, to: &bytes)
        Self.append(optional: counterparty?.uuid.bits, to: &bytes)
        Self.append(optional: purpose.map { UInt16(bitPattern: $0.rawValue) }, to: &bytes)
        Self.append(optional: related?.uuid.bits, to: &bytes)
        Self.append(optional: expiresAt.map { UInt64(bitPattern: $0.microseconds) }, to: &bytes)
        Self.append(optional: contentHash, to: &bytes)
        Self.append(optional: key?.digest, to: &bytes)
        Self.append(key?.reference, to: &bytes)
        Self.append(note, to: &bytes)
        Self.append(description, to: &bytes)
        Self.append(metadata, to: &bytes)
        Self.append(actor, to: &bytes)
    }

    /// Most significant byte first.
    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private static func append(optional value: (some FixedWidthInteger)?, to bytes: inout [UInt8]) {
        guard let value else {
            bytes.append(0)
            return
        }
        bytes.append(1)
        append(value, to: &bytes)
    }

    private static func append(_ text: String?, to bytes: inout [UInt8]) {
        guard let text else {
            bytes.append(0)
            return
        }
        bytes.append(1)
        append(UInt64(text.utf8.count), to: &bytes)
        bytes.append(contentsOf: text.utf8)
    }
}
