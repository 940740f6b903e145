public import Ledger
public import Postgres

/// A wallet as rows of arrays carry it, in the order in which `RowReading` reads it: the same for the ledger's table
/// and for the projection's.
public enum WalletColumns {
    /// The type of each column's array.
    public static let types: [PostgresType] = [
        .uuid, .timestamp, .timestamp, .int8, .int2, .text, .numeric, .numeric, .numeric, .numeric, .text, .text,
    ]

    /// Appends one row to arrays of `types`.
    public static func append(_ wallet: Wallet, to columns: [PostgresArray]) {
        columns[0].append(uuid: wallet.id.uuid.bits)
        columns[1].append(timestamp: wallet.createdAt.microseconds)
        columns[2].append(timestamp: wallet.updatedAt.microseconds)
        columns[3].append(int8: wallet.version)
        columns[4].append(int2: wallet.status.rawValue)
        columns[5].append(text: wallet.asset.code)
        columns[6].append(numeric: wallet.balance)
        columns[7].append(numeric: wallet.pendingDebit)
        columns[8].append(numeric: wallet.pendingCredit)
        columns[9].append(numeric: wallet.overdraftLimit)
        columns[10].append(text: wallet.ownerID)
        columns[11].append(text: wallet.metadata)
    }
}
