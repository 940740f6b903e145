public import Ledger
public import LedgerStore
public import Postgres

/// Reads of the projections: what the worker has brought here so far.
public struct ProjectionReader: Sendable {
    /// The statements to prepare on the connections of the pool.
    public static let statements = ProjectionStatements.reader.merging(TotalsStatements.reader) { first, _ in first }

    let pool: PostgresPool
    let rows: ProjectionRows

    /// Reads through `pool`, whose connections know `statements`.
    public init(pool: PostgresPool, assets: AssetTable) {
        self.pool = pool
        rows = ProjectionRows(assets: assets)
    }

    /// The wallet as projected; nil when it is not there (yet).
    public func wallet(_ id: WalletID) async throws -> Wallet? {
        let rows = rows
        return try await pool.perform { connection in
            let parameters = PostgresParameters()
            parameters.append(uuid: id.uuid.bits)
            let result = try connection.query("projection_wallet", parameters)
            return result.isEmpty ? nil : try rows.wallet(result, 0, from: 0)
        }
    }

    /// The transfer as projected, with the wallet as its newest entry left it; nil when it is not there (yet).
    public func transfer(_ id: TransferID, in wallet: WalletID) async throws -> Receipt? {
        let rows = rows
        return try await pool.perform { connection in
            let parameters = PostgresParameters()
            parameters.append(uuid: wallet.uuid.bits)
            parameters.append(uuid: id.uuid.bits)
            return try Self.receipts(try connection.query("projection_transfer", parameters), rows).first
        }
    }

    /// The transfers that `query` asks for, newest first.
    public func transfers(in wallet: WalletID, _ query: TransferQuery) async throws -> [Receipt] {
        let rows = rows
        return try await pool.perform { connection in
            try Self.receipts(
                try connection.query("projection_transfers", query.parameters(of: wallet)), rows)
        }
    }

    private static func receipts(_ result: PostgresResult, _ rows: ProjectionRows) throws -> [Receipt] {
        try (0..<result.rowCount).map { row in
            let wallet = try rows.wallet(result, row, from: 0)
            return try rows.receipt(result, row, from: ProjectionStatements.walletColumnCount, of: wallet)
        }
    }
}
