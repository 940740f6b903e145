import Events
import Ledger
import Observability
import Postgres
import Runtime
import Synchronization

/// Decides and commits batches on one connection, and answers each operation exactly once, after the commit.
///
/// A failed transaction has changed nothing: it is tried again, then split in halves until the operation that spoils it
/// stands alone. A commit whose answer was lost is looked up before anybody is told anything.
struct BatchCommitter {
    private enum Attempt {
        case done
        /// Nothing was applied; the same batch may succeed now.
        case again(any Error)
        /// Nothing was applied; an operation of the batch is to blame.
        case spoiled(any Error)
        /// Nothing was applied; somebody has locked a row of the batch for longer than may be waited for.
        case blocked(any Error)
        /// Nothing was applied; the database is away.
        case away(any Error)
        /// Nobody knows.
        case unknown(any Error)
        /// Nothing was applied, because somebody else changed what the lane remembered.
        case stale
    }

    /// The last batch with everything it was made of, which takes time to be taken apart, too.
    private struct Owed {
        let batch: ArraySlice<PendingWork>
        let deciding: BatchDeciding
        let answers: [BatchDeciding.Ready]
    }

    private static let attemptsMax = 4
    /// Microseconds after a commit was sent during which its outbox row must still be there: the shortest retention
    /// that can be configured is 60 s, and the clocks differ by some seconds at most.
    private static let lookUpTrust: Int64 = 45_000_000

    private let session: LaneSession
    private let configuration: LedgerWriterConfiguration
    private let clock: Clock
    private let logger: Logger
    private let metrics: WriterMetrics
    private let identifiers = UUIDv7Generator()
    /// Never raised: waiting for it is a pause.
    private let pause = StopSignal()
    private var backoff = Backoff(base: .milliseconds(50), maximum: .seconds(2))
    private var nextConnect: UInt64 = 0
    private var wasConnected = false
    private let standing: LaneStanding
    private var memory: LaneMemory
    private var held = HeldWallets()
    /// What is durable but not answered yet.
    private var owed: Owed?

    init(
        session: LaneSession, configuration: LedgerWriterConfiguration, clock: Clock, logger: Logger,
        metrics: WriterMetrics, standing: LaneStanding
    ) {
        self.standing = standing
        memory = LaneMemory(capacity: configuration.memory)
        self.session = session
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        self.metrics = metrics
    }

    /// Makes sure of a connection; false when the database is away. Between attempts there is a growing pause,
    /// during which the answer is no at once.
    mutating func connect() -> Bool {
        if session.connection.isHealthy { return true }
        guard clock.monotonicNanoseconds() >= nextConnect else { return false }
        do {
            try session.connect(now: clock.wallMicroseconds, skewMax: configuration.clockSkewMax)
            backoff.reset()
            memory.removeAll()
            if wasConnected {
                metrics.reconnects.increment()
                logger.info("writer lane reconnected")
            }
            wasConnected = true
            standing.failure = nil
            return true
        } catch {
            standing.failure = "\(error)"
            let pause = backoff.next()
            nextConnect = clock.monotonicNanoseconds() + UInt64(clamping: pause.wholeNanoseconds)
            logger.error("writer lane cannot reach the database", ["error": .describing(error)])
            return false
        }
    }

    /// Commits the operations. Their answers are given by the next call, while the database is at work on the next
    /// batch, or by `giveAnswers`: a lane with more to do puts the next batch on its way first.
    mutating func commit(_ batch: ArraySlice<PendingWork>) {
        // One deadline for all attempts and halves: whoever waits behind this batch must not wait for ever.
        let patience = UInt64(clamping: configuration.queueTimeout.wholeNanoseconds)
        commit(batch, giveUpAt: clock.monotonicNanoseconds() + patience)
    }

    private mutating func commit(_ batch: ArraySlice<PendingWork>, giveUpAt: UInt64) {
        let batch = withoutHeld(batch, looking: false)
        guard !batch.isEmpty else { return }
        var failure: Attempt = .done
        for number in 1...Self.attemptsMax {
            failure = attempt(batch)
            switch failure {
            case .done:
                return
            case .again(let error):
                metrics.retries.increment()
                logger.warning(
                    "batch is tried again",
                    ["attempt": .int(number), "operations": .int(Self.count(batch)), "error": .describing(error)])
                if clock.monotonicNanoseconds() < giveUpAt { continue }
            case .blocked:
                let rest = withoutHeld(batch, looking: true)
                // Where it is no wallet that is locked, the halves tell who needs it.
                if rest.count < batch.count { return commit(rest, giveUpAt: giveUpAt) }
            case .spoiled, .away, .unknown, .stale:
                break
            }
            break
        }
        giveUp(batch, failure, giveUpAt)
    }

    /// Refuses the work that needs a row which somebody keeps locked, and returns the rest. With `looking`, such rows
    /// are looked for first.
    private mutating func withoutHeld(_ batch: ArraySlice<PendingWork>, looking: Bool) -> ArraySlice<PendingWork> {
        guard looking || !held.isEmpty else { return batch }
        giveAnswers()
        do {
            if looking { try held.find(batch, session) }
            let (free, refused) = try held.part(batch, session)
            if !refused.isEmpty {
                logger.error(
                    "operations refused, as another session keeps their wallets locked",
                    ["operations": .int(Self.count(refused))])
                fail(refused, .unavailable)
            }
            return free
        } catch {
            logger.warning("looking for locked wallets failed", ["error": .describing(error)])
            return batch
        }
    }

    private mutating func giveUp(_ batch: ArraySlice<PendingWork>, _ failure: Attempt, _ giveUpAt: UInt64) {
        switch failure {
        case .done, .stale:
            return
        case .away(let error):
            logger.error("batch refused", ["operations": .int(Self.count(batch)), "error": .describing(error)])
            fail(batch, .unavailable)
        case .unknown(let error):
            metrics.unknownOutcomes.increment(by: Self.count(batch))
            logger.error("outcome unknown", ["operations": .int(Self.count(batch)), "error": .describing(error)])
            fail(batch, .outcomeUnknown)
        case .again(let error), .blocked(let error), .spoiled(let error):
            let isPassing = (error as? PostgresError)?.isTransient ?? false
            // A full disk or a server that stops is nobody's fault: halves would fare no better. A lock that somebody
            // holds is one wallet's trouble, a row that was created twice one operation's.
            let isShared = isPassing && !Self.concernsOneWallet(error)
            if batch.count > 1, !isShared, clock.monotonicNanoseconds() < giveUpAt {
                metrics.splits.increment()
                logger.warning("batch is split", ["operations": .int(Self.count(batch)), "error": .describing(error)])
                let middle = batch.startIndex + batch.count / 2
                commit(batch[..<middle], giveUpAt: giveUpAt)
                commit(batch[middle...], giveUpAt: giveUpAt)
                return
            }
            logger.error(
                "batch refused by the database", ["operations": .int(Self.count(batch)), "error": .describing(error)])
            // Under locks nobody changed anything meanwhile: then a row does not fit the journal.
            let isHarmed = batch.count == 1 && (error as? PostgresError)?.sqlState == .serializationFailure
            let isRepeatable = !isHarmed && (isPassing || batch.count > 1 || Self.isCollision(error))
            fail(batch, isRepeatable ? .unavailable : .inconsistent("\(error)"))
        }
    }

    /// Gives the answers that are still owed.
    mutating func giveAnswers() {
        guard let last = owed.take() else { return }
        for answer in last.answers { answer.give() }
    }

    private func fail(_ batch: ArraySlice<PendingWork>, _ error: LedgerStoreError) {
        for work in batch { work.fail(error) }
    }

    private static func count(_ batch: ArraySlice<PendingWork>) -> Int { batch.reduce(0) { $0 + $1.count } }

    private mutating func attempt(_ batch: ArraySlice<PendingWork>) -> Attempt {
        if !session.connection.isHealthy { giveAnswers() }
        guard connect() else { return .away(PostgresAway()) }
        let began = clock.monotonicNanoseconds()
        let needs = BatchNeeds(batch)
        var outcome = memory.isTrusted() ? attempt(batch, needs, trusting: true, began: began) : .stale
        if case .stale = outcome { outcome = attempt(batch, needs, trusting: false, began: began) }
        return outcome
    }

    /// Decides either on what is remembered and read without locks, which has to be confirmed by the commit, or on what
    /// is read under locks.
    private mutating func attempt(
        _ batch: ArraySlice<PendingWork>, _ needs: BatchNeeds, trusting: Bool, began: UInt64
    ) -> Attempt {
        do {
            var (deciding, answers) = trusting ? try recall(batch, needs) : try lock(batch, needs)
            let isConditional = trusting && deciding.hasRefusals
            let rows = isConditional ? deciding.book.rows.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } : []
            if !deciding.writes.isEmpty {
                if let failure = try finish(&deciding, expected: trusting ? rows : nil) { return failure }
            } else if !trusting {
                session.connection.rollback()
            } else if !rows.isEmpty {
                try session.confirm(rows)
            }
            if trusting { memory.wasRight() }
            record(batch, began: began)
            giveAnswers()
            owed = Owed(batch: batch, deciding: deciding, answers: answers)
            return .done
        } catch {
            guard trusting, Self.isStale(error) else { return classify(error) }
            session.connection.rollback()
            metrics.conflicts.increment()
            // A key or an id that somebody has used already is no sign that the memory is out of date. The wallets of
            // the batch were forgotten all the same, as of every batch that failed.
            if !Self.isCollision(error) { memory.wasWrong(about: needs.wallets) }
            return .stale
        }
    }

    /// Reads what is not remembered, and decides.
    private mutating func recall(
        _ batch: ArraySlice<PendingWork>, _ needs: BatchNeeds
    ) throws -> (BatchDeciding, [BatchDeciding.Ready]) {
        var deciding = newDeciding(needs)
        let lacking = memory.fill(&deciding.book, for: needs)
        if lacking == nil {
            let answers = deciding.decide(batch)
            // New keys and ids need no reading, but whoever is refused or has been answered before has to be looked up.
            if deciding.allApplied { return (deciding, answers) }
            deciding = newDeciding(needs)
            _ = memory.fill(&deciding.book, for: needs)
        }
        giveAnswers()
        try session.load(lacking ?? needs.withoutNamed, locking: false, into: &deciding.book)
        let answers = deciding.decide(batch)
        return (deciding, answers)
    }

    /// Locks the wallets, reads everything, and decides.
    private mutating func lock(
        _ batch: ArraySlice<PendingWork>, _ needs: BatchNeeds
    ) throws -> (BatchDeciding, [BatchDeciding.Ready]) {
        giveAnswers()
        var deciding = newDeciding(needs)
        try session.load(needs, locking: true, into: &deciding.book)
        let answers = deciding.decide(batch)
        return (deciding, answers)
    }

    private func newDeciding(_ needs: BatchNeeds) -> BatchDeciding {
        BatchDeciding(
            needs,
            events: EventMessages(
                partitions: configuration.eventPartitions, eventsPerMessage: configuration.eventsPerMessage,
                tellsBalances: configuration.tellsBalances),
            clock: clock)
    }

    private func record(_ batch: ArraySlice<PendingWork>, began: UInt64) {
        metrics.batchSize.observe(count: Self.count(batch))
        metrics.commitSeconds.observe(nanoseconds: Int(clock.monotonicNanoseconds() - began))
    }

    /// Writes and commits; nil when that is durable.
    private mutating func finish(
        _ deciding: inout BatchDeciding, expected: [(WalletID, StoredRow)]?
    ) throws -> Attempt? {
        deciding.writes.settle(deciding.book)
        let batchID = identifiers.next()
        let sent = clock.wallMicroseconds()
        var version: RowVersion?
        do {
            let xid = try session.commit(&deciding.writes, batchID: batchID, expected: expected) { writes in
                giveAnswers()
                version = memory.learn(writes)
            }
            if let version { memory.confirm(version, xid: xid) }
            return nil
        } catch {
            // They may be owed still, and looking up takes its time.
            giveAnswers()
            memory.forget(deciding.writes)
            guard let error = error as? PostgresError, error.mayHaveCommitted else { throw error }
            metrics.lookups.increment()
            logger.warning("connection lost around a commit", ["error": .describing(error)])
            return lookUp(batchID, sent: sent, because: error)
        }
    }

    /// Finds out what became of a commit whose answer was lost; nil when it is durable.
    private mutating func lookUp(_ batchID: RawUUID, sent: Int64, because error: any Error) -> Attempt? {
        let deadline = clock.monotonicNanoseconds() + UInt64(clamping: configuration.lookUpTimeout.wholeNanoseconds)
        nextConnect = 0
        backoff.reset()
        while clock.monotonicNanoseconds() < deadline {
            if connect() {
                do {
                    guard let committed = try session.wasCommitted(batchID, until: sent + Self.lookUpTrust) else {
                        break
                    }
                    logger.info("outcome of the commit found", ["committed": .bool(committed)])
                    return committed ? nil : .again(error)
                } catch {
                    logger.warning("looking up a commit failed", ["error": .describing(error)])
                }
            }
            pause.wait(for: .milliseconds(20))
        }
        return .unknown(error)
    }

    private mutating func classify(_ error: any Error) -> Attempt {
        session.connection.rollback()
        guard let error = error as? PostgresError else {
            return Self.isCollision(error) ? .again(error) : .spoiled(error)
        }
        if error.isConnectionLost {
            // Nothing was committed, so a fresh connection may do it: the server may just have been restarted.
            nextConnect = 0
            return .again(error)
        }
        if error.sqlState == .featureNotSupported || error.sqlState == .readOnlyTransaction {
            // The server became a standby under this connection: another one may lead to the new primary.
            session.connection.close()
            nextConnect = 0
            return .away(error)
        }
        if error.sqlState == .lockNotAvailable { return .blocked(error) }
        if error.sqlState == .serializationFailure { return .spoiled(error) }
        // Somebody else created the same wallet or key in the meantime: now it can be read.
        if Self.isCollision(error) || error.isTransient { return .again(error) }
        return .spoiled(error)
    }

    /// Whether somebody else was faster. Whoever repeats the request reads what that one wrote.
    private static func isCollision(_ error: any Error) -> Bool {
        error is AppearedMeanwhile || (error as? PostgresError)?.sqlState == .uniqueViolation
    }

    /// Whether somebody else changed what was decided on.
    private static func isStale(_ error: any Error) -> Bool {
        isCollision(error) || error is ChangedMeanwhile
            || (error as? PostgresError)?.sqlState == .serializationFailure
    }

    private static func concernsOneWallet(_ error: any Error) -> Bool {
        guard let state = (error as? PostgresError)?.sqlState else { return false }
        return state == .lockNotAvailable || state == .uniqueViolation || state == .serializationFailure
    }
}

/// Whether a lane reaches its database, for whoever asks from another thread.
final class LaneStanding: Sendable {
    private let state = Mutex<String?>("not connected yet")

    /// Why the last attempt to connect failed; nil after one that did not.
    var failure: String? {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

/// The database could not be reached.
private struct PostgresAway: Error, CustomStringConvertible {
    var description: String { "the database is away" }
}
