internal import CSSL

/// The SHA-256 of bytes that come piece by piece.
public struct RunningDigest {
    private var context = SHA256_CTX()

    /// Nothing taken yet.
    public init() { cssl_sha256_begin(&context) }

    /// Takes the next bytes.
    public mutating func update(_ bytes: some Collection<UInt8>) {
        let taken: Void? = bytes.withContiguousStorageIfAvailable { update($0) }
        if taken == nil { Array(bytes).withUnsafeBufferPointer { update($0) } }
    }

    private mutating func update(_ bytes: UnsafeBufferPointer<UInt8>) {
        cssl_sha256_update(&context, bytes.baseAddress, bytes.count)
    }

    /// The digest of all bytes taken so far: 32 bytes. More may follow.
    public func value() -> [UInt8] {
        var last = context
        return [UInt8](unsafeUninitializedCapacity: Digest.size) { output, count in
            cssl_sha256_end(&last, output.baseAddress)
            count = Digest.size
        }
    }
}
