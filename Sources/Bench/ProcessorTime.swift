import Glibc

/// A process whose CPU time is measured, with all it started.
public struct WatchedProcess: Sendable, Equatable {
    /// What the report calls it.
    public let name: String
    /// Its process id.
    public let pid: Int32

    /// A process with its name.
    public init(name: String, pid: Int32) {
        self.name = name
        self.pid = pid
    }
}

/// What processes have used of the CPUs, from `/proc`.
enum ProcessorTime {
    /// A line of `/proc/PID/stat`.
    struct Record: Equatable {
        let parent: Int32
        /// User and system time of the process and of its children that have ended, in ticks.
        let ticks: Int64

        /// Nil when the text is no such line. The name in parentheses may hold anything.
        init?(stat text: String) {
            guard let end = text.lastIndex(of: ")") else { return nil }
            let fields = text[text.index(after: end)...].split(separator: " ")
            guard fields.count > 14, let parent = Int32(fields[1]) else { return nil }
            let times = fields[11...14].compactMap { Int64($0) }
            guard times.count == 4 else { return nil }
            self.parent = parent
            ticks = times.reduce(0, +)
        }

        init(parent: Int32, ticks: Int64) {
            self.parent = parent
            self.ticks = ticks
        }
    }

    /// The time of a process and of all its descendants, in microseconds; nil when it is not there.
    static func microseconds(of root: Int32, in records: [Int32: Record]) -> Int64? {
        guard records[root] != nil else { return nil }
        let children = Dictionary(grouping: records.keys) { records[$0]?.parent ?? 0 }
        var sum: Int64 = 0
        var open = [root]
        while let pid = open.popLast() {
            sum += records[pid]?.ticks ?? 0
            open += children[pid] ?? []
        }
        return sum * 1_000_000 / Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// All processes as they are now.
    static func records() -> [Int32: Record] {
        guard let folder = opendir("/proc") else { return [:] }
        defer { closedir(folder) }
        var records: [Int32: Record] = [:]
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let pid = Int32(name), let record = stat(of: pid) else { continue }
            records[pid] = record
        }
        return records
    }

    private static func stat(of pid: Int32) -> Record? {
        let file = open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 2048)
        let count = read(file, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return Record(stat: String(decoding: bytes[..<count], as: UTF8.self))
    }
}
