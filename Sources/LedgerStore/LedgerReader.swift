public import Ledger
public import Postgres

/// Reads of the write side: always what was last committed.
public struct LedgerReader: Sendable {
    /// The statements to prepare on the connections of the pool.
    public static let statements = Statements.reader.merging(HistoryStatements.all) { first, _ in first }

    let pool: PostgresPool
    let assets: AssetTable

    /// Reads through `pool`, whose connections know `statements`.
    public init(pool: PostgresPool, assets: AssetTable) {
        self.pool = pool
        self.assets = assets
    }

    /// The wallet as last committed; nil when there is none.
    public func wallet(_ id: WalletID) async throws -> Wallet? {
        let reading = RowReading(assets: assets)
        return try await pool.perform { try Self.wallet(id, reading, $0) }
    }

    /// The transfer as last committed, with the wallet as its newest entry left it; nil when there is none.
    public func transfer(_ id: TransferID, in wallet: WalletID) async throws -> Receipt? {
        let reading = RowReading(assets: assets)
        return try await pool.perform { connection in
            let parameters = PostgresParameters()
            parameters.append(uuid: wallet.uuid.bits)
            parameters.append(uuid: id.uuid.bits)
            return try Self.receipts(try connection.query("ledger_transfer", parameters), reading).first
        }
    }

    /// The transfers that `query` asks for, newest first.
    public func transfers(in wallet: WalletID, _ query: TransferQuery) async throws -> [Receipt] {
        let reading = RowReading(assets: assets)
        return try await pool.perform { connection in
            guard try Self.wallet(wallet, reading, connection) != nil else { return [] }
            let (after, before) = try Self.versions(
                of: wallet, from: query.from, to: query.to, after: nil, before: query.before, connection)
            let parameters = PostgresParameters()
            parameters.append(uuid: wallet.uuid.bits)
            parameters.append(int8: after)
            parameters.append(int8: before)
            parameters.append(int2: query.status?.rawValue)
            parameters.append(int2: query.direction?.rawValue)
            parameters.append(int8: Int64(query.limit))
            return try Self.receipts(try connection.query("ledger_transfers", parameters), reading)
        }
    }

    static func receipts(_ result: PostgresResult, _ reading: RowReading) throws -> [Receipt] {
        try (0..<result.rowCount).compactMap { row in
            let wallet = try reading.wallet(result, row, from: 0)
            return try reading.transfer(result, row, from: Statements.walletColumnCount, of: wallet)?.receipt
        }
    }
}
