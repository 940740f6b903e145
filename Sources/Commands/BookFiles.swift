import Glibc

/// A file could not be opened, read or written.
struct FileFailure: Error, CustomStringConvertible {
    let description: String

    /// Says what was tried with `path`, and why it failed: by default the reason that `errno` gives.
    init(_ what: String, _ path: String, _ reason: String = String(cString: strerror(errno))) {
        description = "cannot \(what) \(path): \(reason)"
    }
}

/// Where an export goes: standard output, or a file that has its name only once it is complete.
final class OutputFile: Sendable {
    /// What messages call standard output.
    static let standardOutput = "standard output"

    private let path: String?
    /// The name until then.
    private let partial: String
    private let descriptor: Int32

    /// Opens a file beside `path` that only its owner can read; nil is standard output. Throws `FileFailure`, also when
    /// anything but a regular file stands at `path`, which the finished file would take the place of.
    init(path: String?) throws(FileFailure) {
        var status = stat()
        if let path, lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw FileFailure(
                "write", path, "it is there and no regular file; without --output the book goes to standard output")
        }
        self.path = path
        partial = path.map { "\($0).\(getpid()).part" } ?? Self.standardOutput
        descriptor = path == nil ? STDOUT_FILENO : open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileFailure("write", partial) }
    }

    /// Writes all of `bytes`. Throws `FileFailure`.
    func write(_ bytes: [UInt8]) throws(FileFailure) { try Self.write(bytes, to: descriptor, called: partial) }

    /// Writes all of `bytes` to an open file. Throws `FileFailure` with the name that it is called by.
    static func write(_ bytes: [UInt8], to descriptor: Int32, called name: String) throws(FileFailure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                let rest = UnsafeRawBufferPointer(rebasing: all[written...])
                return Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFailure("write", name)
            }
            written += count
        }
    }

    /// Makes the file durable and gives it its name. Throws `FileFailure`.
    func finish() throws(FileFailure) {
        guard let path else { return }
        guard fsync(descriptor) == 0 else { throw FileFailure("write", partial) }
        guard rename(partial, path) == 0 else { throw FileFailure("write", path) }
        let folder = open(Self.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw FileFailure("write", path) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw FileFailure("write", path) }
        close(descriptor)
    }

    /// Removes what was written of the file.
    func abandon() {
        guard path != nil else { return }
        close(descriptor)
        unlink(partial)
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.utf8.startIndex ? "/" : String(path[..<slash])
    }
}

/// Where an import comes from: a file or standard input.
final class InputFile: Sendable {
    private static let piece = 1 << 18

    private let path: String
    private let descriptor: Int32

    /// Opens `path`; "-" is standard input. Throws `FileFailure`.
    init(path: String) throws(FileFailure) {
        self.path = path == "-" ? "standard input" : path
        descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure("read", path) }
    }

    deinit { if descriptor != STDIN_FILENO { close(descriptor) } }

    /// The next bytes; nil at the end. Throws `FileFailure`.
    func read() throws(FileFailure) -> [UInt8]? {
        while true {
            var result = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: Self.piece) { buffer, count in
                result = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                count = max(result, 0)
            }
            if result > 0 { return bytes }
            if result == 0 { return nil }
            guard errno == EINTR else { throw FileFailure("read", path) }
        }
    }
}
