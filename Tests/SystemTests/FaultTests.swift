import Foundation
import JSON
import TestSupport
import Testing

extension SystemTests {
    /// Everything that can be killed is killed, one after the other, while clients move money.
    @Suite struct FaultTests {
        private static let clients = 8

        @Test(.timeLimit(.minutes(6))) func booksBalanceAfterEveryFault() async throws {
            let seed = TestRandom().seed
            try await withStack(apis: 2, workers: 2, settings: ["WALLET_LANES": "4"]) { stack in
                let wallets = try await Self.makeWallets(10, stack)
                let world = MoneyWorld(wallets: wallets, ports: stack.apis.map(\.port), clients: Self.clients)
                async let load: Void = Self.load(world, seed: seed)
                do {
                    for fault in Self.faults {
                        try await Self.progress(world)
                        do { try await fault.strike(stack, world) } catch {
                            throw FixtureError("\(fault.name): \(error)")
                        }
                    }
                } catch {
                    world.end()
                    try await load
                    throw error
                }
                let lastFault = ContinuousClock.now
                try await Self.progress(world, commands: 3)
                world.end()
                try await load
                print("\(world.records.count) commands, without a definite answer at first: \(world.failures)")
                // From the last fault on there are 30 s for everything: for the clients' last commands, too.
                try await eventually(within: .seconds(30) - (.now - lastFault), "projections equal to the ledger") {
                    try await MoneyAudit.isSettled(stack)
                }
                // Whatever runs out later would change the books during the audit.
                try await eventually(within: .seconds(30), "no transfer that will run out") {
                    let waiting = try await stack.count("SELECT count(*)::text FROM ledger.expirations")
                    guard waiting == 0 else { return false }
                    return try await MoneyAudit.isSettled(stack)
                }
                try await Self.check(stack, world)
            }
        }

        private static func check(_ stack: WalletStack, _ world: MoneyWorld) async throws {
            #expect(world.complaints.isEmpty, "\(world.complaints.prefix(10).joined(separator: "\n"))")
            var audit = MoneyAudit(stack)
            try await audit.run(world.records)
            #expect(
                audit.findings.isEmpty,
                "\(audit.findings.count): \(audit.findings.prefix(10).joined(separator: "\n"))")
            // The load was one: every kind of outcome occurred.
            let statuses = Set(world.records.map(\.answer.status))
            #expect(statuses.isSuperset(of: [200, 201, 409, 422]), "\(statuses)")
            #expect(Set(audit.rows.map(\.kind)) == Set(1...9), "a kind of entry is missing")
            for isAtomic in [true, false] {
                let batches = world.records.filter {
                    if case .batch(_, isAtomic) = $0.command.kind { true } else { false }
                }
                #expect(batches.contains { $0.isSuccess } && (!isAtomic || batches.contains { !$0.isSuccess }))
            }
            let log = stack.postgres.logText
            #expect(log.contains("ready to accept connections") && !log.contains("deadlock"), "\(log.suffix(4_000))")
            try await repeatAll(stack, world)
            let own = try await stack.run("audit")
            #expect(own.end == .exit(0), "wallet audit: \(own.end) \(own.output.suffix(2_000))")
            for node in stack.apis + stack.workers {
                #expect(!node.output.contains("secret"), "\(node.name) logs a password")
                #expect(!node.output.contains("\"level\":\"fatal\""))
            }
        }

        /// Each key once more, long after: the first answer, and no effect.
        private static func repeatAll(_ stack: WalletStack, _ world: MoneyWorld) async throws {
            let before = try await stack.count("SELECT count(*)::text FROM ledger.journal")
            // The operations of a batch are known on their own routes, too.
            let records = world.records.flatMap { record in
                if case .batch = record.command.kind { [record] + record.effects } else { [record] }
            }.filter { !$0.isDropped && ($0.command.key != nil || $0.isSuccess) }
            let sample = records.count > 2_000 ? records.suffix(2_000) : records[...]
            let ports = world.ports
            let findings = try await blocking { () -> [String] in
                let connections = ports.map { HTTPConnection(port: $0) }
                var findings: [String] = []
                for (index, record) in sample.enumerated() {
                    let answer = try connections[index % connections.count].exchange(record.command.request)
                    let isSame = answer.status == record.answer.status && answer.content == record.answer.content
                    if isSame, answer.isReplay { continue }
                    findings.append("\(record.command): first \(record.answer.summary), now \(answer.summary)")
                }
                return findings
            }
            #expect(findings.isEmpty, "\(findings.count): \(findings.prefix(5).joined(separator: "\n"))")
            #expect(try await stack.count("SELECT count(*)::text FROM ledger.journal") == before)
        }

        static func makeWallets(_ count: Int, _ stack: WalletStack) async throws -> [String] {
            let port = stack.apis[0].port
            return try await blocking {
                let connection = HTTPConnection(port: port)
                return try (0..<count).map { _ in
                    let answer = try connection.exchange(.post("/v1/wallet", #"{"initial_balance":"100.00"}"#))
                    guard answer.status == 201, let id = answer.json["id"]?.string else {
                        throw FixtureError("no wallet: \(answer.summary)")
                    }
                    return id
                }
            }
        }

        static func load(_ world: MoneyWorld, seed: UInt64, clients: Int = clients) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<clients {
                    group.addTask { try await blocking { MoneyClient(number, seed: seed, in: world).run() } }
                }
                try await group.waitForAll()
            }
        }

        /// Every client brings some more commands to their ends: whatever was broken does not hold anybody up.
        static func progress(_ world: MoneyWorld, commands: Int = 20) async throws {
            let before = world.done
            try await eventually(within: .seconds(60), "progress of every client") {
                zip(before, world.done).allSatisfy { $1 >= $0 + commands }
            }
        }
    }
}

extension SystemTests.FaultTests {
    /// Something that breaks under load and is whole again at its end.
    struct Fault: Sendable {
        let name: String
        let strike: @Sendable (WalletStack, MoneyWorld) async throws -> Void
    }

    static let faults: [Fault] = [
        Fault(name: "kill -9 of one api") { stack, world in
            try await stack.apis[0].kill()
            try await progress(world, commands: 2)
            try await stack.apis[0].start()
        },
        Fault(name: "kill -9 of one worker") { stack, world in
            try await stack.workers[0].kill()
            try await progress(world, commands: 4)
            try await stack.workers[0].start()
        },
        Fault(name: "kill -9 of PostgreSQL") { stack, world in
            try await stack.killDatabase()
            try await stack.startDatabase()
            try await progress(world, commands: 2)
            for node in stack.apis { try await node.untilReady() }
        },
        Fault(name: "kill -9 of nats-server") { stack, world in
            try await stack.killBroker()
            try await progress(world, commands: 4)
            try await stack.startBroker()
        },
        Fault(name: "SIGTERM of one api") { stack, world in
            stack.apis[1].terminate()
            let end = try await stack.apis[1].waitForEnd()
            guard end == .exit(0) else { throw FixtureError("ended with \(String(describing: end))") }
            try await progress(world, commands: 2)
            try await stack.apis[1].start()
        },
        Fault(name: "SIGTERM of one worker") { stack, world in
            stack.workers[1].terminate()
            let end = try await stack.workers[1].waitForEnd()
            guard end == .exit(0) else { throw FixtureError("ended with \(String(describing: end))") }
            try await progress(world, commands: 2)
            try await stack.workers[1].start()
        },
        Fault(name: "kill -9 of everything") { stack, world in
            try await stack.killBroker()
            try await stack.killDatabase()
            for node in stack.apis + stack.workers { try await node.kill() }
            try await stack.startDatabase()
            try await stack.startBroker()
            for node in stack.apis + stack.workers { try node.launch() }
            for node in stack.apis + stack.workers { try await node.untilReady() }
        },
        Fault(name: "loss of JetStream's directory") { stack, world in
            try await stack.loseBrokerFiles()
        },
    ]
}
