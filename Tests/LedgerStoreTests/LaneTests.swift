import Events
import Ledger
import LedgerStore
import Observability
import Postgres
import Runtime
import Synchronization
import TestSupport
import Testing

/// How a lane takes up its work, and what it does about rows that are in its way.
@Suite struct LaneTests {
    /// A monotonic clock that can be put forward.
    private final class Advance: Sendable {
        private let nanoseconds = Mutex<UInt64>(0)

        func forward(seconds: UInt64) { nanoseconds.withLock { $0 += seconds * 1_000_000_000 } }

        var clock: Clock {
            Clock(
                wallMicroseconds: Clock.system.wallMicroseconds,
                monotonicNanoseconds: {
                    Clock.system.monotonicNanoseconds() + self.nanoseconds.withLock { $0 }
                })
        }
    }

    /// Two groups that a lane took from its queue at once, each for a wallet of its own and as large as a batch may be.
    /// The row of one of the wallets is locked.
    private struct TwoGroups {
        let wallets: [Wallet]
        let lock: PostgresConnection
        let answers: [Task<AtomicVerdict, any Error>]

        /// The lane is held at a third wallet's row until both are in its queue.
        init(_ fixture: LedgerFixture, lockingWalletOf locked: Int) async throws {
            let zeroth = try await fixture.open()
            let wallets = try await [fixture.open(), fixture.open()]
            let gate = try fixture.database.connect()
            lock = try fixture.database.connect()
            try gate.execute("BEGIN; SELECT FROM ledger.wallets WHERE id = '\(zeroth.id)' FOR UPDATE")
            try lock.execute("BEGIN; SELECT FROM ledger.wallets WHERE id = '\(wallets[locked].id)' FOR UPDATE")
            async let before = fixture.submit(.transfer(zeroth.id, .debit, 1, id: fixture.newTransferID()))
            try await eventually("the lane to wait") { try fixture.isWaitingForLock }
            var answers: [Task<AtomicVerdict, any Error>] = []
            for wallet in wallets {
                answers.append(
                    Task {
                        try await fixture.submitAtomically(
                            (0..<2).map { _ in
                                .transfer(wallet.id, .debit, 1, id: fixture.newTransferID(), atOnce: true)
                            })
                    })
                let depth = 2 * answers.count
                try await eventually("\(answers.count) groups in the queue") { fixture.queueDepth == depth }
            }
            self.wallets = wallets
            self.answers = answers
            try gate.execute("COMMIT")
            _ = try await before
        }
    }

    private static func boundsOfOneLane() -> LedgerWriterConfiguration {
        var bounds = LedgerFixture.patientBounds
        bounds.lanes = 1
        bounds.batchMax = 2
        return bounds
    }

    /// Two groups are taken from the queue at once, but each fills a transaction of its own.
    @Test func whatIsStillToBeCommittedCountsAndRunsOutOfTime() async throws {
        let advance = Advance()
        let fixture = try LedgerFixture(bounds: Self.boundsOfOneLane(), clock: advance.clock)
        let groups = try await TwoGroups(fixture, lockingWalletOf: 0)
        try await eventually("the first group to be taken up") { try fixture.isWaitingForLock }
        #expect(fixture.queueDepth == 2)
        advance.forward(seconds: 120)
        try groups.lock.execute("COMMIT")
        let applied = try await groups.answers[0].value
        guard case .applied = applied else { throw UnexpectedBatch(applied) }
        do {
            _ = try await groups.answers[1].value
            Issue.record("the second group was applied after its deadline")
        } catch {
            #expect(error as? LedgerStoreError == .overloaded(retryAfterSeconds: 1))
        }
        #expect(fixture.queueDepth == 0)
        #expect(try fixture.stored(groups.wallets[1].id).wallet.balance == 0)
        try await fixture.stop()
    }

    /// Whoever is in the batch that is durable does not wait for the next one, which may take long.
    @Test(arguments: [0, 16_384]) func answersAreGivenWhileTheNextBatchWaits(memory: Int) async throws {
        var bounds = Self.boundsOfOneLane()
        bounds.memory = memory
        let fixture = try LedgerFixture(bounds: bounds)
        let groups = try await TwoGroups(fixture, lockingWalletOf: 1)
        let applied = try await groups.answers[0].value
        guard case .applied = applied else { throw UnexpectedBatch(applied) }
        #expect(try fixture.stored(groups.wallets[0].id).wallet.balance == 2)
        // Not because the second one was given up.
        #expect(fixture.counter("wallet_commit_lookups_total") == 0)
        try await eventually("the second group to wait") { try fixture.isWaitingForLock }
        try groups.lock.execute("COMMIT")
        let last = try await groups.answers[1].value
        guard case .applied = last else { throw UnexpectedBatch(last) }
        try await fixture.stop()
    }

    /// Whoever needs the row that another session keeps locked is refused; everybody else goes on.
    @Test func aLockedWalletIsNobodyElsesTrouble() async throws {
        let fixture = try LedgerFixture(lockTimeout: .milliseconds(200))
        let (locked, other) = try await (fixture.open(1000), fixture.open(1000))
        let between = fixture.newTransferID()
        _ = try await fixture.submit(.between(other.id, locked.id, 5, id: between))
        let lock = try fixture.database.connect()
        try lock.execute("BEGIN; SELECT FROM ledger.wallets WHERE id = '\(locked.id)' FOR UPDATE")
        let rounds = 1...5
        for round in rounds {
            let held = [
                .transfer(locked.id, .debit, 1, id: fixture.newTransferID()),
                Ledger.Operation.complete(other.id, between),
                // To tell that the id is taken, the transfer's other wallet is locked, too.
                .transfer(other.id, .debit, 7, id: between),
            ].map { operation in Task { try await fixture.submit(operation) } }
            let free = try await fixture.submitAtomically(
                (0..<3).map { _ in .transfer(other.id, .debit, 1, id: fixture.newTransferID(), atOnce: true) })
            guard case .applied = free else { throw UnexpectedBatch(free) }
            for refused in held {
                await #expect(throws: LedgerStoreError.unavailable, "round \(round)") { try await refused.value }
            }
        }
        // Waited for as long as a lock may be waited for, and then known.
        #expect(fixture.counter("wallet_batch_splits_total") == 0)
        #expect(fixture.counter("wallet_batch_retries_total") < rounds.count)
        try lock.execute("COMMIT")
        let applied = try await fixture.submit(.complete(other.id, between))
        guard case .applied = applied else { throw Unexpected(applied) }
        #expect(try fixture.stored(locked.id).wallet.balance == 1005)
        #expect(try fixture.stored(other.id).wallet.balance == 1000 - 5 + 3 * Int128(rounds.count))
        for wallet in [locked, other] { try fixture.expectSoundBooks(of: wallet.id) }
        try await fixture.stop()
    }

    /// What follows in a batch and depends on what was refused is refused with it, and not as an unknown transfer.
    @Test func whatDependsOnALockedWalletIsRefusedWithIt() async throws {
        let fixture = try LedgerFixture(lockTimeout: .milliseconds(200))
        let (locked, other) = try await (fixture.open(1000), fixture.open(1000))
        let lock = try fixture.database.connect()
        try lock.execute("BEGIN; SELECT FROM ledger.wallets WHERE id = '\(locked.id)' FOR UPDATE")
        let transfer = fixture.newTransferID()
        let operations: [Ledger.Operation] = [
            .between(other.id, locked.id, 5, id: transfer, key: IdempotencyKey("create")),
            .complete(other.id, transfer, key: IdempotencyKey("complete")),
            .transfer(other.id, .debit, 1, id: fixture.newTransferID(), atOnce: true),
        ]
        let outcomes = try await fixture.writer.submitAll(operations, origin: .none)
        #expect(outcomes[0] == .failure(.unavailable) && outcomes[1] == .failure(.unavailable))
        guard case .success(.applied) = outcomes[2] else {
            Issue.record("\(outcomes[2])")
            return
        }
        try lock.execute("COMMIT")
        let again = try await fixture.writer.submitAll(Array(operations[..<2]), origin: .none)
        for outcome in again { guard case .success(.applied) = outcome else { throw Unexpected(try outcome.get()) } }
        #expect(try fixture.stored(locked.id).wallet.balance == 1005)
        try await fixture.stop()
    }

    /// A row that is locked, but no wallet's, is nobody else's trouble either.
    @Test func aLockedTransferIsFoundByHalving() async throws {
        let fixture = try LedgerFixture(lockTimeout: .milliseconds(200))
        let (wallet, other) = try await (fixture.open(1000), fixture.open(1000))
        let transfer = fixture.newTransferID()
        _ = try await fixture.submit(.transfer(wallet.id, .credit, 5, id: transfer))
        let lock = try fixture.database.connect()
        try lock.execute("BEGIN; SELECT FROM ledger.transfers WHERE transfer_id = '\(transfer)' FOR UPDATE")
        let outcomes = try await fixture.writer.submitAll(
            [
                .complete(wallet.id, transfer), .transfer(other.id, .debit, 1, id: fixture.newTransferID()),
                .transfer(other.id, .debit, 1, id: fixture.newTransferID()),
            ], origin: .none)
        #expect(outcomes[0] == .failure(.unavailable))
        for outcome in outcomes[1...] {
            guard case .success(.applied) = outcome else { throw Unexpected(try outcome.get()) }
        }
        try lock.execute("COMMIT")
        let applied = try await fixture.submit(.complete(wallet.id, transfer))
        guard case .applied = applied else { throw Unexpected(applied) }
        try await fixture.stop()
    }

    /// What waits behind a batch that hangs is refused in time, and not as if there were too much of it.
    @Test func whatWaitsBehindAHangingBatchIsRefusedInTime() async throws {
        var bounds = Self.boundsOfOneLane()
        bounds.queueTimeout = .milliseconds(300)
        let fixture = try LedgerFixture(bounds: bounds)
        let (locked, other) = try await (fixture.open(), fixture.open())
        let lock = try fixture.database.connect()
        try lock.execute("BEGIN; SELECT FROM ledger.wallets WHERE id = '\(locked.id)' FOR UPDATE")
        async let hanging = fixture.submit(.transfer(locked.id, .debit, 1, id: fixture.newTransferID()))
        try await eventually("the lane to wait") { try fixture.isWaitingForLock }
        await #expect(throws: LedgerStoreError.unavailable) {
            try await fixture.submit(.transfer(other.id, .debit, 1, id: fixture.newTransferID()))
        }
        #expect(try fixture.isWaitingForLock)
        #expect(fixture.queueDepth == 0)
        try lock.execute("COMMIT")
        let applied = try await hanging
        guard case .applied = applied else { throw Unexpected(applied) }
        try await fixture.stop()
    }

    /// A refused credit leaves nothing in the wallet it was for, where its id may name another transfer later.
    @Test func anotherTransferUnderTheIdOfARefusedOneIsNotItsOtherSide() async throws {
        let fixture = try LedgerFixture()
        let (payer, payee, third) = try await (fixture.open(10), fixture.open(1000), fixture.open())
        let id = fixture.newTransferID()
        let refused = try await fixture.submit(
            .between(payer.id, payee.id, 500, id: id, key: IdempotencyKey("too-much")))
        guard case .refused(.insufficientFunds, recorded: true) = refused else { throw Unexpected(refused) }
        let other = try await fixture.submit(.between(payee.id, third.id, 5, id: id))
        guard case .applied = other else { throw Unexpected(other) }
        let verdict = try await fixture.submit(.complete(payer.id, id))
        guard case .refused(.transferNotPending(let standing), recorded: false) = verdict else {
            throw Unexpected(verdict)
        }
        #expect(standing.transfer?.status == .failed)
        let completed = try await fixture.submit(.complete(payee.id, id))
        guard case .applied = completed else { throw Unexpected(completed) }
        #expect(try fixture.stored(third.id).wallet.balance == 5)
        try await fixture.stop()
    }

    /// What somebody else creates first can be read by whoever repeats the request.
    @Test func aRowThatStaysInTheWayIsNoInconsistency() async throws {
        let fixture = try LedgerFixture()
        let wallet = try await fixture.open(1000)
        let connection = try fixture.database.connect()
        try connection.execute("CREATE UNIQUE INDEX poison ON ledger.journal (wallet_id)")
        await #expect(throws: LedgerStoreError.unavailable) {
            try await fixture.submit(.transfer(wallet.id, .debit, 1, id: fixture.newTransferID(), hasClientID: false))
        }
        try await fixture.stop()
    }
}

extension LedgerFixture {
    /// How many operations wait in the queues.
    var queueDepth: Int { counter("wallet_queue_depth") }

    /// The value of a counter or gauge without labels; -1 when there is none.
    func counter(_ name: String) -> Int {
        for line in metrics.text().split(separator: "\n") where line.hasPrefix(name + " ") {
            return Int(Double(line.dropFirst(name.utf8.count + 1)) ?? -1)
        }
        return -1
    }

    /// Whether a transaction waits for a lock that another one holds.
    var isWaitingForLock: Bool {
        get throws {
            try number(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """) > 0
        }
    }
}
