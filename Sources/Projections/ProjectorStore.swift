import Events
import JSON
import Ledger
import Messaging
import Observability
import Postgres
import Runtime

/// The projector's way into the database: applies messages, holds on to them while the database is away, and puts
/// aside what can never be applied. Belongs to the projector's thread.
final class ProjectorStore {
    /// Something to be stored in one transaction with others.
    private enum Unit {
        case event(WalletEvent, message: Int, index: Int)
        case letter(DeadLetter)
    }

    /// How a transaction ended.
    private enum Attempt {
        case done
        /// Nothing was applied; the database is away, busy, or not as it must be.
        case away
        /// Nothing was applied; something in it is to blame.
        case spoiled(PostgresError)
    }

    /// When messages that were given back come again: soon to another projector when this one stops, and later when
    /// not even a dead letter can be kept.
    private static let handover = Duration.milliseconds(100)
    private static let redelivery = Duration.seconds(5)

    private let connection: PostgresConnection
    private let writer: ProjectionWriter
    private let logger: Logger
    private let metrics: ProjectorMetrics
    private let lag: LagGauge
    private let stopping: StopSignal
    private let onReachable: (Bool) -> Void
    private let onApplied: ([WalletEvent]) -> Void
    private var backoff = Backoff(base: .milliseconds(50), maximum: .seconds(2))
    private var wasConnected = false
    private var isFailing = false

    init(
        database: PostgresConfiguration, logger: Logger, metrics: ProjectorMetrics, lag: LagGauge,
        stopping: StopSignal, onReachable: @escaping (Bool) -> Void, onApplied: @escaping ([WalletEvent]) -> Void
    ) throws {
        connection = PostgresConnection(configuration: database.keepingToIndexes)
        writer = try ProjectionWriter(connection: connection)
        self.logger = logger
        self.metrics = metrics
        self.lag = lag
        self.stopping = stopping
        self.onReachable = onReachable
        self.onApplied = onApplied
    }

    func close() { connection.close() }

    /// Makes sure of a connection; false when the database is away.
    @discardableResult
    func connect() -> Bool {
        if connection.isHealthy { return true }
        do {
            try connection.connect()
            if wasConnected {
                metrics.reconnects.increment()
                logger.info("the projector reconnected to its database")
            }
            wasConnected = true
            onReachable(true)
            return true
        } catch {
            tellOnce(error)
            return false
        }
    }

    private func tellOnce(_ error: any Error) {
        onReachable(false)
        if !isFailing { logger.error("projections cannot be written, trying on", ["error": .describing(error)]) }
        isFailing = true
    }

    /// Stores the events of `messages`, in transactions of about `eventsPerTransaction`, and hands each transaction's
    /// messages to `acknowledge` after its commit. What was not stored when the projector stops is given back.
    func take(
        _ messages: [IncomingMessage], from stream: String, eventsPerTransaction: Int,
        acknowledge: ([IncomingMessage]) -> Void
    ) {
        var start = 0
        while start < messages.count {
            let began = Clock.system.monotonicNanoseconds()
            var units: [Unit] = []
            var end = start
            repeat {
                read(messages[end], number: end, stream: stream, into: &units)
                end += 1
            } while end < messages.count && units.count < eventsPerTransaction
            guard store(units[...], of: messages, from: start, stream: stream) else {
                let delay = stopping.isStopped ? Self.handover : Self.redelivery
                for message in messages[start...] { message.nak(delay: delay) }
                metrics.postponed.increment(by: messages.count - start)
                return
            }
            acknowledge(Array(messages[start..<end]))
            count(units, messages: end - start, began: began)
            start = end
        }
    }

    private func count(_ units: [Unit], messages: Int, began: UInt64) {
        var newest: Timestamp?
        var events = 0
        for case .event(let event, _, _) in units {
            events += 1
            newest = max(newest ?? event.wallet.updatedAt, event.wallet.updatedAt)
        }
        metrics.events.increment(by: events)
        metrics.batchEvents.observe(count: units.count)
        metrics.batchSeconds.observe(nanoseconds: Int(Clock.system.monotonicNanoseconds() - began))
        lag.applied(messages: messages, events: events, newest: newest)
    }

    private func read(_ message: IncomingMessage, number: Int, stream: String, into units: inout [Unit]) {
        for (index, element) in EventReading.elements(of: message.payload).enumerated() {
            switch element {
            case .event(let event):
                units.append(.event(event, message: number, index: index))
            case .skipped:
                metrics.skipped.increment()
            case .flawed(let flaw, let payload):
                units.append(
                    .letter(
                        letter(message, index: index, reason: flaw.description, payload: payload, stream: stream)))
            }
        }
    }

    private func letter(
        _ message: IncomingMessage, index: Int, reason: String, payload: [UInt8], stream: String
    ) -> DeadLetter {
        DeadLetter(
            stream: stream, sequence: message.streamSequence,
            storedAt: Timestamp(microseconds: message.storedAtMicroseconds), subject: message.subject, index: index,
            reason: reason, payload: payload)
    }

    /// Stores units, whatever it takes: waits for the database, and halves what the database refuses until the culprit
    /// stands alone and can be put aside. False when the projector was told to stop before all was stored.
    private func store(
        _ units: ArraySlice<Unit>, of messages: [IncomingMessage], from first: Int, stream: String
    ) -> Bool {
        guard !units.isEmpty else { return true }
        var extended = Clock.system.monotonicNanoseconds()
        while true {
            switch attempt(units) {
            case .done:
                return true
            case .away:
                if stopping.wait(for: backoff.next()) { return false }
                let now = Clock.system.monotonicNanoseconds()
                if now - extended > 5_000_000_000 {
                    // Still at it: nobody else needs to try the same.
                    for message in messages[first...] { message.inProgress() }
                    extended = now
                }
            case .spoiled(let error):
                guard units.count > 1 else {
                    guard let unit = units.first, let buried = bury(unit, error, messages, stream) else { return false }
                    return store([buried], of: messages, from: first, stream: stream)
                }
                metrics.splits.increment()
                let middle = units.startIndex + units.count / 2
                return store(units[..<middle], of: messages, from: first, stream: stream)
                    && store(units[middle...], of: messages, from: first, stream: stream)
            }
        }
    }

    /// The dead letter that takes the place of an event the database refuses; nil for a dead letter that it refuses.
    private func bury(_ unit: Unit, _ error: PostgresError, _ messages: [IncomingMessage], _ stream: String) -> Unit? {
        switch unit {
        case .event(let event, let number, let index):
            var writer = JSONWriter(capacity: 1024)
            writer.event(event)
            return .letter(
                letter(
                    messages[number], index: index, reason: "the database refuses it: \(error)",
                    payload: writer.bytes, stream: stream))
        case .letter(let letter):
            logger.error(
                "a dead letter cannot be kept", ["sequence": .int(Int(clamping: letter.sequence)), "error": "\(error)"])
            return nil
        }
    }

    /// Whether what was to be stored is to blame. Everything else says that the database cannot be used now: putting
    /// events aside for that would empty the stream into the dead letters.
    static func isPoison(_ error: PostgresError) -> Bool {
        guard error.kind == .server, let state = error.sqlState else { return false }
        return state.classCode == "22" || state.classCode == "23"
    }

    /// One transaction.
    private func attempt(_ units: ArraySlice<Unit>) -> Attempt {
        guard connect() else { return .away }
        var events: [WalletEvent] = []
        var letters: [DeadLetter] = []
        events.reserveCapacity(units.count)
        for unit in units {
            switch unit {
            case .event(let event, _, _): events.append(event)
            case .letter(let letter): letters.append(letter)
            }
        }
        let changes: ProjectionChanges
        do {
            changes = try writer.apply(events, deadLetters: letters)
        } catch let error as PostgresError where Self.isPoison(error) {
            connection.rollback()
            return .spoiled(error)
        } catch {
            connection.rollback()
            // A missing right, column or table is mended by a person, and statements have to be prepared anew then.
            if (error as? PostgresError)?.isTransient != true { connection.close() }
            tellOnce(error)
            return .away
        }
        if isFailing { logger.info("projections can be written again") }
        isFailing = false
        onReachable(true)
        backoff.reset()
        metrics.batches.increment()
        metrics.deadLetters.increment(by: changes.deadLetters.count)
        onApplied(events)
        for letter in changes.deadLetters {
            logger.error(
                "an event cannot be applied and was put aside",
                [
                    "stream": .string(letter.stream), "sequence": .int(Int(clamping: letter.sequence)),
                    "index": .int(letter.index), "reason": .string(letter.reason),
                ])
        }
        return .done
    }
}
