import Glibc

/// Which wallets the operations touch.
public enum BenchWorkload: String, Sendable, CaseIterable {
    /// Every wallet equally often.
    case uniform
    /// Nine operations of ten on one wallet.
    case hot
}

/// Which operations are sent.
public enum BenchMix: String, Sendable, CaseIterable {
    /// Pending transfers and their completion; each is an operation.
    case createComplete = "create-complete"
    /// Pending transfers that stay pending.
    case create
    /// Pending transfers and their reversal.
    case createRevert = "create-revert"
    /// Transfers that are completed at once.
    case post
    /// Pending transfers, of which most are completed, some reverted and a few left pending, and transfers that are
    /// completed at once.
    case mixed
}

/// How the intended send times of an open loop lie.
public enum BenchSchedule: String, Sendable, CaseIterable {
    /// Independent arrivals: exponential gaps.
    case poisson
    /// Equal gaps.
    case fixed
}

/// A setting of the load generator that cannot be used.
public struct BenchOptionError: Error, Equatable, CustomStringConvertible {
    /// The option, as written on the command line.
    public let option: String
    /// What is wrong with its value.
    public let reason: String

    /// What to print to the user.
    public var description: String { "\(option): \(reason)" }
}

/// The settings of one run of the load generator.
public struct BenchOptions: Sendable, Equatable {
    /// Where the API listens; plain HTTP only. The connections are spread over all of them.
    public var urls = [defaultURL]
    /// Keep-alive connections, one request in flight on each.
    public var connections = 256
    /// Operations a second, open loop; 0 sends the next request of a connection as soon as its last was answered.
    public var rate = 0.0
    /// The gaps of the open loop.
    public var schedule = BenchSchedule.poisson
    /// Seconds that are measured.
    public var duration = 15.0
    /// Seconds of load before the measurement.
    public var warmup = 3.0
    /// Wallets that are created for the run.
    public var wallets = 1000
    /// Which wallets are touched.
    public var workload = BenchWorkload.uniform
    /// Which operations are sent.
    public var mix = BenchMix.createComplete
    /// Operations in one `POST /v1/batches`; 0 sends each to its own route.
    public var batch = 0
    /// Whether batches are all or nothing.
    public var isAtomic = false
    /// Whether transfers are between two wallets of the run instead of with the outside.
    public var transfers = false
    /// Whether creates carry a `reference_id`.
    public var keys = true
    /// The asset of the wallets; it must have two decimals.
    public var asset = "EUR"
    /// The seed of every choice except the ids; nil takes a random one, which the report prints.
    public var seed: UInt64?
    /// Threads that send; connections and rate are divided among them.
    public var threads = 1
    /// A file for the report as JSON.
    public var jsonFile: String?
    /// Whether the books are checked at the end.
    public var check = true
    /// Whether a line is printed each second.
    public var progress = false
    /// Seconds after which an unanswered request counts as lost.
    public var timeout = 30.0
    /// Seconds the projections may take to catch up after the load.
    public var catchUpTimeout = 60.0
    /// Processes whose CPU time is measured during the load.
    public var processes: [WatchedProcess] = []

    /// The defaults.
    public init() {}

    /// Reads command-line arguments, without the name of the subcommand; `--option value` and `--option=value`.
    /// Throws on an unknown option, a missing value or one out of range.
    public init(arguments: [String]) throws(BenchOptionError) {
        urls = []
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            index += 1
            guard argument.hasPrefix("--") else {
                throw BenchOptionError(option: argument, reason: "is not an option")
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = parts[0]
            if Self.flags.contains(name) {
                guard parts.count == 1 else { throw BenchOptionError(option: name, reason: "takes no value") }
                set(flag: name)
                continue
            }
            guard Self.valued.contains(name) else { throw BenchOptionError(option: name, reason: "is unknown") }
            if parts.count == 2 {
                try set(name, to: parts[1])
            } else {
                guard index < arguments.count else { throw BenchOptionError(option: name, reason: "needs a value") }
                try set(name, to: arguments[index])
                index += 1
            }
        }
        if urls.isEmpty { urls = [Self.defaultURL] }
        try validate()
    }

    /// Checks the ranges; throws naming the first option that is out of its range.
    public func validate() throws(BenchOptionError) {
        func require(_ condition: Bool, _ option: String, _ reason: String) throws(BenchOptionError) {
            guard condition else { throw BenchOptionError(option: option, reason: reason) }
        }
        for url in urls { _ = try HTTPAuthority(url: url) }
        try require((1...64).contains(threads), "--threads", "must be 1 to 64")
        try require((threads...10_000).contains(connections), "--connections", "must be --threads to 10000")
        try require(rate >= 0 && rate <= 10_000_000, "--rate", "must be 0 (saturation) to 10000000")
        try require(duration > 0 && duration <= 86_400, "--duration", "must be above 0 and at most a day")
        try require(warmup >= 0 && warmup <= 3_600, "--warmup", "must be 0 to an hour")
        try require((1...1_000_000).contains(wallets), "--wallets", "must be 1 to 1000000")
        try require((0...10_000).contains(batch), "--batch", "must be 0 (no batches) to 10000")
        try require(!isAtomic || batch > 0, "--atomic", "needs --batch")
        try require(!transfers || wallets > 1, "--transfers", "needs two wallets")
        try require(timeout > 0 && timeout <= 600, "--timeout", "must be above 0 and at most 10 minutes")
        try require(catchUpTimeout > 0 && catchUpTimeout <= 3_600, "--catch-up-timeout", "must be at most an hour")
        let letters = asset.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        try require(letters && (1...16).contains(asset.utf8.count), "--asset", "must be an asset code such as EUR")
    }

    private static let flags: Set<String> = [
        "--keys", "--no-keys", "--check", "--no-check", "--progress", "--no-progress",
        "--atomic", "--transfers",
    ]

    private static let valued: Set<String> = [
        "--url", "--connections", "--rate", "--schedule", "--duration", "--warmup", "--wallets", "--workload", "--mix",
        "--asset", "--seed", "--threads", "--json", "--timeout", "--catch-up-timeout", "--batch", "--processes",
    ]

    private mutating func set(flag: String) {
        switch flag {
        case "--keys": keys = true
        case "--no-keys": keys = false
        case "--check": check = true
        case "--no-check": check = false
        case "--progress": progress = true
        case "--atomic": isAtomic = true
        case "--transfers": transfers = true
        default: progress = false
        }
    }

    private mutating func set(_ name: String, to value: String) throws(BenchOptionError) {
        switch name {
        case "--url": urls += value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        case "--connections": connections = try Self.integer(name, value)
        case "--rate": rate = try Self.number(name, value)
        case "--schedule": schedule = try Self.choice(name, value)
        case "--duration": duration = try Self.seconds(name, value)
        case "--warmup": warmup = try Self.seconds(name, value)
        case "--wallets": wallets = try Self.integer(name, value)
        case "--workload": workload = try Self.choice(name, value)
        case "--mix": mix = try Self.choice(name, value)
        case "--asset": asset = value
        case "--seed":
            guard let number = UInt64(value) else {
                throw BenchOptionError(option: name, reason: "must be a whole number from 0, not '\(value)'")
            }
            seed = number
        case "--threads": threads = try Self.integer(name, value)
        case "--json":
            guard !value.isEmpty else { throw BenchOptionError(option: name, reason: "needs a file name") }
            jsonFile = value
        case "--batch": batch = try Self.integer(name, value)
        case "--processes": processes += try Self.processes(name, value)
        case "--timeout": timeout = try Self.seconds(name, value)
        default: catchUpTimeout = try Self.seconds(name, value)
        }
    }
}

extension BenchOptions {
    /// The options, for the help of the subcommand.
    public static let usage = """
        Usage: wallet bench [options]

        Sends transfers to a running `wallet api` over keep-alive HTTP/1.1 connections, measures latency from the
        intended send time, waits for the projections and checks the books. Exits non-zero on a mismatch.

          --url URL[,URL...]      where the API listens; connections are spread over several (http://127.0.0.1:8089)
          --connections N         connections, one request in flight on each (256)
          --threads N             sending threads (1)
          --rate N                operations a second, open loop; 0: saturation (0)
          --schedule S            gaps of the open loop: poisson | fixed (poisson)
          --duration T            measured time: 15s, 500ms, 10m (15s)
          --warmup T              load before the measurement (3s)
          --wallets N             wallets created for the run (1000)
          --workload W            uniform | hot, nine of ten operations on one wallet (uniform)
          --mix M                 create-complete | create | create-revert | post | mixed (create-complete)
          --batch N               POST /v1/batches with N operations each; --rate still counts operations
          --atomic                batches are all or nothing
          --transfers             transfers between two wallets of the run, resolved through either
          --keys, --no-keys       creates with or without a reference_id (--keys)
          --asset CODE            asset of the wallets, with two decimals (EUR)
          --seed N                seed of the choices (random, printed)
          --timeout T             an unanswered request counts as lost (30s)
          --catch-up-timeout T    how long the projections may take at the end (60s)
          --check, --no-check     compare the books at the end (--check)
          --progress              a line each second
          --processes NAME=PID,.. measure the CPU time of these and all they started, and what the hash chain is of it
          --json FILE             the report as JSON
        """

    /// Where the API listens by default.
    public static let defaultURL = "http://127.0.0.1:8089"

    /// Processes from `api=17,postgres=18`.
    static func processes(_ name: String, _ value: String) throws(BenchOptionError) -> [WatchedProcess] {
        var processes: [WatchedProcess] = []
        for item in value.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, let pid = Int32(parts[1]), pid > 0 else {
                throw BenchOptionError(option: name, reason: "must be NAME=PID, not '\(item)'")
            }
            processes.append(WatchedProcess(name: String(parts[0]), pid: pid))
        }
        return processes
    }

    static func integer(_ name: String, _ value: String) throws(BenchOptionError) -> Int {
        guard let number = Int(value) else {
            throw BenchOptionError(option: name, reason: "must be a whole number, not '\(value)'")
        }
        return number
    }

    static func number(_ name: String, _ value: String) throws(BenchOptionError) -> Double {
        guard let number = Double(value), number.isFinite else {
            throw BenchOptionError(option: name, reason: "must be a number, not '\(value)'")
        }
        return number
    }

    /// Seconds from `15s`, `500ms`, `10m` or a plain number of seconds.
    static func seconds(_ name: String, _ value: String) throws(BenchOptionError) -> Double {
        let units: [(suffix: String, seconds: Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("", 1)]
        for unit in units where value.hasSuffix(unit.suffix) {
            let digits = value.dropLast(unit.suffix.count)
            if let number = Double(digits), number.isFinite, number >= 0 { return number * unit.seconds }
        }
        throw BenchOptionError(option: name, reason: "must be a time such as 15s, 500ms or 10m, not '\(value)'")
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ value: String
    ) throws(BenchOptionError) -> Choice {
        guard let choice = Choice(rawValue: value) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw BenchOptionError(option: name, reason: "must be one of \(known), not '\(value)'")
        }
        return choice
    }
}
