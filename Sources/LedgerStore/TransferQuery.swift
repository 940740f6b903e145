public import Ledger
public import Postgres

/// Which transfers of a wallet to list.
public struct TransferQuery: Hashable, Sendable {
    /// Only with this status.
    public var status: TransferStatus?
    /// Only in this direction.
    public var direction: Direction?
    /// Only created at this moment or later.
    public var from: Timestamp?
    /// Only created before this moment.
    public var to: Timestamp?
    /// Only created before the transfer with this creation version: where the last page ended.
    public var before: Int64?
    /// How many at most.
    public var limit: Int

    /// All transfers, newest first, up to `limit`.
    public init(limit: Int) {
        self.limit = limit
    }

    /// The parameters of a listing statement: wallet, before, status, direction, from, to, limit.
    public func parameters(of wallet: WalletID) -> PostgresParameters {
        let parameters = PostgresParameters()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(int8: before ?? .max)
        parameters.append(int2: status?.rawValue)
        parameters.append(int2: direction?.rawValue)
        parameters.append(timestamp: from?.microseconds)
        parameters.append(timestamp: to?.microseconds)
        parameters.append(int8: Int64(limit))
        return parameters
    }
}
