import Ledger
import Testing

/// Every sequence of a small alphabet, walked as a tree: what is common to two sequences is done once.
struct SmallWorld {
    typealias Step = (name: String, operation: Operation, clock: Int64)

    let steps: [Step]
    private(set) var visited = 0
    private(set) var verdicts: [String: Int] = [:]
    private(set) var violation: String?

    init(steps: [Step]) {
        self.steps = steps
    }

    mutating func walk(_ book: Book, depth: Int, path: [String], clock: Int64) {
        guard depth > 0 else { return }
        for step in steps {
            // The path's length names transfers that are created and settled in one step: ids are used once.
            let operation = Self.named(step.operation, unique: path.count)
            var next = book
            let time = clock + step.clock
            let decision = next.submit(operation, at: second(time))
            visited += 1
            count(decision.verdict)
            let trace = path + [step.name]
            if let flaw = StepCheck.violation(operation, decision, before: book, after: next) {
                violation = "\(trace.joined(separator: ", ")): \(flaw)"
            }
            guard violation == nil else { return }
            walk(next, depth: depth - 1, path: trace, clock: time + 1)
            guard violation == nil else { return }
        }
    }

    private mutating func count(_ verdict: Decision.Verdict) {
        switch verdict {
        case .applied: verdicts["applied", default: 0] += 1
        case .replayed: verdicts["replayed", default: 0] += 1
        case .refused(let refusal, _): verdicts[refusal.name, default: 0] += 1
        }
    }

    private static func named(_ operation: Operation, unique number: Int) -> Operation {
        guard case .transfer(let order) = operation.command, order.id == transfer(0) else { return operation }
        let command = LedgerTests.order(
            order.direction, order.amount, id: transfer(1000 + number), atOnce: order.settlesAtOnce,
            with: order.counterparty)
        return LedgerTests.operation(
            command, on: operation.walletID, key: operation.key, hash: operation.contentHash)
    }
}

@Suite("Small worlds")
struct SmallWorldTests {
    private static let (a, b) = (transfer(1), transfer(2))

    private func opened(_ balance: String) throws -> Book {
        var book = Book()
        let opening = Opening(
            ownerID: nil, asset: try TestAssets.asset("POINTS"), initialBalance: try sum(balance), metadata: nil,
            hasClientID: true)
        _ = book.submit(operation(.open(opening), hash: 1), at: second(0))
        return book
    }

    /// Both directions, pending and at once, both resolutions, partial, expiring, keyed, conditional.
    private func alphabet() throws -> [SmallWorld.Step] {
        let (one, two) = (try sum("1"), try sum("2"))
        let new = transfer(0)
        let soon = TransferOrder.Expiry.after(seconds: 2)
        return [
            ("debit 2", operation(order(.debit, two, id: new, atOnce: true), hash: nil), 0),
            ("credit 1", operation(order(.credit, one, id: new, atOnce: true), hash: nil), 0),
            ("A: credit 2", operation(order(.credit, two, id: Self.a), hash: 2), 0),
            ("A: debit 1, soon over", operation(order(.debit, one, id: Self.a, expiry: soon), hash: 3), 0),
            ("B: credit 1, soon over", operation(order(.credit, one, id: Self.b, expiry: soon), hash: 4), 0),
            ("B: debit 2, key", operation(order(.debit, two, id: Self.b), key: key(1), hash: 5), 0),
            ("B: credit 2, key", operation(order(.credit, two, id: Self.b), key: key(1), hash: 6), 0),
            ("complete A", operation(.complete(Self.a, amount: nil), hash: nil), 0),
            ("complete 1 of A, key", operation(.complete(Self.a, amount: one), key: key(2), hash: 7), 0),
            ("complete 2 of B", operation(.complete(Self.b, amount: two), hash: nil), 0),
            ("revert A, version 2", operation(.revert(Self.a, note: nil), hash: nil, ifMatch: 2), 0),
            ("revert B, key", operation(.revert(Self.b, note: "b"), key: key(2), hash: 8), 0),
            ("expire A later", operation(.expire(Self.a), hash: nil), 2),
            ("expire B", operation(.expire(Self.b), hash: nil), 0),
        ]
    }

    @Test("every sequence of four commands out of fourteen", arguments: ["0", "2"])
    func broad(balance: String) throws {
        var world = SmallWorld(steps: try alphabet())
        world.walk(try opened(balance), depth: 4, path: [], clock: 1)
        #expect(world.violation == nil)
        #expect(world.visited == 14 + 196 + 2744 + 38_416)
        let told = [
            "applied", "replayed", "idempotencyKeyReused", "transferExists", "transferNotFound", "transferNotPending",
            "versionMismatch", "amountExceedsPending", "insufficientFunds",
        ]
        for name in told { #expect(world.verdicts[name, default: 0] > 0, "\(name) was never met") }
    }

    @Test("every sequence of six commands out of six")
    func deep() throws {
        let names = [
            "credit 1", "A: credit 2", "B: debit 2, key", "complete 1 of A, key", "revert B, key", "expire A later",
        ]
        var world = SmallWorld(steps: try alphabet().filter { names.contains($0.name) })
        world.walk(try opened("2"), depth: 6, path: [], clock: 1)
        #expect(world.violation == nil)
        #expect(world.visited == 6 + 36 + 216 + 1296 + 7776 + 46_656)
    }
}
