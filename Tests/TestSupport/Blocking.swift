import Foundation
internal import Glibc

/// Runs blocking work on a thread of its own, so that the threads all tests share stay free.
///
/// - Parameter body: the work.
/// - Returns: what it returns.
public func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Result { try body() }) }
        thread.stackSize = 1 << 20
        thread.start()
    }
}

/// The pause between two attempts of a blocking client whose server is away.
public enum Attempts {
    /// Waits a few milliseconds.
    public static func pause() { usleep(15_000) }
}
