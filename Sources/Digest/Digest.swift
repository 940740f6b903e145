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

    /// Appends the SHA-256 digest of `bytes` to `output`.
    public static func appendSHA256(of bytes: [UInt8], to output: inout [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { digest in
            bytes.withUnsafeBufferPointer { input in
                cssl_sha256(
                    input.baseAddress, input.count, digest.assumingMemoryBound(to: UInt8.self).baseAddress)
            }
            output.append(contentsOf: digest)
        }
    }

    /// The first 16 bytes of the SHA-256 digest as a number, the first byte being the most significant.
    public static func sha256Prefix(_ bytes: [UInt8]) -> UInt128 {
        bytes.withUnsafeBufferPointer(prefix)
    }

    /// The same of a text's UTF-8 bytes.
    public static func sha256Prefix(_ text: String) -> UInt128 {
        var text = text
        return text.withUTF8(prefix)
    }

    private static func prefix(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt128 {
        withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { output in
            cssl_sha256(bytes.baseAddress, bytes.count, output.assumingMemoryBound(to: UInt8.self).baseAddress)
            let high = UInt64(bigEndian: output.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
            let low = UInt64(bigEndian: output.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            return UInt128(high) << 64 | UInt128(low)
        }
    }
}
