import Glibc
public import Ledger
import Synchronization

/// Makes version 7 UUIDs (RFC 9562): milliseconds since 1970, then 74 random bits. Each one is greater than all the
/// generator made before, also within a millisecond and when the clock is set back. Safe to share between threads.
public final class UUIDv7Generator: Sendable {
    private struct State: Sendable {
        var random = BufferedRandom()
        var milliseconds: UInt64 = 0
        /// The 74 bits behind the time.
        var tail: UInt128 = 0

        mutating func restart(at now: UInt64) {
            milliseconds = now
            // The top bit stays clear: room for 2^41 steps within the millisecond.
            tail = UInt128(random.next() & 0x1FF) << 64 | UInt128(random.next())
        }
    }

    private static let tailLimit = UInt128(1) << 74

    private let clock: Clock
    private let state = Mutex(State())

    /// Makes a generator that reads the time from `clock`.
    public init(clock: Clock = .system) {
        self.clock = clock
    }

    /// The next UUID.
    public func next() -> RawUUID { RawUUID(bits: nextBits()) }

    /// The next UUID as its 128 bits.
    public func nextBits() -> UInt128 {
        let now = UInt64(max(0, clock.wallMicroseconds() / 1000))
        return state.withLock { state in
            if now > state.milliseconds {
                state.restart(at: now)
            } else {
                // A random step keeps the next one hard to guess and still greater.
                state.tail += UInt128(state.random.next() >> 32) + 1
                if state.tail >= Self.tailLimit { state.restart(at: state.milliseconds + 1) }
            }
            let time = UInt128(state.milliseconds & 0xFFFF_FFFF_FFFF) << 80
            let high = (state.tail >> 62) << 64
            let low = state.tail & (UInt128(1) << 62 - 1)
            return time | UInt128(7) << 76 | high | UInt128(2) << 62 | low
        }
    }
}

/// The kernel's random bytes, fetched by the block. Not shared: keep it behind a lock.
struct BufferedRandom: RandomNumberGenerator, Sendable {
    /// As many as the kernel gives in one call (256 bytes).
    private static let block = 32

    private var numbers: [UInt64] = []

    mutating func next() -> UInt64 {
        if let number = numbers.popLast() { return number }
        numbers = [UInt64](repeating: 0, count: Self.block)
        let failed = numbers.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) }
        if failed == 0, let number = numbers.popLast() { return number }
        numbers = []
        var system = SystemRandomNumberGenerator()
        return system.next()
    }
}
