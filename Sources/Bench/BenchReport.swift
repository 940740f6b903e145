import JSON

/// What a run of the load generator measured and found.
public struct BenchReport: Sendable {
    /// Latencies of one kind of operation in milliseconds, counted from the intended send time.
    public struct Latency: Sendable, Equatable {
        /// The kind: `create`, `post`, `complete`, `revert`, or `all`.
        public let kind: String
        /// Acknowledged operations that were meant to be sent in the measured time.
        public let count: Int
        /// Percentiles by name (`p50` ... `p99.9`, `max`), in ascending order.
        public let milliseconds: [(name: String, value: Double)]

        /// Compares all members.
        public static func == (left: Self, right: Self) -> Bool {
            left.kind == right.kind && left.count == right.count
                && left.milliseconds.elementsEqual(right.milliseconds, by: ==)
        }
    }

    /// The settings, with the seed that was used.
    public var options = BenchOptions()
    /// Seconds that were measured.
    public var seconds = 0.0
    /// Operations acknowledged in the measured time.
    public var accepted = 0
    /// Operations acknowledged since the start of the measurement and visible in the projections at its end.
    public var projected = 0
    /// Seconds from the start of the measurement until the projections had caught up, or the wait was given up.
    public var projectedSeconds = 0.0
    /// Whether the projections caught up with every acknowledged operation in time.
    public var caughtUp = false
    /// All kinds together, then each kind that occurred.
    public var latencies: [Latency] = []
    /// How late requests left in an open loop, milliseconds: median, 99th percentile and maximum.
    public var sendLag = (p50: 0.0, p99: 0.0, max: 0.0)
    /// Operations whose time came in an open loop and that never found a free connection.
    public var unsent = 0
    /// Answers since the start of the measurement by status, and by status and code where they carry one.
    public var answers: [(name: String, count: Int)] = []
    /// Requests of the whole run that got no answer, by cause.
    public var losses: [(name: String, count: Int)] = []
    /// Operations of the whole run whose outcome is unknown; the books may differ by them.
    public var uncertain = 0
    /// Connections that were established during the load.
    public var established = 0
    /// CPU time of the load generator for one operation, microseconds.
    public var cpuMicroseconds = 0.0
    /// CPU time of the watched processes for one accepted operation, microseconds.
    public var processorTimes: [(name: String, microseconds: Double)] = []
    /// CPU time of the chain of hashes for one entry, microseconds, and entries for one operation; nil when not
    /// measured.
    public var chain: (microseconds: Double, entries: Double)?
    /// Wallets whose books were compared; 0 without `check`.
    public var walletsChecked = 0
    /// Transfers that were looked up.
    public var transfersChecked = 0
    /// Everything that makes the run a failure, the first hundred in words.
    public var findings: [String] = []
    /// How many findings there were.
    public var findingCount = 0

    /// Makes an empty report.
    public init() {}

    /// Whether the books balance, the projections caught up and no answer was out of place.
    public var passed: Bool { findingCount == 0 }
    /// Acknowledged operations a second.
    public var acceptedPerSecond: Double { seconds > 0 ? Double(accepted) / seconds : 0 }
    /// Acknowledged and projected operations a second.
    public var projectedPerSecond: Double { projectedSeconds > 0 ? Double(projected) / projectedSeconds : 0 }

    /// What the chain of hashes is of the watched processes' CPU time for one operation, percent; nil when unknown.
    public var chainPercent: Double? {
        let sum = processorTimes.reduce(0) { $0 + $1.microseconds }
        guard let chain, sum > 0 else { return nil }
        return 100 * chain.microseconds * chain.entries / sum
    }

    mutating func find(_ text: String) {
        findingCount += 1
        if findings.count < 100 { findings.append(text) }
    }

    mutating func summarize(_ kind: String, _ histogram: LatencyHistogram) {
        let points: [(String, Double)] = [
            ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("max", 1),
        ]
        let values = points.map { (name: $0.0, value: Double(histogram.percentile($0.1)) / 1e6) }
        latencies.append(Latency(kind: kind, count: Int(histogram.count), milliseconds: values))
    }
}

extension BenchReport {
    /// The report for people.
    public var text: String {
        let load = options.rate > 0 ? "\(Self.short(options.rate))/s \(options.schedule.rawValue)" : "saturation"
        var lines = [
            "\(work), \(options.workload.rawValue), \(options.wallets) wallets, "
                + "\(options.connections) connections, \(load), \(options.keys ? "with" : "without") keys, "
                + "seed \(options.seed ?? 0)",
            "accepted   \(Self.short(acceptedPerSecond))/s (\(accepted) in \(Self.fixed(seconds, 2)) s)",
            "projected  \(Self.short(projectedPerSecond))/s (\(projected) in \(Self.fixed(projectedSeconds, 2)) s)"
                + (caughtUp ? "" : ", not caught up"),
            "",
        ]
        if let first = latencies.first {
            let names = first.milliseconds.map { Self.right($0.name, 10) }.joined()
            lines.append("\(Self.left("latency ms", 12))\(Self.right("count", 12))\(names)")
        }
        for latency in latencies {
            let values = latency.milliseconds.map { Self.right(Self.fixed($0.value, 2), 10) }.joined()
            lines.append("\(Self.left(latency.kind, 12))\(Self.right(String(latency.count), 12))\(values)")
        }
        lines.append("")
        if options.rate > 0 {
            lines.append(
                "send lag ms  p50 \(Self.fixed(sendLag.p50, 2))  p99 \(Self.fixed(sendLag.p99, 2))  "
                    + "max \(Self.fixed(sendLag.max, 2))  never sent \(unsent)")
        }
        lines.append("answers      " + Self.list(answers))
        if !losses.isEmpty { lines.append("lost         " + Self.list(losses) + ", uncertain outcomes \(uncertain)") }
        lines.append(
            "generator    \(Self.fixed(cpuMicroseconds, 1)) us CPU an operation, \(established) connections established"
        )
        if !processorTimes.isEmpty {
            let times = processorTimes.map { "\($0.name) \(Self.fixed($0.microseconds, 1))" }
            lines.append("CPU          \(times.joined(separator: ", ")) us an operation")
        }
        if let chain, let chainPercent {
            let percent = Self.fixed(chainPercent, 1)
            lines.append("hash chain   \(Self.fixed(chain.microseconds, 2)) us an entry, \(percent) % of that CPU")
        }
        if options.check {
            let verdict = passed ? "agree" : "DO NOT AGREE"
            lines.append("books        \(verdict): \(walletsChecked) wallets, \(transfersChecked) transfers compared")
        }
        if !passed {
            lines.append("")
            lines.append("\(findingCount) finding\(findingCount == 1 ? "" : "s"):")
            lines += findings.map { "  " + $0 }
        }
        return lines.joined(separator: "\n")
    }

    /// The kinds of operations and the way they are sent.
    private var work: String {
        var words = [options.mix.rawValue]
        if options.transfers { words.append("between wallets") }
        if options.batch > 0 { words.append("in \(options.isAtomic ? "atomic " : "")batches of \(options.batch)") }
        return words.joined(separator: " ")
    }

    /// The report as one JSON object.
    public var json: [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.object { writer in
            writer.member("passed", passed)
            writer.object("options") { writeOptions(to: &$0) }
            Self.member("seconds", seconds, to: &writer)
            writer.member("accepted", accepted)
            Self.member("accepted_per_second", acceptedPerSecond, to: &writer)
            writer.member("projected", projected)
            Self.member("projected_seconds", projectedSeconds, to: &writer)
            Self.member("projected_per_second", projectedPerSecond, to: &writer)
            writer.member("caught_up", caughtUp)
            writer.object("latency_ms") { writer in
                for latency in latencies {
                    writer.name(latency.kind)
                    writer.object { writer in
                        writer.member("count", latency.count)
                        for point in latency.milliseconds {
                            writer.name(point.name)
                            writer.number(text: Self.fixed(point.value, 3))
                        }
                    }
                }
            }
            writer.object("send_lag_ms") { writer in
                Self.member("p50", sendLag.p50, to: &writer)
                Self.member("p99", sendLag.p99, to: &writer)
                Self.member("max", sendLag.max, to: &writer)
            }
            writer.member("unsent", unsent)
            writer.object("answers") { Self.members(answers, to: &$0) }
            writer.object("losses") { Self.members(losses, to: &$0) }
            writer.member("uncertain", uncertain)
            writer.member("established", established)
            Self.member("generator_cpu_us_per_operation", cpuMicroseconds, to: &writer)
            writer.object("cpu_us_per_operation") { writer in
                for process in processorTimes {
                    writer.name(process.name)
                    writer.number(text: Self.fixed(process.microseconds, 3))
                }
            }
            if let chain, let chainPercent {
                writer.object("hash_chain") { writer in
                    Self.member("us_per_entry", chain.microseconds, to: &writer)
                    Self.member("entries_per_operation", chain.entries, to: &writer)
                    Self.member("cpu_percent", chainPercent, to: &writer)
                }
            }
            writer.member("wallets_checked", walletsChecked)
            writer.member("transfers_checked", transfersChecked)
            writer.member("finding_count", findingCount)
            writer.array("findings") { writer in for finding in findings { writer.string(finding) } }
        }
        return writer.finish()
    }

    private func writeOptions(to writer: inout JSONWriter) {
        writer.array("urls") { writer in for url in options.urls { writer.string(url) } }
        writer.member("connections", options.connections)
        Self.member("rate", options.rate, to: &writer)
        writer.member("schedule", options.schedule.rawValue)
        Self.member("duration_s", options.duration, to: &writer)
        Self.member("warmup_s", options.warmup, to: &writer)
        writer.member("wallets", options.wallets)
        writer.member("workload", options.workload.rawValue)
        writer.member("mix", options.mix.rawValue)
        writer.member("batch", options.batch)
        writer.member("atomic", options.isAtomic)
        writer.member("transfers", options.transfers)
        writer.member("keys", options.keys)
        writer.member("asset", options.asset)
        writer.member("seed", String(options.seed ?? 0))
        writer.member("threads", options.threads)
        writer.member("check", options.check)
    }

    private static func member(_ name: StaticString, _ value: Double, to writer: inout JSONWriter) {
        writer.name(name)
        writer.number(text: fixed(value, 3))
    }

    private static func members(_ list: [(name: String, count: Int)], to writer: inout JSONWriter) {
        for entry in list {
            writer.name(entry.name)
            writer.integer(Int64(entry.count))
        }
    }

    private static func list(_ list: [(name: String, count: Int)]) -> String {
        list.isEmpty ? "none" : list.map { "\($0.name): \($0.count)" }.joined(separator: ", ")
    }

    /// Nanoseconds as milliseconds with two decimals.
    static func milliseconds(_ nanoseconds: Int64) -> String { fixed(Double(nanoseconds) / 1e6, 2) }

    /// A number without decimals.
    static func short(_ value: Double) -> String { fixed(value, 0) }

    /// A number with that many decimals (at most six); finite numbers below 10^12 only.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite, value.magnitude < 1e12 else { return "0" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = Int64((value.magnitude * scale).rounded())
        let whole = String(scaled / Int64(scale))
        let sign = value < 0 && scaled != 0 ? "-" : ""
        guard decimals > 0 else { return sign + whole }
        let part = String(scaled % Int64(scale))
        return sign + whole + "." + String(repeating: "0", count: max(0, decimals - part.count)) + part
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
