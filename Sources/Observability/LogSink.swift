import Glibc
import Runtime
import Synchronization

/// Where log lines go. Writes each line with one write(2) and never waits long: when a reader does not empty its
/// pipe, lines are dropped and their number is logged once it reads again.
public final class LogSink: Sendable {
    private enum Target: Sendable {
        case descriptor(Int32)
        case closure(@Sendable ([UInt8]) -> Void)
        case nothing
    }

    private struct State: Sendable {
        var dropped = 0
    }

    /// How long a line may wait for a full pipe, in milliseconds. While lines are being dropped the wait is zero.
    private static let patience: Int32 = 50

    private let target: Target
    /// Pipes, sockets and terminals can be full; files cannot.
    private let canBeFull: Bool
    private let state = Mutex(State())
    private let total = Atomic<Int>(0)

    /// Whether the destination is a terminal.
    public let isTerminal: Bool

    /// Standard error.
    public static let standardError = LogSink(descriptor: 2)
    /// Standard output.
    public static let standardOutput = LogSink(descriptor: 1)
    /// Nowhere.
    public static let discarding = LogSink(.nothing, canBeFull: false, isTerminal: false)

    /// Writes to an open file descriptor, which stays the caller's.
    public convenience init(descriptor: Int32) {
        var status = stat()
        let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        self.init(.descriptor(descriptor), canBeFull: !isFile, isTerminal: isatty(descriptor) == 1)
    }

    /// Hands each line, with its newline, to a closure; for tests.
    public convenience init(_ receive: @escaping @Sendable ([UInt8]) -> Void) {
        self.init(.closure(receive), canBeFull: false, isTerminal: false)
    }

    private init(_ target: Target, canBeFull: Bool, isTerminal: Bool) {
        self.target = target
        self.canBeFull = canBeFull
        self.isTerminal = isTerminal
    }

    /// How many lines were dropped because nobody read them; for a metric.
    public var droppedLines: Int { total.load(ordering: .relaxed) }

    var isDiscarding: Bool {
        if case .nothing = target { return true }
        return false
    }

    func write(_ line: [UInt8]) {
        switch target {
        case .nothing: return
        case .closure(let receive): state.withLock { _ in receive(line) }
        case .descriptor(let descriptor):
            state.withLock { state in
                guard send(line, to: descriptor, patience: state.dropped == 0 ? Self.patience : 0) else {
                    state.dropped += 1
                    total.add(1, ordering: .relaxed)
                    return
                }
                guard state.dropped > 0 else { return }
                let notice = LogLine.json(
                    time: Clock.system.wallMicroseconds(), level: .warning, message: "log lines were dropped",
                    fields: ["dropped": .int(state.dropped)])
                if send(notice, to: descriptor, patience: 0) { state.dropped = 0 }
            }
        }
    }

    private func send(_ line: [UInt8], to descriptor: Int32, patience: Int32) -> Bool {
        line.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                // A pipe that polls as writable takes this much without blocking.
                let chunk = canBeFull ? min(bytes.count - offset, Int(PIPE_BUF)) : bytes.count - offset
                if canBeFull, !isWritable(descriptor, offset == 0 ? patience : Self.patience) { return false }
                let count = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: offset), chunk)
                if count > 0 {
                    offset += count
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }

    private func isWritable(_ descriptor: Int32, _ patience: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&request, 1, patience) == 1
    }
}
