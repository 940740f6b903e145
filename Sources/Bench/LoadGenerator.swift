import Glibc
import JSON
import Ledger
import Runtime
import Synchronization

/// Why a run could not be made. A run that was made and found a mismatch is a report, not an error.
public enum BenchError: Error, Equatable, CustomStringConvertible {
    /// The address cannot be resolved.
    case unreachable(String)
    /// The wallets of the run could not be created.
    case setupFailed(String)
    /// A sending thread could not be started.
    case noThread(String)
    /// A process that is to be watched does not run.
    case noProcess(String)
    /// The report file could not be written.
    case cannotWrite(String)

    /// What to print to the user.
    public var description: String {
        switch self {
        case .unreachable(let reason): "the address cannot be used: \(reason)"
        case .setupFailed(let reason): "the wallets could not be created: \(reason)"
        case .noThread(let reason): reason
        case .noProcess(let name): "the process \(name) does not run"
        case .cannotWrite(let reason): "the report could not be written: \(reason)"
        }
    }
}

/// Loads a running API over HTTP, measures it and checks its books.
///
/// A run creates its wallets, sends operations for the warm-up and the measured time, waits until the projections show
/// every acknowledged operation, and compares each wallet with what it was told: balances, pending sums and version,
/// on the write side and in the projection, and a sample of transfers.
public struct LoadGenerator: Sendable {
    /// Each wallet opens with 1,000,000,000.00, so that no run ends in insufficient funds.
    static let openingBalance: Int64 = 100_000_000_000

    private let options: BenchOptions
    private let output: @Sendable (String) -> Void
    private let chainWalk: ChainWalk?

    /// Takes the settings, where lines of progress go, and the ledger's hashing, whose cost is measured when there are
    /// processes to compare it with.
    public init(
        options: BenchOptions, chainWalk: ChainWalk? = nil, output: @escaping @Sendable (String) -> Void
    ) {
        self.options = options
        self.chainWalk = chainWalk
        self.output = output
    }

    /// The whole subcommand: reads the arguments, runs, prints the report and gives the exit code: 0 when the run
    /// passed, 1 when it found a mismatch or could not be made, 2 when the arguments are wrong.
    public static func runCommand(
        arguments: [String], chainWalk: ChainWalk? = nil, output: @escaping @Sendable (String) -> Void,
        errors: @Sendable (String) -> Void
    ) -> Int32 {
        if arguments.contains("--help") || arguments.contains("-h") {
            output(BenchOptions.usage)
            return 0
        }
        do {
            let options = try BenchOptions(arguments: arguments)
            let report = try LoadGenerator(options: options, chainWalk: chainWalk, output: output).run()
            output(report.text)
            return report.passed ? 0 : 1
        } catch let error as BenchOptionError {
            errors("wallet bench: \(error)")
            return 2
        } catch {
            errors("wallet bench: \(error)")
            return 1
        }
    }

    /// Makes one run on the calling thread and the sending threads; takes as long as set, plus the time the projections
    /// need. Throws `BenchOptionError` for settings out of range and `BenchError` when the run could not be made.
    public func run() throws -> BenchReport {
        try options.validate()
        var options = options
        var system = SystemRandomNumberGenerator()
        let seed = options.seed ?? system.next() >> 32
        options.seed = seed
        let site = try BenchSite(options: options)
        _ = try processorTimes()
        if options.progress {
            output("seed \(seed), creating \(options.wallets) wallets at \(options.urls.joined(separator: ", "))")
        }
        try createWallets(site)

        let before = Self.processorMicroseconds()
        let result = try load(site, seed: seed)
        let cpu = Self.processorMicroseconds() - before

        var report = BenchReport()
        report.options = options
        report.cpuMicroseconds = result.counts.sent > 0 ? Double(cpu) / Double(result.counts.sent) : 0
        fill(&report, from: result)
        if let chainWalk, !options.processes.isEmpty {
            let cost = ChainCost(options, chainWalk)
            report.chain = (cost.microseconds, cost.entriesPerOperation)
        }
        if options.progress { output("waiting for the projections") }
        BookAudit(site: site, result: result).run(into: &report)
        if let file = options.jsonFile { try Self.write(report.json, to: file) }
        return report
    }

    private func createWallets(_ site: BenchSite) throws(BenchError) {
        let now = monotonicNow()
        let driver = SetupDriver(
            count: options.wallets, asset: options.asset, balance: BookCheck.money(Self.openingBalance),
            writer: site.writer, firstAnswerBy: now + 10_000_000_000,
            deadline: now + 60_000_000_000 + Int64(options.wallets) * 10_000_000)
        var exchange = Exchange(
            driver: driver, addresses: site.addresses, connections: min(options.connections, 64),
            timeout: Self.nanoseconds(options.timeout))
        if let failure = exchange.run().failure { throw .setupFailed(failure) }
    }

    private func load(_ site: BenchSite, seed: UInt64) throws -> LoadResult {
        let start = monotonicNow()
        let measureStart = start + Self.nanoseconds(options.warmup)
        let window = LoadWindow(
            start: start, measureStart: measureStart, end: measureStart + Self.nanoseconds(options.duration))
        let progress = LoadProgress()
        let collected = Mutex(LoadResult(window: window, wallets: options.wallets))
        var threads: [OwnedThread] = []
        defer { for thread in threads { thread.join() } }
        for number in 0..<options.threads {
            let driver = LoadDriver(
                options: options, window: window, writer: site.writer, progress: progress, thread: number, seed: seed,
                report: options.progress && number == 0 ? ProgressReport(start: start, output: output) : nil)
            let first = options.connections * number / options.threads
            let count = options.connections * (number + 1) / options.threads - first
            let timeout = Self.nanoseconds(options.timeout)
            do {
                let thread = try OwnedThread(name: "bench-\(number)") {
                    var exchange = Exchange(
                        driver: driver, addresses: site.addresses(from: first), connections: count,
                        timeout: timeout)
                    var ended = exchange.run()
                    ended.finish()
                    let established = exchange.established
                    collected.withLock { $0.add(ended, established: established) }
                }
                threads.append(thread)
            } catch {
                throw BenchError.noThread(error.description)
            }
        }
        let times = try measuredTimes(window)
        for thread in threads { thread.join() }
        var result = collected.withLock { $0 }
        result.processorTimes = times
        return result
    }

    /// What the watched processes use of the CPUs while the window is measured, in microseconds.
    private func measuredTimes(_ window: LoadWindow) throws -> [Int64] {
        guard !options.processes.isEmpty else { return [] }
        sleep(until: window.measureStart)
        let before = try processorTimes()
        sleep(until: window.end)
        return zip(try processorTimes(), before).map { $0 - $1 }
    }

    private func processorTimes() throws -> [Int64] {
        let records = options.processes.isEmpty ? [:] : ProcessorTime.records()
        return try options.processes.map { process in
            guard let time = ProcessorTime.microseconds(of: process.pid, in: records) else {
                throw BenchError.noProcess("\(process.name) (\(process.pid))")
            }
            return time
        }
    }

    private func sleep(until moment: Int64) {
        var time = timespec(tv_sec: Int(moment / 1_000_000_000), tv_nsec: Int(moment % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, Int32(TIMER_ABSTIME), &time, nil) == EINTR {}
    }

    private func fill(_ report: inout BenchReport, from result: LoadResult) {
        let counts = result.counts
        report.seconds = options.duration
        report.accepted = counts.accepted
        report.unsent = counts.unsent
        report.uncertain = counts.uncertain
        report.established = result.established
        if counts.accepted > 0 {
            report.processorTimes = zip(options.processes, result.processorTimes).map {
                (name: $0.name, microseconds: Double($1) / Double(counts.accepted))
            }
        }
        var all = LatencyHistogram()
        for histogram in counts.latency { all.merge(histogram) }
        report.summarize("all", all)
        for kind in BenchOperationKind.allCases where counts.latency[kind.rawValue].count > 0 {
            report.summarize(kind.name, counts.latency[kind.rawValue])
        }
        let lag = counts.sendLag
        report.sendLag = (
            Double(lag.percentile(0.5)) / 1e6, Double(lag.percentile(0.99)) / 1e6, Double(lag.maximum) / 1e6
        )
        report.answers = counts.answers.map { (name: $0.key, count: $0.value) }.sorted { $0.name < $1.name }
        report.losses = counts.losses.map { (name: $0.key.rawValue, count: $0.value) }.sorted { $0.name < $1.name }
        for (name, count) in counts.unexpected.sorted(by: { $0.key < $1.key }) {
            report.find("\(count) answers out of place: \(name)")
        }
        if counts.accepted == 0 { report.find("no operation was accepted in the measured time") }
    }

    static func nanoseconds(_ seconds: Double) -> Int64 { Int64(seconds * 1e9) }

    /// User and system time of this process.
    private static func processorMicroseconds() -> Int64 {
        var usage = rusage()
        guard getrusage(RUSAGE_SELF.rawValue, &usage) == 0 else { return 0 }
        return Int64(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000
            + Int64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }

    private static func write(_ bytes: [UInt8], to file: String) throws(BenchError) {
        guard let stream = fopen(file, "w") else {
            throw .cannotWrite("\(file): \(String(cString: strerror(errno)))")
        }
        let written = fwrite(bytes, 1, bytes.count, stream)
        let ended = fputc(10, stream)
        guard fclose(stream) == 0, written == bytes.count, ended == 10 else {
            throw .cannotWrite("\(file): \(String(cString: strerror(errno)))")
        }
    }
}

/// Where a run takes place: the addresses and the wallets made there.
struct BenchSite: Sendable {
    let options: BenchOptions
    /// Of all processes of the service.
    let addresses: [SocketAddress]
    let writer: RequestWriter

    init(options: BenchOptions) throws {
        self.options = options
        let authorities = try options.urls.map { url throws(BenchOptionError) in try HTTPAuthority(url: url) }
        addresses = try authorities.map { try SocketAddress(resolving: $0) }
        let ids = UUIDv7Generator()
        let wallets = (0..<options.wallets).map { _ in ids.next() }
        // One service behind several addresses: all of them go by the name of the first.
        writer = RequestWriter(authority: authorities[0], wallets: wallets, hasKeys: options.keys)
    }

    /// The same, beginning with the one for connection `first`.
    func addresses(from first: Int) -> [SocketAddress] {
        let start = first % addresses.count
        return Array(addresses[start...] + addresses[..<start])
    }
}

/// The counts and tallies of all sending threads together.
struct LoadResult: Sendable {
    let window: LoadWindow
    var counts = LoadCounts()
    var tallies: [WalletTally]
    var samples: [TransferSample] = []
    var established = 0
    /// CPU time of the watched processes while the window was measured, microseconds.
    var processorTimes: [Int64] = []

    init(window: LoadWindow, wallets: Int) {
        self.window = window
        tallies = Array(repeating: WalletTally(), count: wallets)
    }

    mutating func add(_ driver: LoadDriver, established: Int) {
        counts.merge(driver.counts)
        for index in tallies.indices { tallies[index].merge(driver.tallies[index]) }
        samples += driver.samples
        self.established += established
    }
}

extension LoadCounts {
    mutating func merge(_ other: Self) {
        for index in latency.indices { latency[index].merge(other.latency[index]) }
        sendLag.merge(other.sendLag)
        accepted += other.accepted
        acceptedInAll += other.acceptedInAll
        sent += other.sent
        unsent += other.unsent
        uncertain += other.uncertain
        answers.merge(other.answers, uniquingKeysWith: +)
        losses.merge(other.losses, uniquingKeysWith: +)
        unexpected.merge(other.unexpected, uniquingKeysWith: +)
    }
}
