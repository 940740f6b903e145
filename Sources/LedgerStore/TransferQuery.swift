public import Ledger

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
}
