import Runtime
import Synchronization

/// How often events of users were refused. How often they were delivered does not tell: that grows in outages, too.
///
/// Kept in memory: that others count for themselves, or that the process starts anew, only makes it take longer until
/// an event is put aside.
final class RefusalCounts: Sendable {
    /// A stream made anew counts from 1 again, so the time at which it stored the message tells messages apart, too.
    struct Message: Hashable {
        let sequence: UInt64
        /// Microseconds since 1970.
        let storedAt: Int64
    }

    private struct Refusals {
        var byIndex: [Int: Int] = [:]
        /// Monotonic nanoseconds of the newest.
        var newest: UInt64
    }

    /// What was not refused for so long, another worker is done with.
    private static let memoryNanoseconds: UInt64 = 3_600_000_000_000

    private let messagesMax: Int
    private let clock: Clock
    private let messages = Mutex<[Message: Refusals]>([:])

    /// More messages than `messagesMax` are not counted; they come again until others are done with.
    init(messagesMax: Int = 10_000, clock: Clock = .system) {
        self.messagesMax = messagesMax
        self.clock = clock
    }

    /// Counts a refusal of an event of `message`; returns how often it was refused with this one.
    func add(_ message: Message, index: Int) -> Int {
        let now = clock.monotonicNanoseconds()
        return messages.withLock { messages in
            if messages[message] == nil, messages.count >= messagesMax {
                messages = messages.filter { now - $0.value.newest < Self.memoryNanoseconds }
                guard messages.count < messagesMax else { return 1 }
            }
            var refusals = messages[message] ?? Refusals(newest: now)
            refusals.newest = now
            let count = refusals.byIndex[index, default: 0] + 1
            refusals.byIndex[index] = count
            messages[message] = refusals
            return count
        }
    }

    /// Forgets a message that is done with.
    func forget(_ message: Message) {
        messages.withLock { _ = $0.removeValue(forKey: message) }
    }
}
