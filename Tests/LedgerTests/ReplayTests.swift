import Ledger
import Testing

@Suite("Repeats")
struct ReplayTests {
    private func opening(_ balance: String = "10.00") throws -> Command {
        .open(
            Opening(
                ownerID: "owner", asset: try TestAssets.asset("EUR"), initialBalance: try sum(balance),
                metadata: "{\"a\":1}", hasClientID: true))
    }

    private func book() throws -> Book {
        var book = Book()
        _ = book.submit(operation(try opening(), hash: 1), at: second(0))
        return book
    }

    /// Repeats `operation` now and after the wallet and the transfer have moved on: always the first answer.
    private func expectReplays(_ operation: Operation, in book: Book, _ sourceLocation: SourceLocation) throws {
        var book = book
        let first = book.submit(operation, at: second(3))
        let outcome: Prior.Outcome
        switch first.verdict {
        case .applied(let receipt): outcome = .applied(receipt)
        case .refused(let refusal, let recorded):
            #expect(recorded, sourceLocation: sourceLocation)
            outcome = .refused(refusal)
        case .replayed: throw NotFirst()
        }
        for round in 0..<3 {
            let repeated = book.submit(operation, at: second(Int64(round) + 4))
            guard case .replayed(let again) = repeated.verdict else { throw NotFirst() }
            #expect(again.shown == outcome.shown, "round \(round)", sourceLocation: sourceLocation)
            #expect(repeated.postings.isEmpty, sourceLocation: sourceLocation)
            _ = book.submit(
                LedgerTests.operation(.revert(transfer(1), note: "r"), hash: nil), at: second(Int64(round) + 4))
            let more = order(.debit, try sum("100"), id: transfer(100 + round), atOnce: true, metadata: "{}")
            _ = book.submit(LedgerTests.operation(more, hash: 50), at: second(Int64(round) + 4))
            // What the journal does not tell must not show in any answer.
            let changed = amendment(metadata: .set("{\"round\":\(round)}"), limit: try sum("50"))
            _ = book.submit(
                LedgerTests.operation(changed, on: operation.walletID, hash: nil), at: second(Int64(round) + 4))
            let back = reversal(of: transfer(2), try sum("0.1"), id: transfer(200 + round))
            _ = book.submit(LedgerTests.operation(back, hash: nil), at: second(Int64(round) + 4))
            if round == 1 { book.wallets[operation.walletID]?.status = .frozen }
        }
        let journal = book.journals[operation.walletID] ?? []
        let keyed = journal.filter { $0.key != nil && $0.key == operation.key }
        #expect(keyed.count <= 1, "a key has one effect", sourceLocation: sourceLocation)
    }

    /// The commands that know a second wallet, or change the first.
    private func expectReplaysOfTwo(in first: Book, _ metadata: String) throws {
        var book = first
        _ = book.submit(operation(try opening(), on: wallet(2), hash: 1), at: second(0))
        let between = order(.credit, try sum("2"), id: transfer(5), expiry: .after(seconds: 60), with: wallet(2))
        _ = book.submit(operation(between, hash: 20), at: second(2))
        let soon = order(.credit, try sum("1"), id: transfer(6), expiry: .at(second(3)), with: wallet(2))
        _ = book.submit(operation(soon, hash: 21), at: second(2))
        let hand = order(.debit, try sum("1"), id: transfer(7), atOnce: true, as: .adjustment, note: "lost")
        _ = book.submit(operation(hand, hash: 22, by: "admin"), at: second(2))
        let commands: [Command] = [
            order(.credit, try sum("1"), id: transfer(3), atOnce: true, metadata: metadata, with: wallet(2)),
            order(.credit, try sum("9"), id: transfer(3), expiry: .after(seconds: 5), with: wallet(2)),
            order(.debit, try sum("99"), id: transfer(3), with: wallet(2)),
            order(.credit, try sum("1"), id: transfer(3), atOnce: true, as: .adjustment, note: "why"),
            .complete(transfer(5), amount: nil), .complete(transfer(5), amount: try sum("0.5")),
            .complete(transfer(6), amount: nil), .revert(transfer(5), note: "no"),
            .extend(transfer(5), expiry: .after(seconds: 90)), .extend(transfer(5), expiry: .after(seconds: 1)),
            reversal(of: transfer(2), id: transfer(3), note: "wrong", metadata: metadata, description: "back"),
            reversal(of: transfer(2), try sum("0.3"), id: transfer(3)),
            reversal(of: transfer(2), try sum("1.01"), id: transfer(3)), reversal(of: transfer(5), id: transfer(3)),
            reversal(of: transfer(7), id: transfer(3)), reversal(of: transfer(2), id: transfer(5)),
            amendment(status: .frozen, note: "why"), amendment(status: .closed), amendment(limit: try sum("5")),
            amendment(metadata: .set("{\"c\":3}")), amendment(status: .active, metadata: .remove),
        ]
        for command in commands {
            let asked = operation(command, key: key(5), hash: 5, by: "somebody")
            try expectReplays(asked, in: book, #_sourceLocation)
            var extended = book
            _ = extended.submit(
                operation(.extend(transfer(5), expiry: .after(seconds: 80)), on: wallet(2), hash: nil), at: second(2))
            try expectReplays(asked, in: extended, #_sourceLocation)
        }
    }

    private struct NotFirst: Error {}

    @Test("every applied operation and every refusal that depended on state")
    func outcomes() throws {
        var book = try book()
        _ = book.submit(operation(order(.credit, try sum("4"), metadata: "{}"), hash: 2), at: second(1))
        _ = book.submit(operation(order(.debit, try sum("1"), id: transfer(2), atOnce: true), hash: 3), at: second(2))
        let words = (metadata: "{\"b\":2}", description: "shoes")
        let commands: [Command] = [
            order(
                .debit, try sum("1"), id: transfer(3), atOnce: true, metadata: words.metadata,
                description: words.description),
            order(.debit, try sum("1"), id: transfer(3), expiry: .at(second(4)), metadata: words.metadata),
            order(.credit, try sum("7"), id: transfer(3), expiry: .after(seconds: 1), description: words.description),
            order(.credit, try sum("7"), id: transfer(3), atOnce: true),
            order(.credit, try sum("7.01"), id: transfer(3), metadata: words.metadata, description: words.description),
            order(.credit, try sum("7.01"), id: transfer(3), atOnce: true, expiry: .after(seconds: 1)),
            order(.debit, try sum(String(repeating: "9", count: 36)), id: transfer(3)),
            order(.debit, try sum("1"), id: transfer(1)),
            .complete(transfer(1), amount: nil), .complete(transfer(1), amount: try sum("1.5")),
            .complete(transfer(1), amount: try sum("4.01")), .complete(transfer(2), amount: nil),
            .complete(transfer(9), amount: nil), .revert(transfer(1), note: "no"), .revert(transfer(2), note: nil),
        ]
        for command in commands {
            try expectReplays(operation(command, key: key(5), hash: 5), in: book, #_sourceLocation)
        }
        try expectReplaysOfTwo(in: book, words.metadata)
        try expectReplays(operation(commands[0], key: key(5), hash: 5, ifMatch: 1), in: book, #_sourceLocation)
        book.wallets[wallet(1)]?.status = .closed
        try expectReplays(operation(commands[0], key: key(5), hash: 5), in: book, #_sourceLocation)
    }

    @Test("opening a wallet again gives the wallet as it was opened, by key or by id")
    func openings() throws {
        for key in [nil, key(1)] {
            var book = Book()
            let open = operation(try opening(), key: key, hash: 1)
            let first = try #require(book.submit(open, at: second(0)).verdict.receipt)
            #expect(first.wallet.metadata == "{\"a\":1}" && first.wallet.balance == 1000 && first.wallet.version == 1)
            let more = order(.debit, try sum("1"), atOnce: true)
            _ = book.submit(operation(more, hash: 2), at: second(1))
            let replayed = book.submit(open, at: second(2))
            #expect(replayed.verdict == .replayed(.applied(first)) && replayed.postings.isEmpty)
            let other = book.submit(operation(try opening("11"), key: LedgerTests.key(2), hash: 3), at: second(2))
            #expect(other.verdict == .refused(.walletExists, recorded: false) && other.postings.isEmpty)
        }
    }

    @Test("a key belongs to one content and one route, whatever became of it")
    func keyReuse() throws {
        var book = try book()
        let uses: [(Command, UInt128)] = [
            (order(.debit, try sum("1"), id: transfer(1)), 10),
            (order(.credit, try sum("99"), id: transfer(2)), 11),
            (.complete(transfer(8), amount: nil), 12),
            (.revert(transfer(1), note: nil), 13),
        ]
        for (number, (command, hash)) in uses.enumerated() {
            _ = book.submit(operation(command, key: key(number), hash: hash), at: second(1))
        }
        let before = book.journals[wallet(1)]
        for number in uses.indices {
            for (other, (command, hash)) in uses.enumerated() {
                let decision = book.submit(operation(command, key: key(number), hash: hash), at: second(2))
                if other == number {
                    guard case .replayed = decision.verdict else {
                        Issue.record("\(command) was not replayed")
                        continue
                    }
                } else {
                    #expect(decision.verdict == .refused(.idempotencyKeyReused, recorded: false))
                }
                #expect(decision.postings.isEmpty)
            }
        }
        #expect(book.journals[wallet(1)] == before)
    }

    @Test("keys of one wallet mean nothing to another")
    func keysPerWallet() throws {
        var book = try book()
        _ = book.submit(operation(try opening(), on: wallet(2), hash: 1), at: second(0))
        for id in [wallet(1), wallet(2)] {
            let decision = book.submit(
                operation(order(.debit, try sum("1")), on: id, key: key(1), hash: 5), at: second(1))
            #expect(decision.verdict.receipt?.wallet.id == id)
        }
    }

    @Test("a transfer id alone protects its creation")
    func byTransferID() throws {
        var book = try book()
        let create = operation(order(.credit, try sum("4"), expiry: .after(seconds: 1)), hash: 5)
        let first = try #require(book.submit(create, at: second(1)).verdict.receipt)
        #expect(book.submit(create, at: second(1)).verdict == .replayed(.applied(first)))
        _ = book.submit(operation(.revert(transfer(1), note: nil), hash: nil), at: second(1))
        #expect(book.submit(create, at: second(9)).verdict == .replayed(.applied(first)))
        let other = operation(order(.credit, try sum("3")), hash: 6)
        #expect(book.submit(other, at: second(9)).verdict == .refused(.transferExists, recorded: false))
        let keyed = operation(order(.credit, try sum("4")), key: key(1), hash: 5)
        #expect(book.submit(keyed, at: second(9)).verdict == .refused(.transferExists, recorded: true))
    }

    @Test("a refused credit is recorded when it carried a key, and only then")
    func refusedCredits() throws {
        for atOnce in [false, true] {
            var book = try book()
            let credit = order(
                .credit, try sum("10.01"), atOnce: atOnce, expiry: .after(seconds: 60), metadata: "{}",
                description: "shoes")
            let refusal = Refusal.insufficientFunds(
                available: 1000, amount: 1001, asset: try TestAssets.asset("EUR"))
            let bare = book.submit(operation(credit, hash: 5), at: second(1))
            #expect(bare.verdict == .refused(refusal, recorded: false) && bare.postings.isEmpty)
            let decision = book.submit(operation(credit, key: key(1), hash: 5), at: second(1))
            #expect(decision.verdict == .refused(refusal, recorded: true))
            let posting = try #require(decision.postings.first)
            #expect(decision.postings.count == 1 && posting.entry.kind == .refused && posting.entry.amount == 1001)
            #expect(posting.wallet.balance == 1000 && posting.wallet.available == 1000 && posting.wallet.version == 2)
            let failed = try #require(posting.transfer)
            #expect(failed.status == .failed && failed.reason == .insufficientFunds && failed.completedAmount == nil)
            #expect(failed.referenceID == "key-1" && failed.metadata == "{}" && failed.description == "shoes")
            #expect(failed.resolvedAt == second(1) && failed.createdAt == second(1) && failed.version == 2)
            _ = book.submit(
                operation(order(.debit, try sum("9"), id: transfer(2), atOnce: true), hash: 6), at: second(2))
            let again = book.submit(operation(credit, key: key(1), hash: 5), at: second(3))
            #expect(again.verdict == .replayed(.refused(refusal)) && again.postings.isEmpty)
            let complete = book.submit(operation(.complete(transfer(1), amount: nil), hash: 7), at: second(3))
            #expect(complete.verdict.refusal?.refusal.name == "transferNotPending" && complete.postings.isEmpty)
        }
    }

    @Test("a refusal by content alone leaves the key free")
    func freeKeys() throws {
        var book = try book()
        let precise = operation(order(.debit, try sum("1.000")), key: key(1), hash: 5)
        let refused = Decision.Verdict.refused(.amountPrecision(scale: 2), recorded: false)
        #expect(book.submit(precise, at: second(1)).verdict == refused)
        let sound = operation(order(.debit, try sum("1.00")), key: key(1), hash: 6)
        #expect(book.submit(sound, at: second(1)).verdict.receipt != nil)
        var empty = Book()
        let huge = operation(try opening(String(repeating: "9", count: 37)), key: key(1), hash: 7)
        #expect(empty.submit(huge, at: second(1)).verdict == .refused(.amountOutOfRange, recorded: false))
    }

    @Test("sums stay in the range of money, with and without an overdraft")
    func range() throws {
        let points = try TestAssets.asset("POINTS")
        func verdict(_ command: Command, _ wallet: Wallet) -> Decision.Verdict {
            let situation = Situation(wallet: wallet, transfer: nil, priorByKey: nil, priorByID: nil)
            return decide(operation(command), in: situation, at: second(1)).verdict
        }
        let full = standing(asset: points, balance: Money.largest - 5, pendingDebit: 3)
        for atOnce in [true, false] {
            #expect(verdict(order(.debit, try sum("2"), atOnce: atOnce), full).receipt != nil)
            let above = verdict(order(.debit, try sum("3"), atOnce: atOnce), full)
            #expect(above == .refused(.amountOutOfRange, recorded: false))
        }
        let lent = standing(asset: points, balance: Money.largest, overdraftLimit: Money.largest)
        #expect(lent.available == Money.largest)
        let all = try sum(String(Money.largest))
        let reserved = try #require(verdict(order(.credit, all), lent).receipt?.wallet)
        #expect(reserved.pendingCredit == Money.largest && reserved.available == Money.largest)
        #expect(verdict(order(.credit, try sum("1")), reserved) == .refused(.amountOutOfRange, recorded: false))
        #expect(verdict(order(.credit, try sum("1"), atOnce: true), reserved).receipt != nil)
        let owing = standing(asset: points, balance: 1, overdraftLimit: 2)
        #expect(verdict(order(.credit, try sum("3"), atOnce: true), owing).receipt?.wallet.balance == -2)
        #expect(verdict(order(.credit, try sum("4"), atOnce: true), owing).refusal?.refusal.name == "insufficientFunds")
    }
}
