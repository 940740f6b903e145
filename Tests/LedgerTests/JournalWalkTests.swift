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
        ]
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
                var forged = journal
                forged[index] = fault.applied(to: journal[index])
                #expect(
                    isNoticed(forged), "\(fault) of version \(journal[index].version)")
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
                    #expect(isNoticed(forged), "\(fault) of version \(journal[index].version)")
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

    private enum Fault: CaseIterable {
        case amount, balance, pendingDebit, pendingCredit, version, direction

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
                overdraftLimit: entry.overdraftLimit, counterparty: entry.counterparty, key: entry.key,
                contentHash: entry.contentHash, note: entry.note, description: entry.description,
                metadata: entry.metadata, expiresAt: entry.expiresAt, occurredAt: entry.occurredAt)
        }
    }
}
