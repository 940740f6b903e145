public import Digest
public import Ledger

/// The chain of hashes through one wallet's journal: each row's is the SHA-256 of the one before and of all fields of
/// the row. Whoever changes, adds or removes a row without being noticed has to make all later rows anew, and the
/// wallet's own copy of the newest hash.
public enum JournalChain {
    /// What stands before a wallet's first row: 32 zero bytes.
    public static let start = Fingerprint()

    /// The hash of `entry` after the row whose hash is `previous`.
    public static func hash(of entry: Entry, after previous: Fingerprint) -> Fingerprint {
        var digest = RunningDigest()
        previous.withUnsafeBytes { digest.update($0) }
        entry.withCanonicalBytes { digest.update($0) }
        return digest.fingerprint
    }
}
