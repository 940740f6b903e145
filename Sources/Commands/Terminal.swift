import Glibc
import Synchronization

/// Standard output and standard error.
enum Terminal {
    /// What kept an answer from being written. The work goes on: what it does counts more than what it says.
    private static let firstFailure = Mutex<FileFailure?>(nil)

    /// Why the answers are not complete; nil when they are.
    static var failure: FileFailure? { firstFailure.withLock { $0 } }

    /// Writes an answer to standard output. When that fails, `failure` says why, and later answers are not written.
    static func write(_ text: String) {
        firstFailure.withLock { failure in
            guard failure == nil else { return }
            do throws(FileFailure) {
                try OutputFile.write(Array(text.utf8), to: STDOUT_FILENO, called: OutputFile.standardOutput)
            } catch {
                failure = error
            }
        }
    }

    /// Writes a complaint to standard error. There is nobody to tell when that fails.
    static func complain(_ text: String) {
        try? OutputFile.write(Array((text + "\n").utf8), to: STDERR_FILENO, called: "standard error")
    }

    /// Occupies the descriptors of standard input, output and error that the process was started without: as they are
    /// free, the next file or connection would get one, and answers would be written into it.
    static func reserveDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free one is this one. In the wrong direction, so that its use fails as it would have.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }
}
