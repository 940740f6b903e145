import Ledger
import LedgerStore
import Projections

/// Reads of what wallets were and did, and of what is known about many of them.
protocol PastReading: Sendable {
    /// A part of a wallet's journal; nil when there is no such wallet.
    func statement(of wallet: WalletID, _ query: StatementQuery) async throws -> WalletStatement?
    /// The wallet as it was at a moment; nil when there is no such wallet.
    func wallet(_ id: WalletID, at moment: Timestamp) async throws -> PastWallet?
    /// The wallet as an entry left it; nil when there is no such wallet.
    func wallet(_ id: WalletID, version: Int64) async throws -> PastWallet?
    /// An owner's wallets in id order.
    func wallets(owner: String, after: WalletID?, limit: Int) async throws -> [Wallet]
    /// A wallet compared with its journal; nil when there is no such wallet.
    func audit(_ id: WalletID) async throws -> BalanceAudit?
    /// The wallets whose projected transfers have this id.
    func wallets(ofTransfer id: TransferID) async throws -> [WalletID]
    /// For how long every committed event has been in the stream: zero while some are not, nil when that is long ago.
    func sinceLastEvent() async throws -> Duration?
    /// The transfers with this id in the journals of wallets.
    func transfers(_ id: TransferID, in wallets: [WalletID]) async throws -> [TransferDetails]
    /// A wallet's totals by day or month; nil when nothing of it was counted yet.
    func totals(of wallet: WalletID, _ query: TotalsQuery) async throws -> WalletTotals?
    /// The balances of the accounts that are no wallets.
    func outsideAccounts() async throws -> [OutsideAccount]
}

/// The past as journals and projections tell it.
struct StoredPast: PastReading {
    let ledger: LedgerReader
    let projection: ProjectionReader

    func statement(of wallet: WalletID, _ query: StatementQuery) async throws -> WalletStatement? {
        try await ledger.statement(of: wallet, query)
    }

    func wallet(_ id: WalletID, at moment: Timestamp) async throws -> PastWallet? {
        try await ledger.wallet(id, at: moment)
    }

    func wallet(_ id: WalletID, version: Int64) async throws -> PastWallet? {
        try await ledger.wallet(id, version: version)
    }

    func wallets(owner: String, after: WalletID?, limit: Int) async throws -> [Wallet] {
        try await ledger.wallets(owner: owner, after: after, limit: limit)
    }

    func audit(_ id: WalletID) async throws -> BalanceAudit? {
        try await ledger.audit(id)
    }

    func wallets(ofTransfer id: TransferID) async throws -> [WalletID] {
        try await projection.wallets(ofTransfer: id)
    }

    func sinceLastEvent() async throws -> Duration? {
        try await ledger.sinceLastEvent()
    }

    func transfers(_ id: TransferID, in wallets: [WalletID]) async throws -> [TransferDetails] {
        try await ledger.transfers(id, in: wallets)
    }

    func totals(of wallet: WalletID, _ query: TotalsQuery) async throws -> WalletTotals? {
        try await projection.totals(of: wallet, query)
    }

    func outsideAccounts() async throws -> [OutsideAccount] {
        try await projection.outsideAccounts()
    }
}
