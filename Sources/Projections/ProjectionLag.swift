import Ledger
import Observability
import Runtime
import Synchronization

/// How far the projections are behind the ledger.
public struct ProjectionLag: Hashable, Sendable {
    /// Messages of the stream that no projector has acknowledged yet.
    public let messages: Int
    /// Their events; estimated from the messages seen so far.
    public let events: Int
    /// The greatest age of an event that may not be applied yet, be it in the stream or before it; 0 when all are.
    public let seconds: Double
}

/// Keeps the projections' lag up to date: what the consumer still has to deliver, how old the newest applied event is,
/// and for how long events wait on their way into the stream.
final class LagGauge: Sendable {
    private struct State {
        var lag: ProjectionLag?
        /// Monotonic nanoseconds of the last look that found nothing left to do, or of the start.
        var caughtUpAt: UInt64
        /// Wall clock microseconds of the newest applied event.
        var newestApplied: Int64?
        var eventsPerMessage = 1.0
    }

    private let clock: Clock
    private let unpublishedSeconds: @Sendable () -> Double
    private let state: Mutex<State>
    private let messages: Gauge
    private let events: Gauge
    private let seconds: Gauge

    /// `unpublishedSeconds` tells for how long the oldest event has waited that is not in the stream.
    init(clock: Clock, _ registry: MetricsRegistry, unpublishedSeconds: @escaping @Sendable () -> Double) {
        self.clock = clock
        self.unpublishedSeconds = unpublishedSeconds
        state = Mutex(State(caughtUpAt: clock.monotonicNanoseconds()))
        messages = registry.gauge(
            "wallet_projection_lag_messages", "Messages that no projector has acknowledged yet.")
        events = registry.gauge(
            "wallet_projection_lag_events",
            "Events that are not projected yet; estimated from the messages seen so far.")
        seconds = registry.gauge(
            "wallet_projection_lag_seconds",
            "Greatest age of an event that may not be projected yet, also of those that wait in the outbox; 0 when all "
                + "are projected.")
    }

    /// The lag at the last look; nil until the consumer was seen.
    var current: ProjectionLag? { state.withLock { $0.lag } }

    /// Takes in what was applied.
    func applied(messages: Int, events: Int, newest: Timestamp?) {
        state.withLock { state in
            if messages > 0, events > 0 {
                let share = Double(events) / Double(messages)
                state.eventsPerMessage += (share - state.eventsPerMessage) * 0.2
            }
            if let newest { state.newestApplied = max(newest.microseconds, state.newestApplied ?? .min) }
        }
    }

    /// Takes in how many messages the consumer has left; nil when it cannot be asked. Then there may be some, and what
    /// is known of them only gets older.
    func looked(left: Int?) {
        let now = clock.monotonicNanoseconds()
        let wall = clock.wallMicroseconds()
        let unpublished = unpublishedSeconds()
        let lag = state.withLock { state in
            var age = 0.0
            if left == 0 {
                state.caughtUpAt = now
            } else {
                // Whatever is applied by others counts too: nothing is older than the last time all was applied.
                age = Double(now - state.caughtUpAt) / 1e9
                if let newest = state.newestApplied { age = min(age, max(0, Double(wall - newest) / 1e6)) }
            }
            let messages = left ?? state.lag?.messages ?? 0
            let lag = ProjectionLag(
                messages: messages, events: Int((Double(messages) * state.eventsPerMessage).rounded(.up)),
                seconds: max(age, unpublished))
            if left != nil || state.lag != nil { state.lag = lag }
            return lag
        }
        messages.set(lag.messages)
        events.set(lag.events)
        seconds.set(lag.seconds)
    }
}
