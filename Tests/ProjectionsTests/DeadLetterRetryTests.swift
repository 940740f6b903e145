import Events
import JSON
import Ledger
import Postgres
import TestSupport
import Testing

@testable import Projections

/// Events that were put aside can be applied once what was wrong is mended.
@Suite struct DeadLetterRetryTests {
    @Test func anEventIsAppliedWhenTheDatabaseTakesIt() async throws {
        try await EventPath.run { path in
            let moment = Timestamp(microseconds: 1_800_000_000_000_000)
            let wallet = Wallet(
                id: WalletID(RawUUID(bits: 1)), ownerID: "poison", asset: EventPath.eur, balance: 5, pendingDebit: 0,
                pendingCredit: 0, overdraftLimit: 0, version: 1, status: .active, metadata: nil, createdAt: moment,
                updatedAt: moment)
            var writer = JSONWriter()
            writer.event(WalletEvent(type: .walletCreated, wallet: wallet, transfer: nil, origin: .none))
            let payload = writer.bytes
            try path.executeOnProjections(
                "ALTER TABLE projection.wallets ADD CONSTRAINT no_poison CHECK (owner_id <> 'poison')")
            try await blocking {
                let connection = try path.projectionDatabase.connect()
                defer { connection.close() }
                let retry = try DeadLetterRetry(connection: connection)
                #expect(try retry.apply(payload)?.contains("no_poison") == true)
                #expect(try retry.apply(Array("17".utf8)) != nil)
                #expect(try retry.apply(Array("no JSON".utf8)) != nil)
                try path.executeOnProjections("ALTER TABLE projection.wallets DROP CONSTRAINT no_poison")
                #expect(try retry.apply(payload) == nil)
                #expect(try retry.apply([UInt8(ascii: "[")] + payload + [UInt8(ascii: "]")]) == nil)
            }
            #expect(try path.projectedNumber("SELECT count(*) FROM projection.wallets WHERE balance = 5") == 1)
        }
    }
}
