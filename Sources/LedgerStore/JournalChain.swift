import Digest
public import Ledger

/// The chain of hashes through one wallet's journal: each row's is the SHA-256 of the one before and of all fields of
/// the row. Whoever changes, adds or removes a row without being noticed has to make all later rows anew, and the
/// wallet's own copy of the newest hash.
public struct JournalChain {
    /// What stands before a wallet's first row: 32 zero bytes.
    public static let start = [UInt8](repeating: 0, count: Digest.size)

    private var scratch: [UInt8] = []

    /// Keeps its memory from one call to the next.
    public init() { scratch.reserveCapacity(1024) }

    /// The hash of `entry` after the row whose hash is `previous`: 32 bytes.
    public mutating func hash(of entry: Entry, after previous: [UInt8]) -> [UInt8] {
        var hash: [UInt8] = []
        append(entry, after: previous, to: &hash)
        return hash
    }

    /// Appends the hash of `entry` to `hashes`, whose last one it follows where `previous` is nil.
    mutating func append(_ entry: Entry, after previous: [UInt8]?, to hashes: inout [UInt8]) {
        scratch.removeAll(keepingCapacity: true)
        if let previous {
            scratch.append(contentsOf: previous)
        } else {
            scratch.append(contentsOf: hashes.suffix(Digest.size))
        }
        entry.appendCanonicalBytes(to: &scratch)
        Digest.appendSHA256(of: scratch, to: &hashes)
    }
}
