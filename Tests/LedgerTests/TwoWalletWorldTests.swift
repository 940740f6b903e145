import Ledger
import Testing

@Suite("Small worlds of two wallets")
struct TwoWalletWorldTests {
    private static let (a, b, c) = (transfer(1), transfer(2), transfer(3))

    private func opened(_ first: String, _ other: String) throws -> Book {
        var book = Book()
        for (number, balance) in [first, other].enumerated() {
            let opening = Opening(
                ownerID: nil, asset: try TestAssets.asset("POINTS"), initialBalance: try sum(balance), metadata: nil,
                hasClientID: true)
            _ = book.submit(operation(.open(opening), on: wallet(number + 1), hash: 1), at: second(0))
        }
        return book
    }

    /// Both directions and both wallets' paths, holds and what becomes of them, reversals, limits, stops.
    private func alphabet() throws -> [SmallWorld.Step] {
        let (one, two) = (try sum("1"), try sum("2"))
        let (left, right) = (wallet(1), wallet(2))
        let soon = TransferOrder.Expiry.after(seconds: 2)
        return [
            ("1 pays 2", operation(order(.credit, one, id: transfer(0), atOnce: true, with: right), hash: nil), 0),
            (
                "A: 1 pays 2, key",
                operation(order(.credit, two, id: Self.a, atOnce: true, with: right), key: key(1), hash: 2), 0
            ),
            ("B: 1 holds for 2", operation(order(.credit, two, id: Self.b, expiry: soon, with: right), hash: 3), 0),
            (
                "B: 2 draws from 1, key",
                operation(order(.debit, one, id: Self.b, with: left), on: right, key: key(1), hash: 4), 0
            ),
            ("1 spends", operation(order(.credit, one, id: transfer(0), atOnce: true), hash: nil), 0),
            ("2 spends", operation(order(.credit, two, id: transfer(0), atOnce: true), on: right, hash: nil), 0),
            ("complete 2 of B by 2", operation(.complete(Self.b, amount: two), on: right, hash: nil), 0),
            ("complete 1 of B, key", operation(.complete(Self.b, amount: one), key: key(1), hash: 5), 0),
            ("revert B by 2, key", operation(.revert(Self.b, note: "b"), on: right, key: key(2), hash: 6), 0),
            ("extend B", operation(.extend(Self.b, expiry: .after(seconds: 5)), hash: nil), 0),
            ("expire B later", operation(.expire(Self.b), on: right, hash: nil), 2),
            ("reverse 1 of A by 2", operation(reversal(of: Self.a, one, id: Self.c), on: right, hash: 7), 0),
            ("reverse A, key", operation(reversal(of: Self.a, id: transfer(4)), key: key(3), hash: 8), 0),
            ("reverse B", operation(reversal(of: Self.b, id: Self.c), hash: 9), 0),
            ("limit of 2 is 2", operation(amendment(limit: two), on: right, hash: nil, by: "admin"), 0),
            ("limit of 2 is 0, key", operation(amendment(limit: try sum("0")), on: right, key: key(4), hash: 10), 0),
            ("freeze 2", operation(amendment(status: .frozen), on: right, hash: nil), 0),
            ("close 2, key", operation(amendment(status: .closed, note: "gone"), on: right, key: key(5), hash: 11), 0),
        ]
    }

    @Test("every sequence of four commands out of eighteen")
    func broad() throws {
        var world = SmallWorld(steps: try alphabet())
        world.walk(try opened("3", "1"), depth: 4, path: [], clock: 1)
        #expect(world.violation == nil)
        #expect(world.visited == 18 + 324 + 5832 + 104_976)
        let told = [
            "applied", "replayed", "idempotencyKeyReused", "transferExists", "transferNotFound", "transferNotPending",
            "amountExceedsPending", "insufficientFunds", "walletNotActive", "counterpartyNotActive",
            "transferNotCompleted", "amountExceedsReversible", "walletNotEmpty", "overdraftInUse",
        ]
        for name in told { #expect(world.verdicts[name, default: 0] > 0, "\(name) was never met") }
    }

    @Test("every sequence of six commands about a payment, its reversals and an overdraft")
    func deep() throws {
        let names = [
            "A: 1 pays 2, key", "2 spends", "reverse 1 of A by 2", "reverse A, key", "limit of 2 is 2",
            "limit of 2 is 0, key",
        ]
        var world = SmallWorld(steps: try alphabet().filter { names.contains($0.name) })
        world.walk(try opened("2", "1"), depth: 6, path: [], clock: 1)
        #expect(world.violation == nil)
        #expect(world.visited == 6 + 36 + 216 + 1296 + 7776 + 46_656)
    }
}
