import Digest
public import Ledger
public import Postgres
import Runtime

/// Takes a book file into an installation that has no book yet.
///
/// One transaction: everything or nothing. Each line is checked on its way in: its form, each wallet's chain of hashes,
/// the rules of `JournalWalk`, the counts and the checksum of the whole. Wallets, transfers, expirations and the keys
/// of wallets are derived from the journal. The outbox stays empty: these events were told where they happened, and
/// the projections are built from the journal afterwards.
public struct BookImporter: Sendable {
    private let ledger: PostgresConfiguration
    private let assets: AssetTable

    /// Writes to `ledger`.
    public init(ledger: PostgresConfiguration, assets: AssetTable) {
        var ledger = ledger.unhurried
        ledger.lockTimeout = .seconds(10)
        self.ledger = ledger
        self.assets = assets
    }

    /// Takes the bytes that `source` gives, piece by piece, until it gives nil. `progress` is told after each piece
    /// that was written what was taken so far. While it runs, other processes can read and not write.
    ///
    /// Throws `BookFile.Flaw` when the file or this installation is not fit for it, what `source` throws, or
    /// `PostgresError`; nothing was changed then, unless that error says that the commit may have happened.
    public func importBook(
        progress: @escaping @Sendable (BookFile.Tally) -> Void = { _ in },
        from source: @escaping @Sendable () throws -> [UInt8]?
    ) async throws -> BookFile.Tally {
        try await runOnOwnThread("import") {
            let writing = try BookImportWriting(ledger: ledger)
            defer { writing.close() }
            return try writing.transaction {
                var book = BookImport(writing: writing, assets: assets, progress: progress)
                var lines = LineSplitter()
                while let bytes = try source() {
                    try lines.take(bytes) { line throws in try book.take(line) }
                }
                try book.finish(rest: lines.rest)
                return book.tally
            }
        }
    }
}

/// The order of the lines of a book file, and what must hold from one to the next.
private struct BookImport {
    /// How much is written at once.
    private static let (rowsMax, bytesMax) = (1000, 4 << 20)

    private(set) var tally = BookFile.Tally()
    private let writing: BookImportWriting
    private let reading: BookLineReading
    private let progress: (BookFile.Tally) -> Void
    private var digest = RunningDigest()
    /// The number of the line being taken.
    private var line = 0
    private var header: BookHeader?
    private var wallet: ImportedWallet?
    private var lastWallet: WalletID?
    private var hasEnded = false
    /// Bytes of lines that are not written yet, and the first of these lines.
    private var (bytes, first) = (0, 1)

    init(writing: BookImportWriting, assets: AssetTable, progress: @escaping (BookFile.Tally) -> Void) {
        self.writing = writing
        self.progress = progress
        reading = BookLineReading(assets: assets)
    }

    /// Takes one line, its end included.
    mutating func take(_ bytes: ArraySlice<UInt8>) throws {
        line += 1
        do throws(BookFile.Flaw) {
            guard !hasEnded else { throw BookFile.Flaw("something follows the last line") }
            let content = try reading.line(Array(bytes.dropLast()), of: wallet?.head)
            if case .end(let told, let sha256) = content {
                try end(told, sha256)
            } else {
                digest.update(bytes)
                try take(content)
            }
        } catch {
            throw BookFile.Flaw(error.problem, line: line)
        }
        self.bytes += bytes.count
        if writing.rows >= Self.rowsMax || self.bytes >= Self.bytesMax { try flush() }
    }

    /// Ends the file; `rest` is what follows the last end of a line.
    mutating func finish(rest: ArraySlice<UInt8>) throws {
        guard rest.isEmpty else { throw BookFile.Flaw("the line has no end: the file was cut", line: line + 1) }
        guard hasEnded else { throw BookFile.Flaw("the last line is missing: the file was cut", line: line + 1) }
        guard let header else { return }
        try flush()
        if let entry = try writing.oneSidedEntry() {
            throw BookFile.Flaw("wallet \(entry.wallet) version \(entry.version): the other wallet tells it otherwise")
        }
        try writing.name(book: header.bookID)
    }

    private mutating func flush() throws {
        defer { (bytes, first) = (0, line + 1) }
        do {
            if let original = try writing.flush() {
                throw BookFile.Flaw(
                    "lines \(first) to \(line): a reversal names the transfer \(original), which its wallet lacks")
            }
        } catch let error as PostgresError where error.kind == .server {
            throw BookFile.Flaw("lines \(first) to \(line): the database refuses them: \(error)")
        }
        progress(tally)
    }

    private mutating func take(_ content: BookLine) throws(BookFile.Flaw) {
        if case .header(let header) = content {
            guard line == 1 else { throw BookFile.Flaw("another first line") }
            self.header = header
            return
        }
        guard let header else { throw BookFile.Flaw("this is no book file") }
        switch content {
        case .wallet(let head):
            try endWallet()
            if let lastWallet, head.id <= lastWallet { throw BookFile.Flaw("the wallets are out of order") }
            guard tally.batches == 0 else { throw BookFile.Flaw("a wallet after the batches") }
            guard header.assets.contains(head.asset) else {
                throw BookFile.Flaw("the first line does not name the asset \(head.asset.code)")
            }
            wallet = ImportedWallet(head: head)
            tally.wallets += 1
        case .entry(let entry, let hash):
            try take(entry, hash)
            tally.entries += 1
        case .refusal(let refusal):
            guard let wallet, refusal.walletID == wallet.head.id else {
                throw BookFile.Flaw("a refusal of another wallet")
            }
            writing.add(refusal)
            tally.refusals += 1
        case .batch(let batch):
            writing.add(batch)
            tally.batches += 1
        case .header, .end: break
        }
    }

    private mutating func take(_ entry: Entry, _ hash: Fingerprint) throws(BookFile.Flaw) {
        guard var current = wallet else { throw BookFile.Flaw("an entry before the first wallet") }
        // Two owners of its transfers would copy all of them for every entry.
        wallet = nil
        let expected = JournalChain.hash(of: entry, after: current.newest)
        try current.take(entry, hash, expected: expected, into: writing)
        wallet = current
    }

    private mutating func endWallet() throws(BookFile.Flaw) {
        guard let ended = wallet else { return }
        try ended.end(into: writing)
        lastWallet = ended.head.id
        wallet = nil
    }

    private mutating func end(_ told: BookFile.Tally, _ sha256: Fingerprint) throws(BookFile.Flaw) {
        guard header != nil else { throw BookFile.Flaw("this is no book file") }
        try endWallet()
        guard told == tally else {
            throw BookFile.Flaw(
                "the file tells of \(told.wallets) wallets, \(told.entries) entries, \(told.refusals) refusals and "
                    + "\(told.batches) batches and holds \(tally.wallets), \(tally.entries), \(tally.refusals) and "
                    + "\(tally.batches)")
        }
        guard sha256 == digest.fingerprint else { throw BookFile.Flaw("the checksum is another: the file was altered") }
        hasEnded = true
    }
}

/// A wallet on its way in.
private struct ImportedWallet {
    let head: BookWallet
    /// The hash of the newest entry.
    private(set) var newest = JournalChain.start
    private var walk: JournalWalk
    private var wallet: Wallet?
    /// Only those that are pending: what was resolved changes no more, but for what reversals give back.
    private var pending: [TransferID: DerivedTransfer] = [:]

    init(head: BookWallet) {
        self.head = head
        walk = JournalWalk(walletID: head.id)
    }

    mutating func take(
        _ entry: Entry, _ hash: Fingerprint, expected: Fingerprint, into writing: BookImportWriting
    ) throws(BookFile.Flaw) {
        var transfer = entry.transferID.flatMap { pending.removeValue(forKey: $0) }
        if !entry.kind.createsTransfer {
            transfer?.follow(entry)
        } else if transfer == nil {
            transfer = DerivedTransfer(creation: entry)
        } else {
            throw BookFile.Flaw("wallet \(head.id) version \(entry.version): creates a transfer that is pending")
        }
        let problems = walk.step(entry, creation: transfer?.creation)
        if let problem = problems.first { throw BookFile.Flaw("\(problem)") }
        guard hash == expected else {
            throw BookFile.Flaw("wallet \(head.id) version \(entry.version): the chain of hashes is broken")
        }
        newest = hash
        let before =
            wallet
            ?? Wallet(
                id: head.id, ownerID: head.ownerID, asset: head.asset, balance: 0, pendingDebit: 0, pendingCredit: 0,
                overdraftLimit: 0, version: 0, status: .active, metadata: nil, createdAt: entry.occurredAt,
                updatedAt: entry.occurredAt)
        wallet = before.asLeft(by: entry)
        writing.add(entry, chain: hash)
        guard let id = entry.transferID, let transfer else { return }
        if transfer.isPending {
            pending[id] = transfer
        } else {
            writing.add(transfer, id)
        }
    }

    func end(into writing: BookImportWriting) throws(BookFile.Flaw) {
        guard let wallet, walk.version == head.version, newest == head.chain else {
            throw BookFile.Flaw(
                "wallet \(head.id) ends at version \(walk.version), its own line says version \(head.version)")
        }
        writing.add(wallet, chain: newest)
        for (id, transfer) in pending.sorted(by: { $0.key < $1.key }) { writing.add(transfer, id) }
    }
}

/// Cuts pieces of a file into lines.
private struct LineSplitter {
    private var buffer: [UInt8] = []

    /// What follows the last end of a line.
    var rest: ArraySlice<UInt8> { buffer[...] }

    /// Hands each line that has come to its end to `body`, its end included.
    mutating func take(_ bytes: [UInt8], _ body: (ArraySlice<UInt8>) throws -> Void) throws {
        var start = 0
        // What waits from before has no end of a line in it.
        var searched = buffer.count
        buffer += bytes
        while let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
            try body(buffer[start...end])
            start = end + 1
            searched = start
        }
        buffer.removeFirst(start)
        guard buffer.count <= BookFile.lineMax else { throw BookFile.Flaw("a line is too long for a book file") }
    }
}
