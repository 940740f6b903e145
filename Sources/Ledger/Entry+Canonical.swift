// The form in which an entry goes into its wallet's chain of hashes. It must never change: entries that were hashed
// once are hashed again by every audit. A new field gets a new form under a new first byte.

extension Entry {
    /// All fields in one form that no other entry has: numbers of fixed length with the most significant byte first,
    /// texts after their length, a mark before whatever may be missing.
    public var canonicalBytes: [UInt8] { withCanonicalBytes { Array($0) } }

    /// Lends `canonicalBytes`; the buffer is valid only inside `body`.
    public func withCanonicalBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let texts = [key?.reference, note, description, metadata, actor].reduce(0) { $0 + ($1?.utf8.count ?? 0) }
        return withUnsafeTemporaryAllocation(byteCount: Self.fixedSize + texts, alignment: 16) { buffer in
            var bytes = CanonicalBytes(buffer)
            write(to: &bytes)
            return body(UnsafeRawBufferPointer(rebasing: buffer[..<bytes.count]))
        }
    }

    /// More than all that is no text.
    private static let fixedSize = 320

    private func write(to bytes: inout CanonicalBytes) {
        bytes.append(UInt8(1))
        bytes.append(walletID.uuid.bits)
        bytes.append(UInt64(bitPattern: version))
        bytes.append(UInt64(bitPattern: occurredAt.microseconds))
        bytes.append(UInt16(bitPattern: kind.rawValue))
        bytes.append(UInt16(bitPattern: status.rawValue))
        bytes.append(UInt128(bitPattern: amount))
        bytes.append(UInt128(bitPattern: balance))
        bytes.append(UInt128(bitPattern: pendingDebit))
        bytes.append(UInt128(bitPattern: pendingCredit))
        bytes.append(UInt128(bitPattern: overdraftLimit))
        bytes.append(optional: transferID?.uuid.bits)
        bytes.append(optional: direction.map { UInt16(bitPattern: $0.rawValue) })
        bytes.append(optional: counterparty?.uuid.bits)
        bytes.append(optional: purpose.map { UInt16(bitPattern: $0.rawValue) })
        bytes.append(optional: related?.uuid.bits)
        bytes.append(optional: expiresAt.map { UInt64(bitPattern: $0.microseconds) })
        bytes.append(optional: contentHash)
        bytes.append(optional: key?.digest)
        bytes.append(key?.reference)
        bytes.append(note)
        bytes.append(description)
        bytes.append(metadata)
        bytes.append(actor)
    }
}

/// The canonical bytes of an entry while they are written to memory that has room for them.
private struct CanonicalBytes {
    private let buffer: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    mutating func append<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
        buffer.storeBytes(of: value.bigEndian, toByteOffset: count, as: Value.self)
        count += MemoryLayout<Value>.size
    }

    mutating func append<Value: FixedWidthInteger & BitwiseCopyable>(optional value: Value?) {
        append(UInt8(value == nil ? 0 : 1))
        if let value { append(value) }
    }

    mutating func append(_ text: String?) {
        append(UInt8(text == nil ? 0 : 1))
        guard var text else { return }
        append(UInt64(text.utf8.count))
        text.withUTF8 { bytes in
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: UnsafeRawBufferPointer(bytes))
            count += bytes.count
        }
    }
}
