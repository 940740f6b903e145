import Ledger
import Testing

@Suite("Decisions, one after the other")
struct DecisionTests {
    /// A book with wallet 1 in euros, holding `balance`.
    private func book(balance: String = "10.00") throws -> Book {
        var book = Book()
        let opening = Opening(
            ownerID: "owner", asset: try TestAssets.asset("EUR"), initialBalance: try sum(balance), metadata: "{}",
            hasClientID: true)
        let decision = book.submit(operation(.open(opening), hash: 1), at: second(0))
        try #require(decision.verdict.receipt?.wallet.version == 1)
        return book
    }

    private func sums(_ wallet: Wallet?) -> [Int128] {
        wallet.map { [$0.balance, $0.pendingDebit, $0.pendingCredit, $0.available, Int128($0.version)] } ?? []
    }

    @Test("money goes in by debits and out by credits")
    func directions() throws {
        var book = try book()
        #expect(sums(book.wallets[wallet(1)]) == [1000, 0, 0, 1000, 1])
        let steps: [(Command, [Int128])] = [
            (order(.debit, try sum("2.5"), id: transfer(1), atOnce: true), [1250, 0, 0, 1250, 2]),
            (order(.credit, try sum("0.50"), id: transfer(2), atOnce: true), [1200, 0, 0, 1200, 3]),
            (order(.debit, try sum("3"), id: transfer(3)), [1200, 300, 0, 1200, 4]),
            (order(.credit, try sum("4"), id: transfer(4)), [1200, 300, 400, 800, 5]),
            (order(.credit, try sum("8"), id: transfer(5)), [1200, 300, 1200, 0, 6]),
            (.complete(transfer(3), amount: nil), [1500, 0, 1200, 300, 7]),
            (.complete(transfer(4), amount: nil), [1100, 0, 800, 300, 8]),
            (.revert(transfer(5), note: "changed my mind"), [1100, 0, 0, 1100, 9]),
        ]
        for (number, (command, expected)) in steps.enumerated() {
            let decision = book.submit(operation(command, hash: UInt128(number) + 10), at: second(Int64(number) + 1))
            let receipt = try #require(decision.verdict.receipt, "step \(number)")
            #expect(sums(receipt.wallet) == expected, "step \(number)")
            #expect(receipt.wallet.updatedAt == second(Int64(number) + 1) && receipt.wallet.createdAt == second(0))
        }
        let transfers = (3...5).map { book.receipt(of: transfer($0), in: wallet(1))?.transfer }
        #expect(transfers.map { $0?.status } == [.completed, .completed, .failed])
        #expect(transfers.map { $0?.completedAmount } == [300, 400, nil])
        #expect(transfers[2]?.reason == .reverted && transfers[2]?.note == "changed my mind")
        #expect(transfers[2]?.createdAt == second(5) && transfers[2]?.resolvedAt == second(8))
        #expect(transfers[2]?.createdVersion == 6 && transfers[2]?.version == 9)
    }

    @Test("a partial completion settles its sum and releases the rest", arguments: [Direction.debit, .credit])
    func partial(direction: Direction) throws {
        var book = try book()
        _ = book.submit(operation(order(direction, try sum("5.00")), hash: 2), at: second(1))
        let above = book.submit(
            operation(.complete(transfer(1), amount: try sum("5.01")), key: key(1), hash: 3), at: second(2))
        #expect(above.verdict.refusal?.refusal.name == "amountExceedsPending" && above.postings.isEmpty)
        let decision = book.submit(
            operation(.complete(transfer(1), amount: try sum("1.20")), key: key(2), hash: 4), at: second(3))
        let receipt = try #require(decision.verdict.receipt)
        #expect(sums(receipt.wallet) == (direction == .debit ? [1120, 0, 0, 1120, 3] : [880, 0, 0, 880, 3]))
        #expect(receipt.transfer?.amount == 500 && receipt.transfer?.completedAmount == 120)
        #expect(decision.postings.map(\.entry.amount) == [120])
        let again = book.submit(operation(.complete(transfer(1), amount: try sum("3")), hash: 5), at: second(4))
        #expect(again.verdict.refusal?.refusal == .transferNotPending(receipt) && again.postings.isEmpty)
        let revert = book.submit(operation(.revert(transfer(1), note: nil), hash: 6), at: second(4))
        #expect(revert.verdict.refusal?.refusal == .transferNotPending(receipt) && revert.postings.isEmpty)
    }

    @Test("a hold is released by whoever meets it at or after its expiry")
    func lazyExpiry() throws {
        let resolutions: [Command] = [
            .complete(transfer(1), amount: nil), .revert(transfer(1), note: "late"), .expire(transfer(1)),
        ]
        for (number, command) in resolutions.enumerated() {
            var book = try book()
            let creation = operation(order(.credit, try sum("4"), expiry: .after(seconds: 10)), key: key(1), hash: 2)
            let created = book.submit(creation, at: second(5))
            #expect(created.verdict.receipt?.transfer?.expiresAt == second(15))
            let early = book.submit(operation(.expire(transfer(1)), hash: nil), at: second(14))
            #expect(early.verdict.refusal?.refusal.name == "transferNotPending" && early.postings.isEmpty)
            let late = operation(command, key: number < 2 ? key(2) : nil, hash: number < 2 ? 3 : nil)
            let decision = book.submit(late, at: second(15))
            let posting = try #require(decision.postings.first)
            #expect(decision.postings.count == 1 && posting.entry.kind == .expired && posting.entry.note == nil)
            // Nobody asked for the release: neither the key nor the content of the operation belongs to it.
            #expect(posting.entry.key == nil && posting.entry.contentHash == nil)
            #expect(sums(book.wallets[wallet(1)]) == [1000, 0, 0, 1000, 3])
            #expect(posting.transfer?.reason == .expired && posting.transfer?.resolvedAt == second(15))
            if number < 2 {
                let expected = Refusal.transferNotPending(posting.receipt)
                #expect(decision.verdict == .refused(expected, recorded: true))
                #expect(book.submit(late, at: second(16)).verdict == .replayed(.refused(expected)))
            } else {
                #expect(decision.verdict == .applied(posting.receipt))
            }
            let first = try #require(created.verdict.receipt)
            #expect(book.submit(creation, at: second(17)).verdict == .replayed(.applied(first)))
        }
    }

    @Test("an expired hold of a stopped wallet is released all the same, but only by its expiry")
    func expiryOfStopped() throws {
        var book = try book()
        _ = book.submit(operation(order(.debit, try sum("4"), expiry: .at(second(9))), hash: 2), at: second(5))
        book.wallets[wallet(1)]?.status = .closed
        let complete = book.submit(operation(.complete(transfer(1), amount: nil), hash: 3), at: second(9))
        #expect(complete.verdict.refusal?.refusal == .walletNotActive(.closed) && complete.postings.isEmpty)
        let expire = book.submit(operation(.expire(transfer(1)), hash: nil), at: second(9))
        #expect(sums(expire.verdict.receipt?.wallet) == [1000, 0, 0, 1000, 3])
    }

    @Test("within a wallet time never runs backwards, and expiry follows the wallet's time")
    func clocks() throws {
        var book = try book()
        _ = book.submit(
            operation(order(.credit, try sum("4"), id: transfer(1), expiry: .at(second(8))), hash: 2), at: second(5))
        _ = book.submit(operation(order(.debit, try sum("1"), id: transfer(2)), hash: 3), at: second(10))
        // Another process, three seconds behind, for which the hold is not over.
        let lasting = order(.debit, try sum("1"), id: transfer(3), expiry: .after(seconds: 5))
        let created = book.submit(operation(lasting, hash: 4), at: second(7))
        #expect(created.verdict.receipt?.wallet.updatedAt == second(10))
        #expect(created.verdict.receipt?.transfer?.expiresAt == second(15))
        let decision = book.submit(operation(.complete(transfer(1), amount: nil), hash: 5), at: second(7))
        #expect(decision.verdict.refusal?.refusal.name == "transferNotPending")
        #expect(
            decision.postings.map(\.entry.kind) == [.expired]
                && decision.postings.map(\.entry.occurredAt) == [second(10)])
        let behind = order(.debit, try sum("1"), id: transfer(4), expiry: .at(second(10)))
        #expect(book.submit(operation(behind, hash: 6), at: second(7)).verdict.refusal?.refusal == .expiryInPast)
    }

    @Test("expiries that cannot be")
    func expiries() throws {
        var book = try book()
        for expiry in [
            TransferOrder.Expiry.at(second(5)), .at(second(4)), .after(seconds: 0), .after(seconds: -1),
            .after(seconds: .max),
        ] {
            let decision = book.submit(
                operation(order(.debit, try sum("1"), expiry: expiry), key: key(1)), at: second(5))
            #expect(decision.verdict == .refused(.expiryInPast, recorded: false) && decision.postings.isEmpty)
        }
        let latest = book.submit(operation(order(.debit, try sum("1"), expiry: .at(.latest))), at: second(5))
        #expect(latest.verdict.receipt?.transfer?.expiresAt == .latest)
    }

    @Test("If-Match lets one writer through")
    func ifMatch() throws {
        var book = try book()
        let first = operation(order(.debit, try sum("1"), id: transfer(1)), hash: 2, ifMatch: 1)
        let beaten = operation(order(.debit, try sum("1"), id: transfer(2)), key: key(1), hash: 3, ifMatch: 1)
        #expect(book.submit(first, at: second(1)).verdict.receipt?.wallet.version == 2)
        let refused = Decision.Verdict.refused(.versionMismatch(current: 2), recorded: true)
        #expect(book.submit(beaten, at: second(2)).verdict == refused)
        let moved = operation(order(.debit, try sum("1"), id: transfer(3)), hash: 4, ifMatch: 2)
        #expect(book.submit(moved, at: second(3)).verdict.receipt?.wallet.version == 3)
        // The repeats carry their old preconditions and get their old answers.
        #expect(
            book.submit(beaten, at: second(4)).verdict
                == .replayed(.refused(.versionMismatch(current: 2))))
        guard case .replayed(.applied(let receipt)) = book.submit(first, at: second(5)).verdict else {
            Issue.record("not replayed")
            return
        }
        #expect(receipt.wallet.version == 2)
    }
}
