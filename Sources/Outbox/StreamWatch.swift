import Messaging
import Observability
import Postgres
import Runtime
import Synchronization

/// Keeps the stream and its consumer in being and notices when the stream has lost messages.
///
/// JetStream may lose what it acknowledged: a stream whose creation time changed, or whose last sequence is smaller
/// than one it gave out, has. Then everything published within the retention is sent again, under new message ids,
/// because the stream may still call the old ones duplicates.
///
/// New messages would hide a loss by raising the last sequence. So nothing is published between a new connection and
/// the look at the stream behind it, nor while a look is going on.
final class StreamWatch: Sendable {
    /// The permission to publish into the stream as it was seen last.
    struct Permit: Sendable {
        /// When the stream was created, as the server writes it.
        let created: String
        fileprivate let epoch: UInt64
    }

    private struct State {
        /// Counts lost connections.
        var epoch: UInt64 = 0
        /// When the stream in use was created; nil until it was looked at in this epoch.
        var created: String?
        var isPublishing = false
        var isLookWanted = false
        var isNudged = false
        /// The first sequence of the stream when it was last seen to lack messages that nobody had acknowledged.
        var goneBefore = (created: "", sequence: UInt64(0))
        /// Why the last look failed; nil after one that did not.
        var failure: String?
    }

    private let configuration: OutboxRelayConfiguration
    private let store: OutboxStore
    private let connection: NATSConnection
    private let admin: JetStreamAdmin
    private let logger: Logger
    private let metrics: RelayMetrics
    private let onLoss: @Sendable () -> Void
    private let state = Mutex(State())

    init(
        configuration: OutboxRelayConfiguration, store: OutboxStore, connection: NATSConnection, logger: Logger,
        metrics: RelayMetrics, onLoss: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        self.store = store
        self.connection = connection
        admin = JetStreamAdmin(connection: connection, logger: logger)
        self.logger = logger
        self.metrics = metrics
        self.onLoss = onLoss
    }

    /// Whether the stream is there and was compared with what is remembered of it since the last connect.
    var isStreamReady: Bool { state.withLock { $0.created != nil } }

    /// Why nothing can be published; nil while it can.
    var unreadiness: String? {
        state.withLock { $0.created == nil ? $0.failure ?? "the stream has not been looked at yet" : nil }
    }

    /// Permission to claim, publish and settle; nil while the stream has to be looked at first. Ends with
    /// `endPublishing()`.
    func beginPublishing() -> Permit? {
        state.withLock { state in
            guard let created = state.created, !state.isLookWanted else { return nil }
            state.isPublishing = true
            return Permit(created: created, epoch: state.epoch)
        }
    }

    /// Whether the connection has stood since the permission was given.
    func isValid(_ permit: Permit) -> Bool { state.withLock { $0.epoch == permit.epoch } }

    func endPublishing() { state.withLock { $0.isPublishing = false } }

    /// Something looked odd: look soon.
    func nudge() { state.withLock { $0.isNudged = true } }

    /// Looks at every connect and from time to time, until `stopping`.
    func run(until stopping: StopSignal) async {
        let observer = connection.observe { [weak self] event in
            self?.state.withLock { state in
                state.isNudged = true
                guard event == .disconnected || event == .closed else { return }
                state.epoch += 1
                state.created = nil
            }
        }
        defer { connection.removeObserver(observer) }
        var wasFailing = false
        var greetedEpoch: UInt64?
        while !stopping.isStopped {
            if connection.isConnected {
                let epoch = state.withLock { $0.epoch }
                if greetedEpoch != epoch {
                    _ = try? await admin.detached { $0.checkServerVersion() }
                    greetedEpoch = epoch
                }
                do {
                    try await look(until: stopping)
                    wasFailing = false
                } catch {
                    state.withLock { state in
                        state.created = nil
                        state.failure = "\(error)"
                    }
                    if !wasFailing { logger.error("the stream cannot be checked", ["error": .describing(error)]) }
                    wasFailing = true
                }
                state.withLock { $0.isLookWanted = false }
            }
            await pause(stopping, wasFailing || !isStreamReady)
        }
    }

    private func pause(_ stopping: StopSignal, _ isUrgent: Bool) async {
        var left = isUrgent ? .milliseconds(200) : configuration.watchInterval
        while left > .zero, !stopping.isStopped, !state.withLock({ $0.isNudged }) {
            await stopping.pause(for: min(left, .milliseconds(50)))
            left -= .milliseconds(50)
        }
        state.withLock { $0.isNudged = false }
    }

    /// Waits until nothing is on its way into the stream, and keeps it so.
    private func beginLook(until stopping: StopSignal) async -> UInt64 {
        state.withLock { $0.isLookWanted = true }
        while state.withLock({ $0.isPublishing }), !stopping.isStopped { await stopping.pause(for: .milliseconds(2)) }
        return state.withLock { $0.epoch }
    }

    private func look(until stopping: StopSignal) async throws {
        let epoch = await beginLook(until: stopping)
        if stopping.isStopped { return }
        var info: StreamInfo
        var rounds = 0
        repeat {
            guard rounds < Self.roundsMax else { throw UnsettledStream(name: configuration.stream.name) }
            rounds += 1
            // Read before the stream is asked: a sequence that another relay records meanwhile must not look like a
            // loss.
            let known = try await store.knownStream(configuration.stream.name)
            let (stream, consumer) = try await ensure()
            info = stream
            let last = Int64(clamping: info.lastSequence)
            if let known, known.created == info.created, known.lastSequence <= last {
                compare(stream, consumer)
                break
            }
            // Another relay may know more than was read here: then all is looked at anew.
            if try await remember(info, last, insteadOf: known, until: stopping) { break }
        } while true
        let created = info.created
        // What was seen over a connection that is gone by now says nothing about the stream behind the next one.
        state.withLock { state in
            guard state.epoch == epoch else { return }
            state.created = created
            state.failure = nil
        }
    }

    private static let roundsMax = 5

    /// The stream and its consumer, made or brought to their settings. They are made by one relay at a time: a server
    /// asked twice at once for the same consumer (2.9.10) makes one that never delivers anything.
    private func ensure() async throws -> (StreamInfo, ConsumerInfo) {
        let configuration = configuration
        let admin = admin
        let ensure: @Sendable () throws -> (StreamInfo, ConsumerInfo) = {
            let stream = try admin.ensureStream(configuration.stream)
            return (stream, try admin.ensureConsumer(configuration.consumer, on: configuration.stream.name))
        }
        let exists = try await admin.detached { admin in
            let (stream, consumer) = (configuration.stream.name, configuration.consumer.name)
            return try admin.consumerInfo(stream: stream, consumer: consumer) != nil
        }
        return try await exists ? admin.detached { _ in try ensure() } : store.exclusively(ensure)
    }

    /// Looks for messages that the stream gave up before the projections acknowledged them: an age limit that is too
    /// short, or a server's fault (2.9.10 removes the oldest message when a stream becomes exactly full).
    private func compare(_ stream: StreamInfo, _ consumer: ConsumerInfo) {
        guard stream.lastSequence > consumer.ackFloorSequence,
            stream.firstSequence > consumer.ackFloorSequence + 1
        else { return }
        let isNew = state.withLock { state in
            let isNew = state.goneBefore.created != stream.created || state.goneBefore.sequence < stream.firstSequence
            state.goneBefore = (stream.created, stream.firstSequence)
            return isNew
        }
        guard isNew else { return }
        metrics.unread.increment()
        logger.error(
            "the stream removed messages that were not acknowledged yet: the projections are compared with the ledger",
            [
                "stream": .string(stream.name), "first_sequence": .int(Int(clamping: stream.firstSequence)),
                "acknowledged": .int(Int(clamping: consumer.ackFloorSequence)),
            ])
        onLoss()
    }

    /// Takes note of a stream that is new here or has lost messages; what it may have lost is sent again first. False
    /// when something else than `known` is remembered by now.
    private func remember(
        _ info: StreamInfo, _ last: Int64, insteadOf known: (created: String, lastSequence: Int64)?,
        until stopping: StopSignal
    ) async throws -> Bool {
        let redriven = known == nil ? 0 : try await store.redrive(until: stopping)
        metrics.redriven.increment(by: redriven)
        let isFirst = try await store.replaceStream(
            info.name, created: info.created, lastSequence: last, known: known)
        guard isFirst, let known else { return isFirst }
        metrics.losses.increment()
        logger.error(
            "the stream lost messages: what was published is sent again",
            [
                "stream": .string(info.name), "rows": .int(redriven), "created": .string(info.created),
                "last_sequence": .int(Int(last)), "known_created": .string(known.created),
                "known_sequence": .int(Int(known.lastSequence)),
            ])
        onLoss()
        return true
    }
}

/// What is remembered of the stream changed each time it was compared.
private struct UnsettledStream: Error, CustomStringConvertible {
    let name: String
    var description: String { "what is known of the stream \(name) does not stand still" }
}
