import CSSL

/// Fingerprints of byte strings.
public enum Digest {
    /// How many bytes a SHA-256 digest has.
    public static let size = 32

    /// The SHA-256 digest (FIPS 180-4): 32 bytes.
    public static func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        withContiguousBytes(of: bytes) { input in
            [UInt8](unsafeUninitializedCapacity: size) { output, count in
                _ = SHA256(input.baseAddress, input.count, output.baseAddress)
                count = size
            }
        }
    }

    /// The first 16 bytes of the SHA-256 digest as a number, the first byte being the most significant.
    public static func sha256Prefix(_ bytes: some Sequence<UInt8>) -> UInt128 {
        withContiguousBytes(of: bytes) { input in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: size) { output in
                _ = SHA256(input.baseAddress, input.count, output.baseAddress)
                return output.prefix(16).reduce(0) { $0 << 8 | UInt128($1) }
            }
        }
    }

    private static func withContiguousBytes<Result>(
        of bytes: some Sequence<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result {
        bytes.withContiguousStorageIfAvailable(body) ?? Array(bytes).withUnsafeBufferPointer(body)
    }
}
