import Glibc
import Synchronization

/// A thread of our own for work that blocks, outside Swift's cooperative pool.
public final class OwnedThread: Sendable {
    /// The system would not start a thread.
    public struct StartError: Error, CustomStringConvertible {
        /// The name the thread would have had.
        public let name: String
        /// The `errno` value of the refusal.
        public let code: Int32
        /// The reason as a sentence.
        public var description: String { "cannot start thread \(name): \(String(cString: strerror(code)))" }
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        let ended: StopSignal

        init(name: String, body: @escaping @Sendable () -> Void, ended: StopSignal) {
            self.name = name
            self.body = body
            self.ended = ended
        }
    }

    /// The name, of which the system shows the first 15 bytes.
    public let name: String
    private let ended = StopSignal()
    private let handle: pthread_t
    private let isReleased = Mutex(false)

    /// Starts a thread that runs `body` and ends.
    ///
    /// - Throws: `StartError` when the system refuses (limits on threads or memory).
    public init(name: String, body: @escaping @Sendable () -> Void) throws(StartError) {
        self.name = name
        let start = Unmanaged.passRetained(Start(name: name, body: body, ended: ended))
        var handle = pthread_t()
        let code = pthread_create(&handle, nil, { OwnedThread.main($0) }, start.toOpaque())
        self.handle = handle
        guard code == 0 else {
            start.release()
            isReleased.withLock { $0 = true }
            throw StartError(name: name, code: code)
        }
    }

    deinit {
        // Nobody will join any more: let the system clean up when the thread ends.
        if !isReleased.withLock({ $0 }) { pthread_detach(handle) }
    }

    /// Whether the body has returned.
    public var hasEnded: Bool { ended.isStopped }

    /// Blocks the calling thread until the body has returned. May be called by several threads, never by its own.
    public func join() {
        Self.block(on: ended)
        isReleased.withLock { released in
            guard !released else { return }
            released = true
            pthread_join(handle, nil)
        }
    }

    /// Suspends until the body has returned.
    public func waitUntilEnded() async { await ended.wait() }

    private static func block(on signal: StopSignal) { signal.wait(for: nil) }

    private static func main(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        showName(start.name)
        start.body()
        start.ended.stop()
        return nil
    }

    /// Names the calling thread for `ps` and debuggers. The C call for it is hidden from Swift; failing is harmless.
    private static func showName(_ name: String) {
        let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        let bytes = Array(name.utf8.prefix(15))
        _ = write(descriptor, bytes, bytes.count)
        close(descriptor)
    }
}

/// Runs blocking work on a thread of its own and suspends until it is done: the way a service runs a blocking loop.
/// Cancelling the task does not interrupt the work; give it a `StopSignal`.
///
/// - Throws: what `body` throws, or `OwnedThread.StartError`.
public func runOnOwnThread<Value: Sendable>(
    _ name: String, _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        do {
            _ = try OwnedThread(name: name) {
                continuation.resume(with: Result { try body() })
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}
