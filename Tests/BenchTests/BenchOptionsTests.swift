import Testing

@testable import Bench

@Suite struct BenchOptionsTests {
    @Test func everyOptionIsRead() throws {
        let options = try BenchOptions(arguments: [
            "--url=http://[::1]:90,http://b", "--url", "http://c:1", "--connections", "8", "--rate", "2000.5",
            "--schedule", "fixed", "--duration",
            "2m", "--warmup=500ms", "--wallets", "5", "--workload", "hot", "--mix", "mixed", "--no-keys", "--asset",
            "USD", "--seed", "9", "--threads", "2", "--json", "r.json", "--no-check", "--progress", "--timeout", "5",
            "--catch-up-timeout", "1s", "--batch", "10", "--atomic", "--transfers", "--processes", "api=1,pg=22",
            "--processes", "b=3",
        ])
        var expected = BenchOptions()
        expected.urls = ["http://[::1]:90", "http://b", "http://c:1"]
        expected.connections = 8
        expected.rate = 2000.5
        expected.schedule = .fixed
        expected.duration = 120
        expected.warmup = 0.5
        expected.wallets = 5
        expected.workload = .hot
        expected.mix = .mixed
        expected.keys = false
        expected.asset = "USD"
        expected.seed = 9
        expected.threads = 2
        expected.jsonFile = "r.json"
        expected.check = false
        expected.progress = true
        expected.timeout = 5
        expected.catchUpTimeout = 1
        expected.batch = 10
        expected.isAtomic = true
        expected.transfers = true
        expected.processes = [
            WatchedProcess(name: "api", pid: 1), WatchedProcess(name: "pg", pid: 22), WatchedProcess(name: "b", pid: 3),
        ]
        #expect(options == expected)
        #expect(try BenchOptions(arguments: []) == BenchOptions())
    }

    @Test(arguments: [
        ["--nope"], ["url"], ["--url"], ["--url", "https://x"], ["--url", "http://"], ["--url", "http://x:0"],
        ["--url", "http://x/y"], ["--url", "http://x:70000"], ["--connections", "0"], ["--connections", "many"],
        ["--threads", "0"], ["--threads", "4", "--connections", "3"], ["--rate", "-1"], ["--rate", "nan"],
        ["--duration", "0"], ["--duration", "-5s"], ["--duration", "soon"], ["--warmup", "2h"], ["--wallets", "0"],
        ["--workload", "cold"], ["--mix", "all"], ["--seed", "-1"], ["--asset", "eur"], ["--keys=yes"], ["--json", ""],
        ["--timeout", "0"], ["--batch", "10001"], ["--batch", "-1"], ["--atomic"], ["--atomic", "--batch", "0"],
        ["--transfers", "--wallets", "1"], ["--url", "http://a,"], ["--processes", "api"], ["--processes", "api=0"],
        ["--processes", "=1"], ["--processes", "a=1,"],
    ])
    func badOptionsAreNamed(_ arguments: [String]) {
        #expect { try BenchOptions(arguments: arguments) } throws: { error in
            guard let error = error as? BenchOptionError else { return false }
            return arguments.contains { $0 == error.option || $0.hasPrefix(error.option + "=") }
        }
    }

    @Test func theSubcommandExplainsItselfAndRefusesNonsense() {
        #expect(LoadGenerator.runCommand(arguments: ["--help"], output: { _ in }, errors: { _ in }) == 0)
        #expect(LoadGenerator.runCommand(arguments: ["--rate", "x"], output: { _ in }, errors: { _ in }) == 2)
    }
}
