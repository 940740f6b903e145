import JSON
import Testing

@testable import Bench

/// Whole runs against the fake API.
@Suite(.serialized) struct LoadGeneratorTests {
    private static func options(_ api: FakeWalletAPI) -> BenchOptions {
        var options = BenchOptions()
        options.url = api.url
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
            case .mixed: ["all", "create", "transfer", "complete", "revert"]
            }
        #expect(report.latencies.map(\.kind) == kinds)
        #expect(report.text.contains("books        agree"))
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
            driver: driver, address: try SocketAddress(resolving: HTTPAuthority(url: api.url)), connections: 2,
            timeout: 1_000_000_000)
        #expect(exchange.run().failure == "nothing answers there")
    }

    @Test func theReportIsOneJSONObject() throws {
        let report = try Self.run()
        let value = try JSONValue(parsing: report.json)
        #expect(value["passed"]?.boolean == true)
        #expect(value["options"]?["seed"]?.string == "7")
    }
}
