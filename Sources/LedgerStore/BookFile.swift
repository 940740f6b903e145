import Digest
import Ledger

/// The file in which a book is moved to another installation: one JSON object a line. `specification/book-file.md`
/// describes it.
public enum BookFile {
    /// What the first line says the file is.
    static let format = "wallet-book"
    /// The version of the form. Another form, such as one with a new member, gets another number.
    static let version: Int64 = 1
    /// The longest line that is read, in bytes.
    static let lineMax = 4 << 20

    /// How much a file holds, or how much of it was handled so far.
    public struct Tally: Hashable, Sendable {
        /// Wallets.
        public internal(set) var wallets = 0
        /// Journal entries.
        public internal(set) var entries = 0
        /// Refusals that are kept for repeats of their keys.
        public internal(set) var refusals = 0
        /// Keys of batches.
        public internal(set) var batches = 0

        /// Nothing.
        public init() {}
    }

    /// Why a book file was not taken, or why no book file can be made.
    public struct Flaw: Error, Hashable, Sendable, CustomStringConvertible {
        /// The number of the line, from 1; nil when it is about no single line.
        public let line: Int?
        /// What is wrong.
        public let problem: String

        init(_ problem: String, line: Int? = nil) {
            self.problem = problem
            self.line = line
        }

        /// One line for an operator.
        public var description: String { line.map { "line \($0): \(problem)" } ?? problem }
    }
}

/// A line of a book file.
enum BookLine {
    case header(BookHeader)
    case wallet(BookWallet)
    /// A journal entry and its hash in the wallet's chain.
    case entry(Entry, chain: Fingerprint)
    case refusal(BookRefusal)
    case batch(BookBatch)
    case end(BookFile.Tally, sha256: Fingerprint)
}

/// The first line.
struct BookHeader {
    let bookID: RawUUID
    let createdAt: Timestamp
    let schemaVersion: Int64
    /// What the wallets hold.
    let assets: [Asset]
}

/// What of a wallet is not in its journal, and where its journal ends.
struct BookWallet {
    let id: WalletID
    let ownerID: String?
    let asset: Asset
    let version: Int64
    /// The hash of the newest entry.
    let chain: Fingerprint
}

/// A row of `ledger.refusals`.
struct BookRefusal {
    let walletID: WalletID
    let key: IdempotencyKey
    let contentHash: UInt128
    let transferID: TransferID?
    let occurredAt: Timestamp
    let code: String
    let detail: String
}

/// A row of `ledger.batches`.
struct BookBatch {
    let key: IdempotencyKey
    let contentHash: UInt128
    let createdAt: Timestamp
    let outcome: String?
}
