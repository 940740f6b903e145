import Foundation
import TestSupport
import Testing

extension SystemTests {
    /// New users while the workers that open their wallets are killed.
    @Suite struct ProvisioningTests {
        private static let subject = "users.user.created.v1"
        private static let assets = ["EUR", "USD"]
        private static let users = 60

        @Test(.timeLimit(.minutes(4))) func eachUserHasOneWalletOfEachAssetWhateverIsKilled() async throws {
            let settings = [
                "WALLET_USER_STREAM_CREATE": "true", "WALLET_USER_ASSETS": Self.assets.joined(separator: ","),
            ]
            try await withStack(apis: 1, workers: 3, settings: settings) { stack in
                // Two die while they have users' events at hand; their unfinished ones come again to the third.
                for (number, victim) in stack.workers.dropLast().enumerated() {
                    try await Self.publish(copies: 3, Self.range(number), stack)
                    try await Self.untilWallets(stack, atLeast: number * Self.users / 3 * Self.assets.count + 1)
                    try await victim.kill()
                    try await Self.publish(copies: 1, Self.range(number), stack)
                }
                try await stack.workers[0].start()
                try await stack.killDatabase()
                try await Self.publish(copies: 2, Self.range(2), stack)
                try await stack.startDatabase()
                try await stack.killBroker()
                try await stack.startBroker()
                for node in stack.workers where node.isRunning { try await node.untilReady() }
                // From here on nobody dies. What a dead worker had at hand comes again only much later: the users' next
                // events do as well.
                try await Self.publish(copies: 1, 0..<Self.users, stack)
                try await Self.untilWallets(stack, atLeast: Self.users * Self.assets.count)
                let before = await Self.repeats(stack)
                try await Self.publish(copies: 2, 0..<Self.users, stack)
                try await eventually(within: .seconds(60), "every repeat's end") {
                    await Self.repeats(stack) >= before + Double(2 * Self.users)
                }
                try await Self.check(stack)
            }
        }

        private static func check(_ stack: WalletStack) async throws {
            let wallets = try await stack.rows("SELECT owner_id, asset FROM ledger.wallets ORDER BY owner_id, asset")
            let wanted = (0..<users).flatMap { user in assets.map { ["user-\(1_000 + user)", $0] } }
            #expect(wallets == wanted)
            let entries = try await stack.count("SELECT count(*)::text FROM ledger.journal")
            #expect(entries == wanted.count, "one entry a wallet")
            let letters = try await stack.count("SELECT count(*)::text FROM ledger.dead_letters")
            #expect(letters == 0)
            try await eventually(within: .seconds(30), "projections equal to the ledger") {
                try await MoneyAudit.isSettled(stack)
            }
            let end = try await stack.run("audit")
            #expect(end.end == .exit(0), "wallet audit: \(end.end) \(end.output.suffix(2_000))")
        }

        private static func range(_ number: Int) -> Range<Int> { (number * users / 3)..<((number + 1) * users / 3) }

        /// Publishes the events of some users, each several times under ids of their own; every one is in the stream
        /// when this returns.
        private static func publish(copies: Int, _ users: Range<Int>, _ stack: WalletStack) async throws {
            let events = (0..<copies).flatMap { _ in
                users.map { user in
                    """
                    {"specversion":"1.0","id":"\(UUID().uuidString)","source":"/users","type":"\(subject)",\
                    "data":{"id":"user-\(1_000 + user)"}}
                    """
                }
            }
            try await stack.nats.publish(events, to: subject)
        }

        private static func untilWallets(_ stack: WalletStack, atLeast count: Int) async throws {
            try await eventually(within: .seconds(30), "\(count) wallets of users") {
                try await stack.count("SELECT count(*)::text FROM ledger.wallets") >= count
            }
        }

        /// Events that the running workers found to be repeats.
        private static func repeats(_ stack: WalletStack) async -> Double {
            var sum = 0.0
            for node in stack.workers where node.isRunning {
                sum += await node.metric("wallet_provisioning_repeats_total")
            }
            return sum
        }
    }
}
