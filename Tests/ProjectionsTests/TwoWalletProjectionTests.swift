import Ledger
import LedgerStore
import Postgres
import Projections
import Runtime
import TestSupport
import Testing

/// What happens between wallets, as the projections show it.
@Suite struct TwoWalletProjectionTests {
    private static func operation(_ wallet: WalletID, _ command: Command) -> Ledger.Operation {
        Ledger.Operation(
            walletID: wallet, command: command, key: nil, contentHash: nil, expectedVersion: nil, actor: "clerk")
    }

    private static func pay(
        _ path: EventPath, _ from: WalletID, _ to: WalletID, _ cents: Int, _ id: TransferID, atOnce: Bool = true
    ) async throws {
        let order = TransferOrder(
            id: id, hasClientID: true, direction: .credit, amount: path.amount(cents), settlesAtOnce: atOnce,
            expiry: atOnce ? .never : .after(seconds: 60), description: nil, metadata: nil, counterparty: to)
        try await path.submit(operation(from, .transfer(order)))
    }

    private static func everything(_ path: EventPath, _ wallets: [WalletID]) async throws {
        let ids = UUIDv7Generator()
        func id() -> TransferID { TransferID(ids.next()) }
        for (from, to) in zip(wallets, wallets.dropFirst()) {
            let (paid, held) = (id(), id())
            try await pay(path, from, to, 50, paid)
            try await pay(path, from, to, 20, held, atOnce: false)
            for cents in [10, 15] {
                let order = ReversalOrder(
                    original: paid, id: id(), hasClientID: true, amount: path.amount(cents), description: nil,
                    metadata: nil, note: "wrong")
                try await path.submit(operation(to, .reverse(order)))
            }
            try await path.submit(operation(to, .extend(held, expiry: .after(seconds: 900))))
            if from == wallets[1] { try await path.submit(operation(from, .complete(held, amount: nil))) }
        }
        try await path.submit(
            operation(
                wallets[0],
                .amend(Amendment(status: .frozen, metadata: .set("{}"), overdraftLimit: nil, note: "asked"))))
    }

    /// Both sides' transfers are projected as the ledger has them, by events and by a rebuild.
    @Test func projectionsAreTheLedger() async throws {
        try await EventPath.run { path in
            let wallets = try await path.openMany(4)
            _ = try await path.startRelay()
            let projector = try await path.startProjector()
            try await Self.everything(path, wallets)
            try await path.expectBooksToAgree()
            try await path.stop(projector)
            let ledger = path.start(
                PostgresPool(
                    name: "strong", configuration: try path.database.configuration(), size: 1,
                    statements: LedgerReader.statements))
            let projection = path.start(
                PostgresPool(
                    name: "projected", configuration: try path.projectionDatabase.configuration(), size: 1,
                    statements: ProjectionReader.statements))
            let strong = LedgerReader(pool: ledger, assets: AssetTable())
            let projected = ProjectionReader(pool: projection, assets: AssetTable())
            func compare() async throws -> Int128 {
                var reversed: Int128 = 0
                for id in wallets {
                    let query = TransferQuery(limit: 100)
                    let here = try await projected.transfers(in: id, query)
                    let there = try await strong.transfers(in: id, query)
                    #expect(here.map(\.transfer) == there.map(\.transfer))
                    #expect(here.map(\.wallet.balance) == there.map(\.wallet.balance))
                    #expect(try await projected.wallet(id) == strong.wallet(id))
                    reversed += here.reduce(0) { $0 + ($1.transfer?.reversedAmount ?? 0) }
                }
                return reversed
            }
            #expect(try await compare() == 150)
            try path.executeOnProjections("TRUNCATE projection.wallets, projection.transfers")
            _ = try await Rebuilder(
                ledger: try path.database.configuration(),
                projection: try path.projectionDatabase.configuration(), assets: AssetTable()
            ).rebuildAll { _ in true }
            #expect(try await compare() == 150)
        }
    }
}
