import Glibc
import Runtime
import Synchronization

extension MetricsRegistry {
    /// Adds what the system knows about this process: memory, CPU time, open files, uptime, and the build.
    ///
    /// - Parameter version: the build's version, shown as the label of `wallet_build_info`.
    public func addProcessMetrics(version: String) {
        let started = Clock.system.wallMicroseconds()
        let origin = Clock.system.monotonicNanoseconds()
        gauge("process_resident_memory_bytes", "Resident memory.") { ProcessReadings.residentBytes() ?? .nan }
        counter("process_cpu_seconds_total", "CPU time of the process, user and system.") {
            ProcessReadings.cpuSeconds()
        }
        gauge("process_open_fds", "Open file descriptors.") { ProcessReadings.openDescriptors() ?? .nan }
        gauge("process_max_fds", "The limit of open file descriptors.") { ProcessReadings.descriptorLimit() ?? .nan }
        gauge("process_threads", "Threads of the process.") { ProcessReadings.threads() ?? .nan }
        gauge("process_start_time_seconds", "When the process began to count, in seconds since 1970.")
            .set(Double(started) / 1e6)
        gauge("process_uptime_seconds", "Seconds since the process began to count.") {
            Double(Clock.system.monotonicNanoseconds() - origin) / 1e9
        }
        gauge("wallet_build_info", "1; the label is the version of the build.", labels: ["version": version]).set(1)
    }
}

/// Readings from /proc and the system calls for them.
enum ProcessReadings {
    static func residentBytes() -> Double? {
        guard let text = contents(of: "/proc/self/statm") else { return nil }
        let words = text.split(separator: " ")
        guard words.count > 1, let pages = Double(words[1]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    static func cpuSeconds() -> Double {
        var used = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)
        return Double(used.tv_sec) + Double(used.tv_nsec) / 1e9
    }

    static func openDescriptors() -> Double? { countEntries(of: "/proc/self/fd").map { $0 - 1 } }

    static func threads() -> Double? { countEntries(of: "/proc/self/task") }

    static func descriptorLimit() -> Double? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return Double(limit.rlim_cur)
    }

    private static func countEntries(of path: String) -> Double? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var count = 0.0
        while let entry = readdir(directory) {
            if entry.pointee.d_name.0 != 0x2E { count += 1 }
        }
        return count
    }

    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}
