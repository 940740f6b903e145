import Glibc
import Synchronization

/// The writing end of the pipe that the signal handler writes to; -1 when nobody listens.
private let handlerPipe = Atomic<Int32>(-1)

/// Async-signal-safe: one atomic load and one write(2), with `errno` kept.
private func recordSignal(_ number: Int32) {
    let saved = errno
    let descriptor = handlerPipe.load(ordering: .relaxed)
    if descriptor >= 0 {
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(descriptor, &byte, 1)
    }
    errno = saved
}

/// Delivers the process's signals to a closure on a thread of its own. At most one listener at a time.
final class ProcessSignals: Sendable {
    private let pipe: (reading: Int32, writing: Int32)
    private let numbers: [Int32]
    private let thread: OwnedThread

    /// Nobody can listen: another listener is active, or the system refused the pipe or the thread.
    struct InstallError: Error, CustomStringConvertible {
        let description: String
    }

    /// Takes over the handling of `numbers` until `close()`.
    init(_ numbers: [Int32], onSignal: @escaping @Sendable (Int32) -> Void) throws {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else {
            throw InstallError(description: "no pipe for signals: \(String(cString: strerror(errno)))")
        }
        let (reading, writing) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // Only the writing end: a handler must never block, the thread should.
        _ = fcntl(writing, F_SETFL, O_NONBLOCK)
        let claimed = handlerPipe.compareExchange(expected: -1, desired: writing, ordering: .sequentiallyConsistent)
        guard claimed.exchanged else {
            Glibc.close(reading)
            Glibc.close(writing)
            throw InstallError(description: "signals are handled by another service group already")
        }
        do {
            thread = try OwnedThread(name: "signals") { Self.deliver(from: reading, to: onSignal) }
        } catch {
            handlerPipe.store(-1, ordering: .sequentiallyConsistent)
            Glibc.close(reading)
            Glibc.close(writing)
            throw error
        }
        pipe = (reading, writing)
        self.numbers = numbers
        for number in numbers {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = recordSignal
            action.sa_flags = SA_RESTART
            sigemptyset(&action.sa_mask)
            sigaction(number, &action, nil)
        }
    }

    /// Gives the signals back to the system's default handling and ends the thread.
    func close() {
        for number in numbers { signal(number, SIG_DFL) }
        handlerPipe.store(-1, ordering: .sequentiallyConsistent)
        var end: UInt8 = 0
        _ = write(pipe.writing, &end, 1)
        thread.join()
        Glibc.close(pipe.reading)
        // The writing end stays open: a handler that is running on another thread may be about to write to it.
    }

    private static func deliver(from descriptor: Int32, to onSignal: @Sendable (Int32) -> Void) {
        var byte: UInt8 = 0
        while true {
            let count = read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1, byte != 0 else { return }
            onSignal(Int32(byte))
        }
    }
}
