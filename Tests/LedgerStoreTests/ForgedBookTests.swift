import Digest
import Ledger
import Postgres
import TestSupport
import Testing

@testable import LedgerStore

/// A file whose hashes and checksum all fit is still held against the rules of the journal.
@Suite struct ForgedBookTests {
    struct Forgery: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let says: String
        /// The changed entry; nil drops it.
        let forge: @Sendable (Entry) -> Entry?
    }

    private static func changed(
        _ entry: Entry, transfer: TransferID? = nil, amount: Int128? = nil, related: TransferID? = nil
    ) -> Entry {
        Entry(
            walletID: entry.walletID, version: entry.version, kind: entry.kind,
            transferID: transfer ?? entry.transferID, direction: entry.direction, amount: amount ?? entry.amount,
            balance: entry.balance, pendingDebit: entry.pendingDebit, pendingCredit: entry.pendingCredit,
            overdraftLimit: entry.overdraftLimit, counterparty: entry.counterparty, key: entry.key,
            contentHash: entry.contentHash, note: entry.note, description: entry.description,
            metadata: entry.metadata, expiresAt: entry.expiresAt, occurredAt: entry.occurredAt, status: entry.status,
            purpose: entry.purpose, related: related ?? entry.related, actor: entry.actor)
    }

    private static let held = TransferID(RawUUID(bits: 1))

    static let forgeries: [Forgery] = [
        Forgery(testDescription: "nothing", says: "") { $0 },
        Forgery(testDescription: "an amount that the balances do not follow", says: "is stored as") {
            $0.version == 2 ? changed($0, amount: $0.amount + 1) : $0
        },
        Forgery(testDescription: "a transfer that is created twice", says: "creates a transfer that is pending") {
            $0.kind == .pending ? changed($0, transfer: held) : $0
        },
        Forgery(testDescription: "a settled transfer that is created twice", says: "the database refuses them") {
            $0.kind == .posted ? changed($0, transfer: held) : $0
        },
        Forgery(testDescription: "a transfer that was never pending", says: "was never pending") {
            $0.kind == .completed ? changed($0, transfer: held) : $0
        },
        Forgery(testDescription: "a reversal of nothing", says: "which its wallet lacks") {
            $0.related == nil ? $0 : changed($0, related: held)
        },
        Forgery(testDescription: "a version that is gone", says: "follows version") { $0.version == 3 ? nil : $0 },
    ]

    @Test(arguments: forgeries) func isNotTaken(_ forgery: Forgery) async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(10_000).id
        let ids = (0..<3).map { _ in fixture.newTransferID() }
        for id in ids[..<2] { _ = try await fixture.submit(.transfer(wallet, .debit, 500, id: id)) }
        _ = try await fixture.submit(.complete(wallet, ids[0]))
        _ = try await fixture.submit(.transfer(wallet, .debit, 50, id: ids[2], atOnce: true))
        _ = try await fixture.submit(.reverse(wallet, ids[2], by: fixture.newTransferID(), 20))
        let forged = try Self.forged(try await BookFileTests.export(fixture.database), forgery.forge)
        let target = try LedgerFixture.migrated()
        do {
            _ = try await BookFileTests.take(forged, into: target)
            #expect(forgery.says.isEmpty, "it was taken")
        } catch let flaw as BookFile.Flaw {
            #expect(!forgery.says.isEmpty && "\(flaw)".contains(forgery.says), "said: \(flaw)")
        }
        target.drop()
        try await fixture.stop()
    }

    /// The lines anew, with hashes, ends and checksum that fit.
    private static func forged(_ lines: [String], _ forge: (Entry) -> Entry?) throws -> [UInt8] {
        let reading = BookLineReading(assets: AssetTable())
        var writing = BookLineWriting()
        var head: BookWallet?
        var entries: [(Entry, Fingerprint)] = []
        for line in lines {
            switch try reading.line(Array(line.utf8), of: head) {
            case .header(let header): writing.header(header)
            case .wallet(let wallet): head = wallet
            case .entry(let entry, _):
                guard let forged = forge(entry) else { continue }
                entries.append((forged, JournalChain.hash(of: forged, after: entries.last?.1 ?? JournalChain.start)))
            case .refusal, .batch, .end: break
            }
        }
        if let head, let last = entries.last {
            writing.wallet(
                BookWallet(id: head.id, ownerID: nil, asset: head.asset, version: last.0.version, chain: last.1))
            for (entry, hash) in entries { writing.entry(entry, chain: hash, of: head.asset) }
        }
        writing.end()
        return writing.take()
    }
}
