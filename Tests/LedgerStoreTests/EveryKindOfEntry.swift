import Ledger
import LedgerStore
import Runtime
import Synchronization
import TestSupport

/// A book with every kind of entry and of key, for tests that take a book from one place to another.
struct EveryKindOfEntry {
    /// Operations with keys, and whether each was applied.
    private(set) var keyed: [(operation: Ledger.Operation, isApplied: Bool)] = []
    /// An atomic batch that was accepted, and one that was refused.
    private(set) var batches: [(key: String, operations: [Ledger.Operation])] = []
    private(set) var wallets: [WalletID] = []

    /// Texts that are easily harmed on their way: quotes, control characters, line ends of all sorts, two spellings of
    /// one letter, characters outside of the first plane, a direction mark.
    static let text = "\"\\/\u{1}\u{8}\u{1F}\r\n\t\u{7F}\u{85}\u{2028}\u{E9}e\u{301}\u{1F9FE}\u{202E}\u{FEFF}\u{FFFF}"
    static let metadata = #"{ "b" : [1.10, 1e3, "\u00e9\ud83e\uddfe é"], "a": {} }"#

    /// A clock that can be put forward.
    final class Time: Sendable {
        private let ahead = Atomic<Int64>(0)
        func advance(seconds: Int64) { ahead.add(seconds * 1_000_000, ordering: .relaxed) }
        var clock: Clock {
            Clock(
                wallMicroseconds: { Clock.system.wallMicroseconds() + self.ahead.load(ordering: .relaxed) },
                monotonicNanoseconds: Clock.system.monotonicNanoseconds)
        }
    }

    /// Bounds for a writer whose clock is put forward.
    static var bounds: LedgerWriterConfiguration {
        var bounds = LedgerFixture.patientBounds
        bounds.clockSkewMax = .seconds(36_000)
        return bounds
    }

    /// Makes the book in `fixture`, whose clock is that of `time`.
    static func write(_ fixture: LedgerFixture, _ time: Time) async throws -> EveryKindOfEntry {
        var book = EveryKindOfEntry()
        for number in 0..<4 { try await book.open(fixture, number) }
        let (first, second, third, last) = (book.wallets[0], book.wallets[1], book.wallets[2], book.wallets[3])
        try await book.resolutions(fixture, first, time)
        try await book.standing(fixture, second, last)
        try await book.between(fixture, first, third)
        try await book.refusals(fixture, third)
        return book
    }

    private mutating func open(_ fixture: LedgerFixture, _ number: Int) async throws {
        let wallet = fixture.newWalletID()
        wallets.append(wallet)
        try await apply(
            fixture,
            Ledger.Operation(
                walletID: wallet,
                command: .open(
                    Opening(
                        ownerID: number == 1 ? Self.text : nil, asset: LedgerFixture.eur,
                        initialBalance: DecimalAmount(cents: number == 3 ? 0 : 100_000),
                        metadata: number == 1 ? Self.metadata : nil, hasClientID: true)),
                key: number == 2 ? nil : IdempotencyKey("open \(number) \(Self.text)"), contentHash: 1,
                expectedVersion: nil))
    }

    private mutating func resolutions(_ fixture: LedgerFixture, _ wallet: WalletID, _ time: Time) async throws {
        let ids = (0..<8).map { _ in fixture.newTransferID() }
        for (id, direction) in zip(ids[0..<5], [.debit, .credit, .credit, .debit, .credit] as [Direction]) {
            try await apply(
                fixture,
                .transfer(
                    wallet, direction, 1000, id: id, expiry: .after(seconds: id == ids[2] ? 5 : 3600),
                    key: IdempotencyKey("\(id)")))
        }
        try await apply(fixture, .complete(wallet, ids[0], cents: 333, key: IdempotencyKey("part")))
        try await apply(fixture, .revert(wallet, ids[1], key: IdempotencyKey("revert")))
        time.advance(seconds: 60)
        // Met after its time: released by whoever met it.
        let late = Ledger.Operation.complete(wallet, ids[2], key: IdempotencyKey("late"))
        keyed.append((late, false))
        _ = try await fixture.submit(late)
        try await apply(fixture, .extend(wallet, ids[3], seconds: 7200))
        try await apply(fixture, .complete(wallet, ids[4]))
        let posted = TransferOrder(
            id: ids[5], hasClientID: true, direction: .debit, amount: DecimalAmount(cents: 5000), settlesAtOnce: true,
            expiry: .never, description: Self.text, metadata: Self.metadata, note: Self.text)
        try await apply(fixture, operation(wallet, .transfer(posted), key: IdempotencyKey(Self.text)))
        for (id, cents) in zip(ids[6...], [700, 800]) {
            try await apply(fixture, .reverse(wallet, ids[5], by: id, cents, key: IdempotencyKey("\(id)")))
        }
        let adjustment = TransferOrder(
            id: fixture.newTransferID(), hasClientID: true, direction: .credit, amount: DecimalAmount(cents: 1),
            settlesAtOnce: true, expiry: .never, description: nil, metadata: nil, purpose: .adjustment, note: "a cent")
        try await apply(fixture, operation(wallet, .transfer(adjustment), actor: "clerk"))
    }

    private mutating func standing(_ fixture: LedgerFixture, _ wallet: WalletID, _ closed: WalletID) async throws {
        try await apply(
            fixture, .amend(wallet, status: .frozen, metadata: .set(Self.metadata), key: IdempotencyKey("freeze")))
        try await apply(fixture, .amend(wallet, status: .active, limit: 9000))
        try await apply(
            fixture, .transfer(wallet, .credit, 100_100, id: fixture.newTransferID(), atOnce: true))
        try await apply(fixture, .amend(wallet, status: .frozen, metadata: .remove))
        try await apply(fixture, .amend(closed, status: .closed, key: IdempotencyKey("close")))
    }

    private mutating func between(_ fixture: LedgerFixture, _ from: WalletID, _ to: WalletID) async throws {
        let ids = (0..<5).map { _ in fixture.newTransferID() }
        try await apply(fixture, .between(from, to, 2500, id: ids[0], atOnce: true, key: IdempotencyKey("pay")))
        try await apply(fixture, .between(from, to, 800, id: ids[1], expiry: .after(seconds: 3600)))
        try await apply(fixture, .between(to, from, 900, id: ids[2]))
        try await apply(fixture, .complete(to, ids[1], cents: 500))
        try await apply(fixture, .revert(from, ids[2]))
        try await apply(fixture, .reverse(to, ids[0], by: ids[3], 400, key: IdempotencyKey("give back")))
        try await apply(fixture, .between(to, from, 70, id: ids[4], expiry: .after(seconds: 3600)))
    }

    private mutating func refusals(_ fixture: LedgerFixture, _ wallet: WalletID) async throws {
        // One that is an entry of the journal, and one that is not.
        for refused in [
            Ledger.Operation.transfer(
                wallet, .credit, 10_000_000, id: fixture.newTransferID(), atOnce: true, key: IdempotencyKey("dear")),
            .complete(wallet, fixture.newTransferID(), key: IdempotencyKey("which? \(Self.text)")),
        ] {
            keyed.append((refused, false))
            guard case .refused(_, recorded: true) = try await fixture.submit(refused) else {
                throw Missing(id: wallet)
            }
        }
        for (key, cents) in [("all", 10), ("none \(Self.text)", 90_000_000)] {
            let operations = [
                Ledger.Operation.transfer(
                    wallet, .debit, 10, id: fixture.newTransferID(), key: IdempotencyKey("\(key)#0")),
                .transfer(
                    wallet, .credit, cents, id: fixture.newTransferID(), atOnce: true, key: IdempotencyKey("\(key)#1")),
            ]
            batches.append((key, operations))
            _ = try await fixture.submitAtomically(operations, key: key)
        }
    }

    private func operation(
        _ wallet: WalletID, _ command: Command, key: IdempotencyKey? = nil, actor: String? = nil
    ) -> Ledger.Operation {
        Ledger.Operation(
            walletID: wallet, command: command, key: key, contentHash: 17, expectedVersion: nil, actor: actor)
    }

    private mutating func apply(_ fixture: LedgerFixture, _ operation: Ledger.Operation) async throws {
        let verdict = try await fixture.submit(operation)
        guard case .applied = verdict else { throw Unexpected(verdict) }
        if operation.key != nil { keyed.append((operation, true)) }
    }
}
