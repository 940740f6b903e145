public import Ledger
import LedgerStore
import Postgres

/// How long the periods of totals are. Days and months are those of UTC.
public enum TotalsPeriod: String, CaseIterable, Sendable {
    /// A day.
    case day
    /// A month.
    case month
}

/// Which totals of a wallet to list.
public struct TotalsQuery: Hashable, Sendable {
    /// How long the periods are.
    public var period: TotalsPeriod
    /// Only periods before the one that begins then: where the last page ended.
    public var before: Timestamp?
    /// Only the period of this moment and later ones.
    public var from: Timestamp?
    /// Only days before that of this moment.
    public var to: Timestamp?
    /// How many at most.
    public var limit: Int

    /// All periods, newest first, up to `limit`.
    public init(period: TotalsPeriod, limit: Int) {
        self.period = period
        self.limit = limit
    }
}

/// What was settled in a wallet in a day or a month.
public struct PeriodTotals: Hashable, Sendable {
    /// When the period begins.
    public let begin: Timestamp
    /// How many bookings brought money in.
    public let debitCount: Int64
    /// How many bookings took money out.
    public let creditCount: Int64
    /// Money that came in.
    public let debitAmount: MoneyTotal
    /// Money that went out.
    public let creditAmount: MoneyTotal
}

/// Totals of a wallet.
public struct WalletTotals: Sendable {
    /// All entries up to this version are counted.
    public let version: Int64
    /// Periods in which something was settled, newest first.
    public let periods: [PeriodTotals]
}

/// The balance of an account that is no wallet.
public struct OutsideAccount: Hashable, Sendable {
    /// The asset.
    public let asset: Asset
    /// `.world` or `.system`.
    public let account: Account
    /// Its balance: what wallets have came from there.
    public let balance: MoneyTotal
}

extension ProjectionReader {
    /// Totals of a wallet; nil when nothing of it was counted yet.
    public func totals(of wallet: WalletID, _ query: TotalsQuery) async throws -> WalletTotals? {
        try await pool.perform { connection in
            let parameters = PostgresParameters()
            parameters.append(uuid: wallet.uuid.bits)
            let checkpoint = try connection.query("totals_checkpoint", parameters)
            guard !checkpoint.isEmpty else { return nil }
            parameters.append(timestamp: query.before?.microseconds)
            parameters.append(timestamp: query.from?.microseconds)
            parameters.append(timestamp: query.to?.microseconds)
            parameters.append(int8: Int64(query.limit))
            let result = try connection.query("totals_by_\(query.period.rawValue)", parameters)
            let periods = try (0..<result.rowCount).map { row in
                PeriodTotals(
                    begin: Timestamp(microseconds: try result.timestamp(row, 0)),
                    debitCount: try result.int64(row, 1), creditCount: try result.int64(row, 2),
                    debitAmount: try result.total(row, 3), creditAmount: try result.total(row, 4))
            }
            return WalletTotals(version: try checkpoint.int64(0, 0), periods: periods)
        }
    }

    /// The balances of the accounts that are no wallets, by asset: with the balances of all wallets of the asset they
    /// sum up to zero, as far as the totals have come.
    public func outsideAccounts() async throws -> [OutsideAccount] {
        let assets = rows.assets
        return try await pool.perform { connection in
            let result = try connection.query("outside_accounts")
            return try (0..<result.rowCount).map { row in
                let code = try result.text(row, 0)
                guard let asset = assets[code] else {
                    throw LedgerStoreError.inconsistent("the asset \(code) is not configured; name it in WALLET_ASSETS")
                }
                return OutsideAccount(
                    asset: asset, account: try result.text(row, 1) == "system" ? .system : .world,
                    balance: try result.total(row, 2))
            }
        }
    }

    /// The wallets whose projected transfers have this id: usually one, or the two of a transfer between wallets.
    public func wallets(ofTransfer id: TransferID) async throws -> [WalletID] {
        try await pool.perform { connection in
            let parameters = PostgresParameters()
            parameters.append(uuid: id.uuid.bits)
            let result = try connection.query("wallets_of_transfer", parameters)
            return try (0..<result.rowCount).map { WalletID(RawUUID(bits: try result.uuid($0, 0))) }
        }
    }
}

extension PostgresResult {
    /// A `numeric` that the statement gives as text.
    fileprivate func total(_ row: Int, _ column: Int) throws -> MoneyTotal {
        let text = try text(row, column)
        guard let total = MoneyTotal(text: text) else {
            throw LedgerStoreError.inconsistent("\(text) is no sum of minor units")
        }
        return total
    }
}
