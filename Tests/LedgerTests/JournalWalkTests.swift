import Ledger
import Testing

@Suite("Walking over a journal")
struct JournalWalkTests {
    /// One wallet's journal with every kind of entry in it.
    private func book() throws -> Book {
        var book = Book()
        let opening = Opening(
            ownerID: nil, asset: try TestAssets.asset("EUR"), initialBalance: try sum("10"), metadata: nil,
            hasClientID: true)
        let soon = TransferOrder.Expiry.after(seconds: 1)
        let commands: [Command] = [
            .open(opening), order(.debit, try sum("5"), id: transfer(1)),
            order(.credit, try sum("6"), id: transfer(2)), .complete(transfer(1), amount: try sum("2")),
            .complete(transfer(2), amount: try sum("1")), order(.credit, try sum("3"), id: transfer(3)),
            order(.debit, try sum("3"), id: transfer(4)), .revert(transfer(3), note: nil),
            .revert(transfer(4), note: nil), order(.debit, try sum("1"), id: transfer(5), expiry: soon),
            order(.credit, try sum("1"), id: transfer(6), expiry: soon), .expire(transfer(5)), .expire(transfer(6)),
            order(.debit, try sum("4"), id: transfer(7), atOnce: true),
            order(.credit, try sum("2"), id: transfer(8), atOnce: true),
            order(.credit, try sum("99"), id: transfer(9)), .complete(transfer(1), amount: nil),
            reversal(of: transfer(7), try sum("3"), id: transfer(10)),
            order(.debit, try sum("1"), id: transfer(11), expiry: .after(seconds: 60)),
            .extend(transfer(11), expiry: .after(seconds: 90)),
            amendment(status: .frozen, limit: try sum("5")),
            order(.debit, try sum("1"), id: transfer(14), atOnce: true, as: .adjustment), amendment(status: .active),
            order(.credit, try sum("13"), id: transfer(12), atOnce: true, with: wallet(2)),
            order(.credit, try sum("1"), id: transfer(13), expiry: .after(seconds: 60), with: wallet(2)),
            .extend(transfer(13), expiry: .after(seconds: 90)), .complete(transfer(13), amount: nil),
            amendment(status: .frozen, limit: try sum("5")),
        ]
        _ = book.submit(operation(.open(opening), on: wallet(2), hash: nil), at: second(0))
        for (number, command) in commands.enumerated() {
            let operation = operation(command, key: key(number), hash: UInt128(number))
            _ = book.submit(operation, at: second(Int64(number) * 2))
        }
        try #require(Set(book.journals[wallet(1)]?.map(\.kind) ?? []) == Set(EntryKind.allCases))
        return book
    }

    private func isNoticed(_ journal: [Entry]) -> Bool {
        discrepancies(journal).contains { !$0.isEmpty }
    }

    private func discrepancies(_ journal: [Entry]) -> [[JournalWalk.Discrepancy]] {
        var walk = JournalWalk(walletID: wallet(1))
        return journal.map { entry in
            let creation = journal.first { $0.transferID == entry.transferID && $0.kind.createsTransfer }
            return walk.step(entry, creation: entry.transferID == nil ? nil : creation)
        }
    }

    @Test("a journal that `decide` wrote follows from its amounts")
    func sound() throws {
        let book = try book()
        let journal = try #require(book.journals[wallet(1)])
        #expect(!isNoticed(journal))
        var walk = JournalWalk(after: journal[5])
        #expect(walk.step(journal[6], creation: journal[6]).isEmpty && walk.version == 7)
    }

    @Test("every single falsified sum, version and direction is noticed")
    func falsified() throws {
        let book = try book()
        let journal = try #require(book.journals[wallet(1)])
        for index in journal.indices {
            for fault in Fault.allCases {
                // A refused credit moves nothing, and an opening has no direction.
                if journal[index].kind == .refused, fault == .amount || fault == .direction { continue }
                if journal[index].kind == .opened, fault == .direction { continue }
                // The last entry is an amendment: nothing after it contradicts what it sets.
                if index == journal.count - 1, fault == .overdraftLimit || fault == .status { continue }
                var forged = journal
                forged[index] = fault.applied(to: journal[index])
                let isNoticed = isNoticed(forged)
                #expect(isNoticed, "\(fault) of version \(journal[index].version)")
            }
        }
    }

    @Test("sums beyond the range of the type are told and do not trap")
    func overflow() throws {
        let book = try book()
        let journal = try #require(book.journals[wallet(1)])
        for index in journal.indices {
            for huge in [Int128.max, Int128.min] {
                for fault in [Fault.amount, .balance, .pendingDebit, .pendingCredit] {
                    // These release what was held, whatever their own sum says.
                    let movesNothing = [.refused, .reverted, .expired].contains(journal[index].kind)
                    if movesNothing, fault == .amount { continue }
                    var forged = journal
                    forged[index] = fault.applied(to: journal[index], by: huge)
                    let isNoticed = isNoticed(forged)
                    #expect(isNoticed, "\(fault) of version \(journal[index].version)")
                }
            }
        }
        var forged = journal
        forged[3] = Fault.version.applied(to: journal[3], by: Int128(Int64.max) - 4)
        #expect(forged[3].version == .max && isNoticed(forged))
    }

    @Test("a row that is missing, doubled or of another wallet is noticed")
    func misplaced() throws {
        let book = try book()
        let journal = try #require(book.journals[wallet(1)])
        for index in journal.indices.dropLast() {
            var gap = journal
            gap.remove(at: index)
            #expect(isNoticed(gap), "without version \(index + 1)")
            var doubled = journal
            doubled.insert(journal[index], at: index)
            #expect(isNoticed(doubled), "version \(index + 1) twice")
        }
        var walk = JournalWalk(walletID: wallet(2))
        #expect(!walk.step(journal[0], creation: nil).isEmpty)
    }

    @Test("nothing follows the closing of a wallet, and only an empty one is closed")
    func closing() throws {
        let book = try book()
        let journal = try #require(book.journals[wallet(1)])
        let last = try #require(journal.last)
        func following(_ status: WalletStatus, _ balance: Int128, after entry: Entry) -> Entry {
            Entry(
                walletID: entry.walletID, version: entry.version + 1, kind: .amended, transferID: nil, direction: nil,
                amount: 0, balance: balance, pendingDebit: 0, pendingCredit: 0, overdraftLimit: 0, counterparty: nil,
                key: nil, contentHash: nil, note: nil, description: nil, metadata: nil, expiresAt: nil,
                occurredAt: entry.occurredAt, status: status, purpose: nil, related: nil, actor: nil)
        }
        let empty = following(.active, 0, after: last)
        var walk = JournalWalk(after: empty)
        let closed = following(.closed, 0, after: empty)
        #expect(walk.step(closed, creation: nil).isEmpty)
        #expect(walk.step(following(.closed, 0, after: closed), creation: nil).map(\.problem).count == 1)
        walk = JournalWalk(after: following(.active, 5, after: last))
        let full = following(.closed, 5, after: empty)
        #expect(walk.step(full, creation: nil).map(\.problem) == ["closes a wallet that is not empty"])
    }

    private enum Fault: CaseIterable {
        case amount, balance, pendingDebit, pendingCredit, version, direction, overdraftLimit, status

        func applied(to entry: Entry, by change: Int128 = 1) -> Entry {
            let other: Direction? = entry.direction == .debit ? .credit : .debit
            return Entry(
                walletID: entry.walletID, version: entry.version &+ (self == .version ? Int64(clamping: change) : 0),
                kind: entry.kind,
                transferID: entry.transferID, direction: self == .direction ? other : entry.direction,
                amount: entry.amount &+ (self == .amount ? change : 0),
                balance: entry.balance &+ (self == .balance ? change : 0),
                pendingDebit: entry.pendingDebit &+ (self == .pendingDebit ? change : 0),
                pendingCredit: entry.pendingCredit &+ (self == .pendingCredit ? change : 0),
                overdraftLimit: entry.overdraftLimit &+ (self == .overdraftLimit ? change : 0),
                counterparty: entry.counterparty, key: entry.key,
                contentHash: entry.contentHash, note: entry.note, description: entry.description,
                metadata: entry.metadata, expiresAt: entry.expiresAt, occurredAt: entry.occurredAt,
                status: self == .status ? (entry.status == .active ? .frozen : .active) : entry.status,
                purpose: entry.purpose, related: entry.related, actor: entry.actor)
        }
    }
}
