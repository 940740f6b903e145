import Foundation
import JSON
import TestSupport
import Testing

extension SystemTests {
    /// Two api processes, one wallet, many clients at the same moment.
    @Suite struct HotWalletTests {
        private static let clients = 16

        /// Every client takes what it can in small pieces: what was there is given out, and not a cent more.
        @Test(.timeLimit(.minutes(2))) func creditsRacingForTheLastMoneyNeverOverdraw() async throws {
            let stack = try await WalletStack.shared()
            let wallet = try await Self.makeWallet("10.00", stack)
            let answers = try await Self.race(stack) { client, connection in
                try (0..<8).map { number in
                    let body = #"{"amount":"0.30","status":"completed","reference_id":"\#(client)-\#(number)"}"#
                    return try connection.exchange(.post("/v1/wallet/\(wallet)/transfers/credit", body))
                }
            }
            #expect(answers.count { $0.status == 201 } == 33)
            #expect(answers.count { $0.code == "insufficient_funds" } == answers.count - 33)
            let after = answers.filter { $0.status == 201 }.compactMap { $0.json["wallet"]?["balance"]?.string }
            #expect(Set(after).count == 33, "each left another balance")
            let end = try #require(await stack.apis[0].answer(.get("/v1/wallet/\(wallet)?consistency=strong")))
            #expect(end.json["balance"]?.string == "0.10")
            // Refused credits with a key are journal entries, too.
            #expect(end.json["version"]?.int64 == Int64(answers.count + 1))
        }

        /// Half of the clients complete, half revert: one wins, and the others are told who it was.
        @Test(.timeLimit(.minutes(2))) func completeRacingRevertHasOneWinner() async throws {
            let stack = try await WalletStack.shared()
            let wallet = try await Self.makeWallet("100.00", stack)
            var transfers: [String] = []
            for _ in 0..<12 {
                let made = await stack.apis[0].answer(
                    .post("/v1/wallet/\(wallet)/transfers/credit", #"{"amount":"1.00"}"#))
                transfers.append(try #require(made?.json["id"]?.string))
            }
            let ids = transfers
            let answers = try await Self.race(stack) { client, connection in
                try ids.map { id in
                    let verb = client % 4 < 2 ? "complete" : "revert"
                    let key = #"{"reference_id":"\#(client) \#(verb) \#(id)"}"#
                    return try connection.exchange(.post("/v1/wallet/\(wallet)/transfers/\(id)/\(verb)", key))
                }
            }
            var completed = 0
            for id in ids {
                let won = answers.filter { $0.status == 200 && $0.json["id"]?.string == id }
                let lost = answers.filter { $0.status == 409 && $0.json["transfer"]?["id"]?.string == id }
                #expect(won.count == 1)
                #expect(lost.count == Self.clients - 1)
                let status = won.first?.json["status"]?.string
                #expect(lost.allSatisfy { $0.code == "transfer_not_pending" })
                #expect(lost.allSatisfy { $0.json["transfer"]?["status"]?.string == status })
                if status == "completed" { completed += 1 }
            }
            let end = try #require(await stack.apis[1].answer(.get("/v1/wallet/\(wallet)?consistency=strong")))
            #expect(end.json["balance"]?.string == Euros.text(10_000 - completed * 100))
            #expect(end.json["pending_credit"]?.string == "0.00")
        }

        /// The same request from everybody at once: one effect, one answer, and one of them is the first.
        @Test(
            .timeLimit(.minutes(2)),
            arguments: [
                #"{"amount":"5.00","status":"completed","reference_id":"the one"}"#,
                #"{"amount":"5.00","transfer_id":"0199f2f4-5d5c-7b0a-9d0e-0d6f0c1f4a11"}"#,
            ])
        func concurrentIdenticalCreatesHaveOneEffect(body: String) async throws {
            let stack = try await WalletStack.shared()
            let wallet = try await Self.makeWallet("20.00", stack)
            let answers = try await Self.race(stack) { _, connection in
                try (0..<3).map { _ in
                    try connection.exchange(.post("/v1/wallet/\(wallet)/transfers/credit", body))
                }
            }
            Self.expectOneEffect(answers)
            let end = try #require(await stack.apis[0].answer(.get("/v1/wallet/\(wallet)?consistency=strong")))
            #expect(end.json["version"]?.int64 == 2)
            #expect(end.json["available"]?.string == "15.00")
        }

        @Test(.timeLimit(.minutes(2))) func concurrentCreationsOfAWalletUnderOneKeyMakeOne() async throws {
            let stack = try await WalletStack.shared()
            let key = UUID().uuidString
            let answers = try await Self.race(stack) { _, connection in
                [try connection.exchange(.post("/v1/wallet", #"{"asset":"USD","reference_id":"\#(key)"}"#))]
            }
            Self.expectOneEffect(answers)
        }

        /// Random operations of all kinds on one wallet through both processes; then the books.
        @Test(.timeLimit(.minutes(3))) func randomOperationsOnOneWalletKeepTheBooks() async throws {
            let seed = TestRandom().seed
            try await withStack(apis: 2, workers: 1) { stack in
                let wallets = try await FaultTests.makeWallets(2, stack)
                let world = MoneyWorld(wallets: wallets, ports: stack.apis.map(\.port), clients: Self.clients)
                async let load: Void = FaultTests.load(world, seed: seed, clients: Self.clients)
                do { try await FaultTests.progress(world, commands: 60) } catch {
                    world.end()
                    try await load
                    throw error
                }
                world.end()
                try await load
                #expect(world.failures.isEmpty, "without any fault: \(world.failures)")
                #expect(world.complaints.isEmpty, "\(world.complaints.prefix(10).joined(separator: "\n"))")
                try await eventually(within: .seconds(30), "projections equal to the ledger, nothing left to run out") {
                    let waiting = try await stack.count("SELECT count(*)::text FROM ledger.expirations")
                    guard waiting == 0 else { return false }
                    return try await MoneyAudit.isSettled(stack)
                }
                var audit = MoneyAudit(stack)
                try await audit.run(world.records)
                #expect(
                    audit.findings.isEmpty,
                    "\(audit.findings.count): \(audit.findings.prefix(10).joined(separator: "\n"))")
                try await Self.checkTheAudit(stack, world.records)
            }
        }

        /// The audit notices a cent, a row and a record that are wrong.
        private static func checkTheAudit(_ stack: WalletStack, _ records: [MoneyRecord]) async throws {
            // A worker would mend the projections meanwhile.
            try await stack.workers[0].kill()
            for (harm, repair) in damages {
                try await stack.execute(harm)
                var audit = MoneyAudit(stack)
                try await audit.run(records)
                #expect(!audit.findings.isEmpty, "not noticed: \(harm)")
                try await stack.execute(repair)
            }
            let told = records.flatMap(\.effects).filter(\.isSuccess)
            let others = records.flatMap(\.effects).filter { !$0.isSuccess }
            let keyed = try #require(told.firstIndex { $0.command.key != nil })
            var dropped = told
            dropped[keyed] = told[keyed].asDropped
            for wrong in [
                told.dropLast() + others, told + [told[0]] + others, told.map(\.withAnotherVersion) + others,
                dropped + others,
            ] {
                var audit = MoneyAudit(stack)
                try await audit.run(wrong)
                #expect(!audit.findings.isEmpty)
            }
            var audit = MoneyAudit(stack)
            try await audit.run(records)
            #expect(audit.findings.isEmpty, "all was repaired: \(audit.findings)")
        }

        /// What a fault could do to the books, and how to undo it.
        private static let damages: [(harm: String, repair: String)] = ownDamages + sharedDamages

        /// Of what one wallet's operations wrote.
        private static let ownDamages: [(harm: String, repair: String)] = {
            let one = "WHERE id = (SELECT max(id::text)::uuid FROM ledger.wallets)"
            let row =
                "WHERE (wallet_id, version) IN (SELECT wallet_id, version FROM ledger.journal"
                + " WHERE kind = 3 AND direction = 1 ORDER BY wallet_id, version LIMIT 1)"
            let open = "ALTER TABLE ledger.journal DISABLE TRIGGER USER;"
            let change = { (sign: String) in
                "\(open) UPDATE ledger.journal SET amount = amount \(sign) 1 \(row);"
                    + "ALTER TABLE ledger.journal ENABLE TRIGGER USER"
            }
            return [
                (
                    "UPDATE projection.wallets SET balance = balance + 1 \(one)",
                    "UPDATE projection.wallets SET balance = balance - 1 \(one)"
                ),
                (
                    "UPDATE ledger.wallets SET balance = balance + 1 \(one)",
                    "UPDATE ledger.wallets SET balance = balance - 1 \(one)"
                ),
                (
                    "UPDATE ledger.wallets SET version = version + 1 \(one)",
                    "UPDATE ledger.wallets SET version = version - 1 \(one)"
                ),
                (change("+"), change("-")),
                (
                    "CREATE TABLE kept AS SELECT * FROM projection.transfers LIMIT 1;"
                        + "DELETE FROM projection.transfers t USING kept k"
                        + " WHERE (t.wallet_id, t.transfer_id) = (k.wallet_id, k.transfer_id)",
                    "INSERT INTO projection.transfers SELECT * FROM kept"
                ),
            ]
        }()

        /// Of what was written for two wallets, for a batch and for all.
        private static let sharedDamages: [(harm: String, repair: String)] = {
            let guarded = { (change: String) in
                "ALTER TABLE ledger.journal DISABLE TRIGGER USER; \(change);"
                    + "ALTER TABLE ledger.journal ENABLE TRIGGER USER"
            }
            let row = "WHERE (j.wallet_id, j.version) = (s.wallet_id, s.version)"
            let batch = "WHERE key_digest = (SELECT max(key_digest::text)::uuid FROM ledger.batches)"
            let outside = { (sign: String) in
                "UPDATE projection.outside_accounts SET balance = balance \(sign) 1 WHERE account = 'world'"
            }
            let totals = { (sign: String) in
                "UPDATE projection.totals_wallets SET version = version \(sign) 1"
            }
            return [
                (
                    "CREATE TABLE side AS SELECT wallet_id, version, counterparty FROM ledger.journal"
                        + " WHERE counterparty IS NOT NULL AND kind = 3 LIMIT 1;"
                        + guarded("UPDATE ledger.journal j SET counterparty = NULL FROM side s \(row)"),
                    guarded("UPDATE ledger.journal j SET counterparty = s.counterparty FROM side s \(row)")
                ),
                (
                    "CREATE TABLE lot AS SELECT * FROM ledger.batches \(batch); DELETE FROM ledger.batches \(batch)",
                    "INSERT INTO ledger.batches SELECT * FROM lot"
                ),
                (outside("+"), outside("-")),
                (totals("+"), totals("-")),
            ]
        }()

        private static func expectOneEffect(_ answers: [HTTPAnswer]) {
            #expect(answers.allSatisfy { $0.status == 201 }, "\(answers.first { $0.status != 201 }?.summary ?? "")")
            #expect(Set(answers.map(\.body)).count == 1)
            #expect(answers.count { !$0.isReplay } == 1)
        }

        private static func makeWallet(_ balance: String, _ stack: WalletStack) async throws -> String {
            let answer = await stack.apis[0].answer(.post("/v1/wallet", #"{"initial_balance":"\#(balance)"}"#))
            return try #require(answer?.json["id"]?.string, "\(answer?.summary ?? "no answer")")
        }

        /// All clients, half of them at each process, begin together; returns all their answers.
        private static func race(
            _ stack: WalletStack, _ body: @escaping @Sendable (Int, HTTPConnection) throws -> [HTTPAnswer]
        ) async throws -> [HTTPAnswer] {
            let ports = stack.apis.map(\.port)
            let gate = Gate(clients)
            return try await withThrowingTaskGroup(of: [HTTPAnswer].self) { group in
                for client in 0..<clients {
                    group.addTask {
                        try await blocking {
                            let connection = HTTPConnection(port: ports[client % ports.count])
                            let isReady = (try? connection.exchange(.get("/v1/health"))) != nil
                            gate.pass()
                            guard isReady else { throw HTTPFailure.refused }
                            return try body(client, connection)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
        }
    }
}

/// Lets nobody through before everybody is there.
final class Gate: @unchecked Sendable {
    private let condition = NSCondition()
    private var missing: Int

    init(_ count: Int) { missing = count }

    func pass() {
        condition.lock()
        defer { condition.unlock() }
        missing -= 1
        if missing == 0 { condition.broadcast() }
        while missing > 0 { condition.wait() }
    }
}
