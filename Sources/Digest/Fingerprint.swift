/// A SHA-256 digest as a value of its own: 32 bytes without memory to be allocated.
public struct Fingerprint: Hashable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    /// 32 zero bytes.
    public init() {}

    /// Takes the first 32 bytes; missing ones are zero.
    public init(_ bytes: UnsafeRawBufferPointer) {
        withUnsafeMutableBytes(of: &words) { own in
            own.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(own.count)))
        }
    }

    /// What `write` puts into the memory that it is given, 32 bytes.
    init(_ write: (UnsafeMutablePointer<UInt8>?) -> Void) {
        withUnsafeMutableBytes(of: &words) { write($0.assumingMemoryBound(to: UInt8.self).baseAddress) }
    }

    /// Lends the 32 bytes.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try Swift.withUnsafeBytes(of: words, body)
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    /// Whether all bytes are equal.
    public static func == (left: Fingerprint, right: Fingerprint) -> Bool { left.words == right.words }

    /// Hashes the first bytes, which are as good as random.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
