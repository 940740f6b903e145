import CSSL

/// Fingerprints of byte strings.
public enum Digest {
    /// How many bytes a SHA-256 digest has.
    public static let size = 32

    /// The SHA-256 digest (FIPS 180-4): 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { output, count in
            bytes.withUnsafeBufferPointer { cssl_sha256($0.baseAddress, $0.count, output.baseAddress) }
            count = size
        }
    }

    /// The first 16 bytes of the SHA-256 digest of a text's UTF-8 as a number, the first byte being the most
    /// significant.
    public static func sha256Prefix(_ text: String) -> UInt128 {
        var text = text
        return text.withUTF8 { bytes in prefix { cssl_sha256(bytes.baseAddress, bytes.count, $0) } }
    }

    /// The first 16 bytes of the digest that `write` puts into the memory it is given.
    static func prefix(_ write: (UnsafeMutablePointer<UInt8>?) -> Void) -> UInt128 {
        withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { output in
            write(output.assumingMemoryBound(to: UInt8.self).baseAddress)
            let high = UInt64(bigEndian: output.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
            let low = UInt64(bigEndian: output.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            return UInt128(high) << 64 | UInt128(low)
        }
    }
}
