import Ledger
import Testing

@Suite("Transfers between wallets, reversals and amendments")
struct TwoWalletTests {
    /// Wallets 1 and 2 in euros, holding 10 and 5.
    private func book() throws -> Book {
        var book = Book()
        for (number, balance) in [(1, "10"), (2, "5")] {
            let opening = Opening(
                ownerID: "owner", asset: try TestAssets.asset("EUR"), initialBalance: try sum(balance),
                metadata: "{}", hasClientID: true)
            _ = book.submit(operation(.open(opening), on: wallet(number), hash: 1), at: second(0))
        }
        return book
    }

    private func sums(_ book: Book) -> [[Int128]] {
        [1, 2].map { number in
            book.wallets[wallet(number)].map { [$0.balance, $0.pendingDebit, $0.pendingCredit] } ?? []
        }
    }

    @Test("both wallets change in one decision, and each names the other")
    func between() throws {
        var book = try book()
        let pay = order(
            .credit, try sum("4"), id: transfer(1), metadata: "{\"a\":1}", description: "rent", with: wallet(2))
        let decision = book.submit(operation(pay, key: key(1), hash: 2, by: "alice"), at: second(1))
        #expect(decision.postings.map(\.wallet.id) == [wallet(1), wallet(2)])
        #expect(decision.postings.map(\.entry.direction) == [.credit, .debit])
        #expect(decision.postings.map(\.entry.counterparty) == [wallet(2), wallet(1)])
        #expect(decision.postings.map(\.entry.key) == [key(1), nil])
        #expect(decision.postings.map(\.entry.contentHash) == [2, nil])
        #expect(decision.postings.map(\.entry.actor) == ["alice", "alice"])
        #expect(decision.postings.map(\.transfer?.description) == ["rent", "rent"])
        #expect(decision.postings.map(\.transfer?.metadata) == ["{\"a\":1}", "{\"a\":1}"])
        #expect(decision.verdict == .applied(decision.postings[0].receipt))
        #expect(sums(book) == [[1000, 0, 400], [500, 400, 0]])
        let complete = operation(.complete(transfer(1), amount: try sum("3")), on: wallet(2), key: key(1), hash: 3)
        let completed = book.submit(complete, at: second(2))
        #expect(completed.verdict.receipt?.wallet.id == wallet(2))
        #expect(completed.verdict.receipt?.transfer?.completedAmount == 300)
        #expect(completed.postings.map(\.wallet.id) == [wallet(2), wallet(1)])
        #expect(sums(book) == [[700, 0, 0], [800, 0, 0]])
        let late = book.submit(operation(.revert(transfer(1), note: nil), hash: 4), at: second(3))
        #expect(late.verdict.refusal?.refusal.name == "transferNotPending")
    }

    @Test("both sides have the same time, which is behind none of the two")
    func time() throws {
        var book = try book()
        _ = book.submit(
            operation(order(.debit, try sum("1"), id: transfer(9), atOnce: true), on: wallet(2), hash: 2), at: second(8)
        )
        let pay = order(.credit, try sum("1"), id: transfer(1), expiry: .after(seconds: 2), with: wallet(2))
        let decision = book.submit(operation(pay, hash: 3), at: second(5))
        #expect(decision.postings.map(\.entry.occurredAt) == [second(8), second(8)])
        #expect(decision.postings.map(\.transfer?.expiresAt) == [second(10), second(10)])
        // The other wallet's clock decides about the expiry as well as the own one's.
        _ = book.submit(
            operation(order(.debit, try sum("1"), id: transfer(8), atOnce: true), on: wallet(2), hash: 4),
            at: second(10))
        let complete = book.submit(operation(.complete(transfer(1), amount: nil), hash: 5), at: second(9))
        #expect(complete.verdict.refusal?.refusal.name == "transferNotPending")
        #expect(complete.postings.map(\.entry.kind) == [.expired, .expired])
        #expect(sums(book) == [[1000, 0, 0], [700, 0, 0]])
    }

    @Test("a keyed payment that the own wallet cannot make is a failed transfer of that wallet alone")
    func refused() throws {
        var book = try book()
        let pay = operation(order(.credit, try sum("11"), id: transfer(1), with: wallet(2)), key: key(1), hash: 2)
        let decision = book.submit(pay, at: second(1))
        #expect(decision.postings.map(\.entry.kind) == [.refused] && decision.postings[0].wallet.id == wallet(1))
        #expect(decision.postings[0].transfer?.counterparty == wallet(2))
        // What the other wallet cannot pay leaves no entry: the refusal itself is kept.
        let draw = operation(order(.debit, try sum("6"), id: transfer(2), with: wallet(2)), key: key(2), hash: 3)
        let drawn = book.submit(draw, at: second(2))
        let refusal = Refusal.insufficientFunds(available: 500, amount: 600, asset: try TestAssets.asset("EUR"))
        #expect(drawn.verdict == .refused(refusal, recorded: true) && drawn.postings.isEmpty)
        #expect(book.submit(draw, at: second(3)).verdict == .replayed(.refused(refusal)))
    }

    @Test("a transfer is given back in parts up to the whole, by whichever side has to pay")
    func reversals() throws {
        var book = try book()
        let pay = order(.credit, try sum("4"), id: transfer(1), atOnce: true, with: wallet(2))
        _ = book.submit(operation(pay, hash: 2), at: second(1))
        let part = book.submit(
            operation(reversal(of: transfer(1), try sum("1.5"), id: transfer(2)), hash: 3), at: second(2))
        let receipt = try #require(part.verdict.receipt?.transfer)
        #expect(receipt.direction == .debit && receipt.amount == 150 && receipt.status == .completed)
        #expect(receipt.purpose == .reversal && receipt.reverses == transfer(1) && receipt.counterparty == wallet(2))
        #expect(part.postings.map(\.related?.reversedAmount) == [150, 150])
        #expect(part.postings.map { $0.related?.version } == part.postings.map(\.entry.version))
        let above = book.submit(
            operation(reversal(of: transfer(1), try sum("2.51"), id: transfer(3)), on: wallet(2), hash: 4),
            at: second(3))
        let euro = try TestAssets.asset("EUR")
        #expect(above.verdict.refusal?.refusal == .amountExceedsReversible(reversible: 250, asset: euro))
        let spend = order(.credit, try sum("6"), id: transfer(4), atOnce: true)
        _ = book.submit(operation(spend, on: wallet(2), hash: 5), at: second(4))
        let rest = operation(reversal(of: transfer(1), id: transfer(3)), key: key(1), hash: 6)
        let refusal = Refusal.insufficientFunds(available: 150, amount: 250, asset: euro)
        #expect(book.submit(rest, at: second(5)).verdict == .refused(refusal, recorded: true))
        let give = order(.debit, try sum("1"), id: transfer(5), atOnce: true)
        _ = book.submit(operation(give, on: wallet(2), hash: 7), at: second(6))
        #expect(book.submit(rest, at: second(6)).verdict == .replayed(.refused(refusal)))
        let whole = book.submit(
            operation(reversal(of: transfer(1), id: transfer(6)), on: wallet(2), hash: 8), at: second(7))
        #expect(whole.verdict.receipt?.transfer?.direction == .credit && whole.postings[1].wallet.balance == 1000)
        let over = book.submit(operation(reversal(of: transfer(1), id: transfer(7)), hash: 9), at: second(8))
        #expect(over.verdict.refusal?.refusal == .amountExceedsReversible(reversible: 0, asset: euro))
        let again = book.submit(operation(reversal(of: transfer(6), id: transfer(7)), hash: 10), at: second(8))
        #expect(again.verdict.refusal?.refusal == .transferNotReversible)
    }

    @Test("an adjustment reaches a frozen wallet on the other side, but no closed one")
    func adjustmentsOfTwo() throws {
        var book = try book()
        let adjust = order(
            .credit, try sum("4"), id: transfer(1), atOnce: true, with: wallet(2), as: .adjustment, note: "swapped")
        let leave = order(.credit, try sum("5"), id: transfer(2), atOnce: true)
        _ = book.submit(operation(leave, on: wallet(2), hash: 2), at: second(1))
        _ = book.submit(operation(amendment(status: .closed), on: wallet(2), hash: 3), at: second(2))
        let closed = book.submit(operation(adjust, hash: 4), at: second(3))
        #expect(closed.verdict.refusal?.refusal == .counterpartyNotActive(.closed))
        var other = try self.book()
        _ = other.submit(operation(amendment(status: .frozen), on: wallet(2), hash: 3), at: second(2))
        #expect(other.submit(operation(adjust, hash: 4), at: second(3)).postings.count == 2)
    }

    @Test("an extension moves the expiry on both sides, and only to a later moment")
    func extensions() throws {
        var book = try book()
        let hold = order(.credit, try sum("4"), id: transfer(1), expiry: .at(second(10)), with: wallet(2))
        _ = book.submit(operation(hold, hash: 2), at: second(1))
        for expiry in [TransferOrder.Expiry.at(second(10)), .after(seconds: 1), .never] {
            let same = book.submit(operation(.extend(transfer(1), expiry: expiry), hash: 3), at: second(2))
            #expect(same.verdict.refusal?.refusal == .expiryNotLater)
        }
        let later = book.submit(
            operation(.extend(transfer(1), expiry: .at(second(20))), on: wallet(2), hash: 4), at: second(3))
        #expect(later.postings.map(\.entry.kind) == [.extended, .extended])
        #expect(later.postings.map(\.transfer?.expiresAt) == [second(20), second(20)])
        #expect(later.postings.map(\.transfer?.status) == [.pending, .pending])
        #expect(book.submit(operation(.expire(transfer(1)), hash: nil), at: second(12)).postings.isEmpty)
        let complete = book.submit(operation(.complete(transfer(1), amount: nil), hash: 5), at: second(15))
        #expect(complete.verdict.receipt?.transfer?.expiresAt == second(20))
        _ = book.submit(operation(order(.debit, try sum("1"), id: transfer(2)), hash: 6), at: second(16))
        let endless = book.submit(operation(.extend(transfer(2), expiry: .after(seconds: 9)), hash: 7), at: second(17))
        #expect(endless.verdict.refusal?.refusal == .expiryNotLater)
    }

    @Test("a frozen wallet lets nobody but the administrator and the expiry move money; a closed one nobody")
    func stops() throws {
        var book = try book()
        let hold = order(.credit, try sum("4"), id: transfer(1), expiry: .at(second(10)), with: wallet(2))
        _ = book.submit(operation(hold, hash: 2), at: second(1))
        let freeze = book.submit(
            operation(amendment(status: .frozen, note: "court order"), on: wallet(2), hash: 3, by: "admin"),
            at: second(2))
        let entry = try #require(freeze.postings.first?.entry)
        #expect(entry.kind == .amended && entry.amount == 0 && entry.note == "court order" && entry.actor == "admin")
        #expect(entry.status == .frozen && entry.metadata == "{}" && entry.transferID == nil)
        for command in [
            Command.complete(transfer(1), amount: nil), .revert(transfer(1), note: nil),
            .extend(transfer(1), expiry: .at(second(20))), reversal(of: transfer(1), id: transfer(3)),
            order(.credit, try sum("1"), id: transfer(3), with: wallet(2)),
        ] {
            let left = book.submit(operation(command, hash: 4), at: second(3))
            #expect(left.verdict.refusal?.refusal == .counterpartyNotActive(.frozen), "\(command)")
        }
        let debit = book.submit(operation(order(.debit, try sum("1")), on: wallet(2), hash: 5), at: second(3))
        #expect(debit.verdict.refusal?.refusal == .walletNotActive(.frozen))
        let adjust = order(.credit, try sum("5"), id: transfer(4), atOnce: true, as: .adjustment, note: "fee")
        let adjusted = book.submit(operation(adjust, on: wallet(2), hash: 6, by: "admin"), at: second(4))
        #expect(adjusted.verdict.receipt?.transfer?.purpose == .adjustment)
        #expect(adjusted.postings.first?.lines.map(\.account) == [.wallet(wallet(2)), .system])
        let close = operation(amendment(status: .closed), on: wallet(2), hash: 7)
        #expect(book.submit(close, at: second(5)).verdict.refusal?.refusal == .walletNotEmpty)
        #expect(book.submit(operation(.expire(transfer(1)), hash: nil), at: second(10)).postings.count == 2)
        #expect(book.submit(close, at: second(11)).verdict.receipt?.wallet.status == .closed)
        for command in [amendment(status: .active), amendment(metadata: .remove), adjust] {
            let late = book.submit(operation(command, on: wallet(2), hash: 8), at: second(12))
            #expect(late.verdict.refusal?.refusal == .walletNotActive(.closed))
        }
    }

    @Test("an overdraft limit is lent, and not lowered below what is in use")
    func overdraft() throws {
        var book = try book()
        let raised = book.submit(operation(amendment(limit: try sum("20")), hash: 2), at: second(1))
        #expect(raised.verdict.receipt?.wallet.available == 3000)
        let pay = order(.credit, try sum("25"), id: transfer(1), atOnce: true, with: wallet(2))
        #expect(book.submit(operation(pay, hash: 3), at: second(2)).verdict.receipt?.wallet.balance == -1500)
        let euro = try TestAssets.asset("EUR")
        let lower = book.submit(operation(amendment(limit: try sum("14.99")), hash: 4), at: second(3))
        #expect(lower.verdict.refusal?.refusal == .overdraftInUse(used: 1500, asset: euro))
        let exact = book.submit(operation(amendment(limit: try sum("15")), hash: 5), at: second(3))
        #expect(exact.verdict.receipt?.wallet.available == 0)
        let changed = book.submit(operation(amendment(metadata: .set("{\"b\":2}")), hash: 6), at: second(4))
        #expect(changed.verdict.receipt?.wallet.metadata == "{\"b\":2}")
        #expect(changed.postings.first?.entry.metadata == "{\"b\":2}")
        #expect(changed.verdict.receipt?.wallet.overdraftLimit == 1500)
        let removed = book.submit(operation(amendment(metadata: .remove), hash: 7), at: second(5))
        #expect(removed.verdict.receipt?.wallet.metadata == nil && removed.postings.first?.entry.metadata == nil)
    }

    @Test("every posting's lines sum to zero and name the other side")
    func lines() throws {
        var book = try book()
        let opened = try #require(book.journals[wallet(1)]?.first)
        #expect(
            opened.lines(creation: nil) == [
                .init(account: .wallet(wallet(1)), amount: 1000), .init(account: .world, amount: -1000),
            ])
        let pay = order(.credit, try sum("4"), id: transfer(1), with: wallet(2))
        let held = book.submit(operation(pay, hash: 2), at: second(1))
        #expect(held.postings.count == 2 && held.postings.allSatisfy { $0.lines.isEmpty })
        let complete = book.submit(operation(.complete(transfer(1), amount: try sum("3")), hash: 3), at: second(2))
        let expected = [
            AccountLine(account: .wallet(wallet(1)), amount: -300),
            AccountLine(account: .wallet(wallet(2)), amount: 300),
        ]
        #expect(complete.postings.map(\.lines) == [expected, expected.reversed()])
        #expect(Account.wallet(wallet(1)).text == "wallet:\(wallet(1).text)")
        #expect(Account.world.text == "world" && Account.system.text == "system")
    }
}
