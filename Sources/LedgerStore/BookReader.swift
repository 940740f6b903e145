public import Digest
public import Ledger
public import Postgres

/// What the journal of the other wallet of a transfer says.
public struct MirroredTransfer: Sendable {
    /// The other wallet's asset code; nil when there is no such wallet.
    public let assetCode: String?
    /// The first entry of the transfer there; nil when there is none.
    public let creation: Entry?
    /// The entry that resolved it there later, if any.
    public let resolution: Entry?
}

/// A journal entry's link in its wallet's chain of hashes.
public struct ChainLink: Hashable, Sendable {
    /// The entry's version.
    public let version: Int64
    /// The hash stored with it.
    public let hash: Fingerprint
}

/// Reads what audits of the whole book compare across wallets. Belongs to the thread that uses the connection.
public struct BookReader {
    private let connection: PostgresConnection
    private let reading: RowReading
    private let parameters = PostgresParameters()

    private static let statements: [String: String] = [
        "book_mirrors": """
        SELECT w.asset, \(Statements.entryColumns("c")), \(Statements.entryColumns("r"))
        FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY k(wallet_id, transfer_id, place)
        LEFT JOIN ledger.wallets w ON w.id = k.wallet_id
        LEFT JOIN ledger.transfers t ON t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
        LEFT JOIN ledger.journal c ON c.wallet_id = t.wallet_id AND c.version = t.created_version
        LEFT JOIN ledger.journal r ON r.wallet_id = t.wallet_id AND r.version = t.resolved_version
        ORDER BY k.place
        """,
        "book_links": """
        SELECT version, chain FROM ledger.journal
        WHERE wallet_id = $1 AND version > $2 ORDER BY version LIMIT $3
        """,
        "book_newest_link": "SELECT chain FROM ledger.wallets WHERE id = $1",
        "book_reversed": """
        SELECT transfer_id, reversed_amount, counterparty FROM ledger.transfers
        WHERE wallet_id = $1 AND transfer_id >= $2 ORDER BY transfer_id LIMIT $3
        """,
    ]

    /// Reads through `connection`, on which the statements are prepared.
    public init(connection: PostgresConnection, assets: AssetTable) throws {
        self.connection = connection
        reading = RowReading(assets: assets)
        for (name, sql) in Self.statements.sorted(by: { $0.key < $1.key }) { try connection.prepare(name, sql) }
    }

    /// What the journals of these wallets say about these transfers, in the order given.
    public func mirrors(_ keys: [(wallet: WalletID, transfer: TransferID)]) throws -> [MirroredTransfer] {
        guard !keys.isEmpty else { return [] }
        let (wallets, transfers) = (PostgresArray(of: .uuid), PostgresArray(of: .uuid))
        for key in keys {
            wallets.append(uuid: key.wallet.uuid.bits)
            transfers.append(uuid: key.transfer.uuid.bits)
        }
        parameters.removeAll()
        parameters.append(wallets)
        parameters.append(transfers)
        let result = try connection.query("book_mirrors", parameters)
        return try (0..<result.rowCount).map { row in
            MirroredTransfer(
                assetCode: try result.optionalText(row, 0), creation: try reading.entry(result, row, from: 1),
                resolution: try reading.entry(result, row, from: 1 + Statements.entryColumnCount))
        }
    }

    /// The hashes of a wallet's entries after `version`, in order.
    public func links(of wallet: WalletID, after version: Int64, limit: Int) throws -> [ChainLink] {
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(int8: version)
        parameters.append(int8: Int64(limit))
        let result = try connection.query("book_links", parameters)
        return try (0..<result.rowCount).map {
            ChainLink(version: try result.int64($0, 0), hash: try result.fingerprint($0, 1))
        }
    }

    /// The newest hash as the wallet's row has it; nil when there is no such wallet.
    public func newestLink(of wallet: WalletID) throws -> Fingerprint? {
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        let result = try connection.query("book_newest_link", parameters)
        return result.isEmpty ? nil : try result.fingerprint(0, 0)
    }

    /// How much of a wallet's transfers after `id` in id order was given back, as the transfers table says.
    public func reversedAmounts(
        of wallet: WalletID, after id: TransferID?, limit: Int
    ) throws -> [(id: TransferID, amount: Int128)] {
        guard let start = RawUUID.following(id?.uuid) else { return [] }
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(uuid: start.bits)
        parameters.append(int8: Int64(limit))
        let result = try connection.query("book_reversed", parameters)
        return try (0..<result.rowCount).map {
            (TransferID(RawUUID(bits: try result.uuid($0, 0))), try result.int128($0, 1))
        }
    }
}
