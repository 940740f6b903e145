import Glibc
import JSON
import Testing

@testable import Bench

/// Whole runs against the fake API.
@Suite(.serialized) struct LoadGeneratorTests {
    private static func options(_ api: FakeWalletAPI) -> BenchOptions {
        var options = BenchOptions()
        options.urls = [api.url]
        options.connections = 8
        options.wallets = 10
        options.warmup = 0.1
        options.duration = 0.4
        options.catchUpTimeout = 20
        options.seed = 7
        return options
    }

    private static func run(
        _ faults: FakeWalletAPI.Faults = .init(), _ change: (inout BenchOptions) -> Void = { _ in }
    ) throws -> BenchReport {
        let api = try FakeWalletAPI(faults)
        defer { api.stop() }
        var options = options(api)
        change(&options)
        return try LoadGenerator(options: options, output: { _ in }).run()
    }

    @Test(arguments: BenchMix.allCases, BenchWorkload.allCases)
    func anHonestServicePasses(_ mix: BenchMix, _ workload: BenchWorkload) throws {
        let report = try Self.run {
            $0.mix = mix
            $0.workload = workload
            $0.keys = workload == .uniform
        }
        #expect(report.findings == [])
        #expect(report.passed && report.caughtUp)
        #expect(report.accepted > 0 && report.projected >= report.accepted)
        #expect(report.walletsChecked == 10 && report.transfersChecked > 0)
        let kinds: [String] =
            switch mix {
            case .createComplete: ["all", "create", "complete"]
            case .create: ["all", "create"]
            case .createRevert: ["all", "create", "revert"]
            case .post: ["all", "post"]
            case .mixed: ["all", "create", "post", "complete", "revert"]
            }
        #expect(report.latencies.map(\.kind) == kinds)
        #expect(report.text.contains("books        agree"))
    }

    @Test(arguments: BenchMix.allCases, [0, 40])
    func transfersBetweenWalletsAndBatchesPass(_ mix: BenchMix, _ batch: Int) throws {
        for (isAtomic, transfers) in [(false, true), (true, false)] where batch > 0 || transfers {
            let report = try Self.run {
                $0.mix = mix
                $0.batch = batch
                $0.isAtomic = isAtomic
                $0.transfers = transfers
                $0.workload = isAtomic ? .hot : .uniform
                $0.duration = 0.2
            }
            #expect(report.findings == [])
            #expect(report.caughtUp && report.accepted > 0 && report.transfersChecked > 0)
            #expect(report.accepted % max(1, batch) == 0)
        }
    }

    @Test func connectionsAreSpreadOverAllAddresses() throws {
        let api = try FakeWalletAPI()
        defer { api.stop() }
        var options = Self.options(api)
        options.urls = api.urls
        options.threads = 2
        options.connections = 6
        options.duration = 0.1
        let before = api.connections
        let report = try LoadGenerator(options: options, output: { _ in }).run()
        #expect(report.findings == [])
        #expect(before == [0, 0])
        // Those of the load alone are three for each; what was connected and never used may not have been accepted.
        #expect(api.connections.allSatisfy { $0 >= 3 })
    }

    @Test func theRateCountsTheOperationsOfBatches() throws {
        let report = try Self.run {
            $0.batch = 20
            $0.rate = 2000
            $0.schedule = .fixed
        }
        #expect(report.findings == [])
        #expect(report.latencies[0].count + report.unsent == 800)
    }

    @Test func halfATransferIsFound() throws {
        let report = try Self.run(.init(halvedWrite: 40)) {
            $0.transfers = true
            $0.mix = .post
            $0.catchUpTimeout = 0.2
        }
        #expect(report.findings.contains { $0.contains("the balances of all wallets sum up to") })
        #expect(report.findings.contains { $0.contains(", ledger: balance is") })
        #expect(report.findings.contains { $0.contains(", ledger: version is") })
    }

    @Test func faultsInBatchesAreFound() throws {
        func findings(_ faults: FakeWalletAPI.Faults) throws -> [String] {
            try Self.run(faults) {
                $0.batch = 10
                $0.catchUpTimeout = 5
            }.findings
        }
        #expect(try findings(.init(forgottenWrite: 40)).contains { $0.contains(", ledger: version is") })
        #expect(try findings(.init(doubledWrite: 40)).contains { $0.contains(", ledger: version is") })
        let missing = try findings(.init(forgottenResult: 40))
        #expect(missing.contains("1 answers out of place: 200 without a result for each operation"))
    }

    @Test func refusedAndUnansweredBatchesAreNoMismatch() throws {
        let refused = try Self.run(.init(overloadedWrite: 45)) {
            $0.batch = 10
            $0.warmup = 0
        }
        #expect(refused.findings == [])
        #expect(refused.answers.first { $0.name == "503 overloaded" }?.count == 5)
        let unanswered = try Self.run(.init(unansweredWrite: 45)) {
            $0.batch = 10
            $0.transfers = true
        }
        #expect(unanswered.findings == [])
        #expect(unanswered.uncertain == 10)
    }

    @Test func theChainIsRelatedToTheProcessesThatAreWatched() throws {
        let api = try FakeWalletAPI()
        defer { api.stop() }
        var options = Self.options(api)
        options.processes = [WatchedProcess(name: "all", pid: getpid())]
        let report = try LoadGenerator(options: options, chainWalk: { _ in [1] }, output: { _ in }).run()
        #expect(report.processorTimes.map(\.name) == ["all"])
        #expect(report.processorTimes.allSatisfy { $0.microseconds > 0 })
        #expect(report.chain?.entries == 1 && (report.chainPercent ?? -1) >= 0)
        #expect(report.text.contains("hash chain"))
        #expect(try JSONValue(parsing: report.json)["hash_chain"]?["us_per_entry"] != nil)
        options.processes = [WatchedProcess(name: "gone", pid: .max)]
        #expect(throws: BenchError.noProcess("gone (\(Int32.max))")) {
            try LoadGenerator(options: options, output: { _ in }).run()
        }
    }

    @Test func severalThreadsShareTheWalletsAndTheRate() throws {
        let report = try Self.run {
            $0.threads = 3
            $0.rate = 600
            $0.schedule = .fixed
        }
        #expect(report.findings == [])
        #expect(report.latencies[0].count + report.unsent == 240)
        #expect(report.established == 8)
    }

    @Test func answersInPiecesAreRead() throws {
        let report = try Self.run(.init(pieceSize: 7)) { $0.connections = 2 }
        #expect(report.findings == [])
        #expect(report.losses.isEmpty)
    }

    @Test func latencyIncludesTheTimeARequestWaitedForAStalledService() throws {
        // One connection, a request each millisecond: while the tenth is held for 300 ms the next ones wait, and half
        // of those for at least 150 ms. Timed from the actual sending, only the tenth would be slow.
        let report = try Self.run(.init(stalledWrite: 10, stallMilliseconds: 300)) {
            $0.connections = 1
            $0.rate = 1000
            $0.schedule = .fixed
            $0.warmup = 0
            $0.duration = 0.6
        }
        #expect(report.findings == [])
        let all = report.latencies[0]
        #expect(all.count + report.unsent == 600)
        let values = Dictionary(uniqueKeysWithValues: all.milliseconds.map { ($0.name, $0.value) })
        #expect(values["max", default: 0] >= 290)
        #expect(values["p90", default: 0] >= 150)
        #expect(report.sendLag.max >= 250)
    }

    @Test func aForgottenWriteIsFound() throws {
        let report = try Self.run(.init(forgottenWrite: 40)) { $0.mix = .create }
        #expect(!report.passed)
        #expect(report.findings.contains { $0.contains(", ledger: pending_") && $0.contains("expected") })
        #expect(report.findings.contains { $0.contains(", ledger: version is") })
        #expect(report.text.contains("DO NOT AGREE"))
    }

    @Test func aDoubledWriteIsFound() throws {
        let report = try Self.run(.init(doubledWrite: 40))
        #expect(report.findings.contains { $0.contains(", ledger: version is") })
    }

    @Test func aLyingProjectionIsFound() throws {
        let report = try Self.run(.init(liesInProjection: true))
        #expect(report.findingCount == 1)
        #expect(report.findings.allSatisfy { $0.contains(", projection: is at version") })
    }

    @Test func aLateProjectionIsWaitedForAndAMissingOneFound() throws {
        let late = try Self.run(.init(staleReads: 30))
        #expect(late.findings == [])
        #expect(late.caughtUp)
        let missing = try Self.run(.init(staleReads: .max)) { $0.catchUpTimeout = 0.2 }
        #expect(!missing.caughtUp && !missing.passed)
        #expect(missing.projected < missing.accepted)
    }

    @Test func anUnansweredWriteIsToleratedWithinItsBounds() throws {
        let report = try Self.run(.init(unansweredWrite: 40))
        #expect(report.findings == [])
        #expect(report.uncertain == 1)
        #expect(report.losses.map(\.name) == ["connection_ended"])
    }

    @Test func refusalsAreCountedApart() throws {
        let report = try Self.run(.init(overloadedWrite: 40)) { $0.warmup = 0 }
        #expect(report.findings == [])
        #expect(report.answers.first { $0.name == "503 overloaded" }?.count == 5)
        #expect(report.uncertain == 0)
    }

    @Test func nothingThereIsAnError() throws {
        let api = try FakeWalletAPI()
        api.stop()
        let writer = RequestWriter(authority: try HTTPAuthority(url: api.url), wallets: [], hasKeys: false)
        let now = monotonicNow()
        let driver = SetupDriver(
            count: 1, asset: "EUR", balance: "1.00", writer: writer, firstAnswerBy: now + 200_000_000, deadline: .max)
        var exchange = Exchange(
            driver: driver, addresses: [try SocketAddress(resolving: HTTPAuthority(url: api.url))], connections: 2,
            timeout: 1_000_000_000)
        #expect(exchange.run().failure == "nothing answers there")
    }

    @Test func aConnectionThatWasClosedWhileItWasFreeIsNotUsed() throws {
        let api = try FakeWalletAPI(.init(answersPerConnection: 1))
        defer { api.stop() }
        let authority = try HTTPAuthority(url: api.url)
        let driver = PatientDriver(
            request: Array("GET /v1/wallets/none HTTP/1.1\r\nHost: \(authority.text)\r\n\r\n".utf8), api: api)
        var exchange = Exchange(
            driver: driver, addresses: [try SocketAddress(resolving: authority)], connections: 1,
            timeout: 10_000_000_000)
        let ended = exchange.run()
        #expect(ended.answers == 3 && ended.losses == 0)
        #expect(exchange.established == 3)
    }

    @Test func theReportIsOneJSONObject() throws {
        let report = try Self.run()
        let value = try JSONValue(parsing: report.json)
        #expect(value["passed"]?.boolean == true)
        #expect(value["options"]?["seed"]?.string == "7")
    }
}

/// Sends three requests, each after the server has closed the connection of the one before.
private struct PatientDriver: ExchangeDriver {
    let request: [UInt8]
    let api: FakeWalletAPI
    var answers = 0
    var losses = 0
    private var hasSeenTheEnd = true

    init(request: [UInt8], api: FakeWalletAPI) {
        self.request = request
        self.api = api
    }

    func isOver(at now: Int64) -> Bool { answers == 3 || losses > 0 }

    mutating func next(at now: Int64, into request: inout [UInt8]) -> Step<Int> {
        guard hasSeenTheEnd else {
            // The wait after it is what shows it to the exchange.
            hasSeenTheEnd = api.closedConnections == answers
            return .wait(until: now + 1_000_000)
        }
        hasSeenTheEnd = false
        request = self.request
        return .send(answers)
    }

    mutating func answered(_ ticket: Int, _ frame: ResponseFrame, _ body: Span<UInt8>, at now: Int64) -> Verdict {
        answers += 1
        return .ready
    }

    mutating func lost(_ ticket: Int, _ loss: Loss, at now: Int64) { losses += 1 }

    mutating func tick(at now: Int64, inFlight: Int) {}
}
