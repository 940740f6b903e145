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

    /// Takes the next byte.
    public mutating func update(_ byte: UInt8) {
        var byte = byte
        cssl_sha256_update(&context, &byte, 1)
    }

    /// Takes the next bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        update(bytes.assumingMemoryBound(to: UInt8.self))
    }

    /// The first 16 bytes of the digest of all bytes taken so far, the first being the most significant.
    public var prefix: UInt128 {
        var last = context
        return Digest.prefix { cssl_sha256_end(&last, $0) }
    }

    /// The digest of all bytes taken so far. More may follow.
    public var fingerprint: Fingerprint {
        var last = context
        return Fingerprint { cssl_sha256_end(&last, $0) }
    }
}
