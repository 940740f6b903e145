import Ledger
import LedgerStore
import Projections
import Runtime
import Synchronization
import Testing

@testable import API

/// How long a transfer that only its id names is waited for.
@Suite struct FreshReaderTests {
    /// Knows the wallet of a transfer from one look on.
    private final class SlowPast: PastReading {
        let since: Duration?
        private let foundAt: Int
        private let state = Mutex(0)

        init(since: Duration?, foundAt: Int) {
            self.since = since
            self.foundAt = foundAt
        }

        var looks: Int { state.withLock { $0 } }

        func sinceLastEvent() async throws -> Duration? { since }

        func wallets(ofTransfer id: TransferID) async throws -> [WalletID] {
            let look = state.withLock { looks in
                looks += 1
                return looks
            }
            return look >= foundAt ? [walletID] : []
        }

        func statement(of wallet: WalletID, _ query: StatementQuery) async throws -> WalletStatement? { nil }
        func wallet(_ id: WalletID, at moment: Timestamp) async throws -> PastWallet? { nil }
        func wallet(_ id: WalletID, version: Int64) async throws -> PastWallet? { nil }
        func wallets(owner: String, after: WalletID?, limit: Int) async throws -> [Wallet] { [] }
        func audit(_ id: WalletID) async throws -> BalanceAudit? { nil }
        func transfers(_ id: TransferID, in wallets: [WalletID]) async throws -> [TransferDetails] { [] }
        func totals(of wallet: WalletID, _ query: TotalsQuery) async throws -> WalletTotals? { nil }
        func outsideAccounts() async throws -> [OutsideAccount] { [] }
    }

    private func wallets(_ past: SlowPast, patience: Duration) async throws -> [WalletID] {
        let side = ReadSide(
            walletByID: { _ in .success(nil) }, transferByID: { _, _ in .success(nil) },
            transfersByQuery: { _, _ in .success([]) })
        let service = WalletService(
            submit: { _, _ in throw Problem(.internalError, "unset") },
            batches: BatchSide(each: { _, _ in [] }, all: { _, _, _ in .keyReused }),
            ledger: side, projection: side, past: past, operators: IdleOperators())
        return try await FreshReader(service: service, patience: patience, clock: .system)
            .wallets(ofTransfer: transferID)
    }

    /// Nothing is on its way: one more look, because something may have arrived since the first one, and no waiting.
    @Test(arguments: [nil, Duration.seconds(60), .seconds(3600)])
    func whereNothingIsOnItsWayNothingIsWaitedFor(_ since: Duration?) async throws {
        let past = SlowPast(since: since, foundAt: 1_000_000)
        #expect(try await wallets(past, patience: .seconds(60)).isEmpty)
        #expect(past.looks == 2)
        #expect(try await wallets(SlowPast(since: since, foundAt: 2), patience: .seconds(60)) == [walletID])
    }

    @Test(arguments: [Duration.zero, .seconds(1), .seconds(1800)])
    func whatMayBeOnItsWayIsWaitedFor(_ since: Duration) async throws {
        let past = SlowPast(since: since, foundAt: 5)
        #expect(try await wallets(past, patience: .seconds(3600)) == [walletID])
        #expect(past.looks == 5)
    }

    @Test func theWaitHasAnEnd() async throws {
        let past = SlowPast(since: .zero, foundAt: 1_000_000)
        #expect(try await wallets(past, patience: .milliseconds(20)).isEmpty)
        #expect(past.looks > 2)
    }

    @Test func whatIsThereNeedsOneLook() async throws {
        let past = SlowPast(since: .zero, foundAt: 1)
        #expect(try await wallets(past, patience: .seconds(60)) == [walletID])
        #expect(past.looks == 1)
    }
}
