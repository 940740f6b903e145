import Ledger
import Messaging
import Observability
import Runtime
import Synchronization

/// How far the projections are behind the stream.
public struct ProjectionLag: Hashable, Sendable {
    /// Messages that no projector has acknowledged yet.
    public let messages: Int
    /// Their events; estimated from the messages seen so far.
    public let events: Int
    /// The age of what was applied last; 0 when everything is applied.
    public let seconds: Double
}

/// Keeps the projections' lag up to date: what the consumer still has to deliver, and how old the newest applied event
/// is.
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
    private let state: Mutex<State>
    private let messages: Gauge
    private let events: Gauge
    private let seconds: Gauge

    init(clock: Clock, _ registry: MetricsRegistry) {
        self.clock = clock
        state = Mutex(State(caughtUpAt: clock.monotonicNanoseconds()))
        messages = registry.gauge(
            "wallet_projection_lag_messages", "Messages that no projector has acknowledged yet.")
        events = registry.gauge(
            "wallet_projection_lag_events",
            "Events that are not projected yet; estimated from the messages seen so far.")
        seconds = registry.gauge(
            "wallet_projection_lag_seconds", "Age of the newest projected event; 0 when all are projected.")
    }

    /// The lag at the last look; nil before the first.
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

    /// Takes in what the consumer has left.
    func looked(_ info: ConsumerInfo) {
        let now = clock.monotonicNanoseconds()
        let wall = clock.wallMicroseconds()
        let left = Int(clamping: info.pending + info.ackPending)
        let lag = state.withLock { state in
            var age = 0.0
            if left == 0 {
                state.caughtUpAt = now
            } else {
                // Whatever is applied by others counts too: nothing is older than the last time all was applied.
                age = Double(now - state.caughtUpAt) / 1e9
                if let newest = state.newestApplied { age = min(age, max(0, Double(wall - newest) / 1e6)) }
            }
            let lag = ProjectionLag(
                messages: left, events: Int((Double(left) * state.eventsPerMessage).rounded(.up)), seconds: age)
            state.lag = lag
            return lag
        }
        messages.set(lag.messages)
        events.set(lag.events)
        seconds.set(lag.seconds)
    }
}
