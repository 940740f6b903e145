public import Events
public import Ledger
public import Postgres

/// A journal row with what is needed to understand it.
public struct JournalRecord: Sendable {
    /// The row.
    public let entry: Entry
    /// The first row of its transfer; may be the same row; nil for rows without a transfer.
    public let creation: Entry?
    /// The change as it was published.
    public let event: WalletEvent
}

/// A wallet as stored next to the newest row of its journal.
public struct StoredWallet: Sendable {
    /// The row of the wallets table.
    public let wallet: Wallet
    /// The newest journal row; nil when the journal has none.
    public let newest: Entry?
}

/// A row of the transfers table next to the journal rows that it names.
public struct StoredTransfer: Sendable {
    /// The transfer.
    public let id: TransferID
    /// Where it stands, as a number of `TransferStatus`.
    public let status: Int16
    /// Its direction, as a number of `Direction`.
    public let direction: Int16
    /// The sum asked for.
    public let amount: Int128
    /// The wallet version of its creation.
    public let createdVersion: Int64
    /// The wallet version of its resolution, which is that of its creation when it settled at once.
    public let resolvedVersion: Int64?
    /// When it runs out.
    public let expiresAt: Timestamp?
    /// Whether it waits to be expired.
    public let awaitsExpiry: Bool
    /// The journal row of `createdVersion`.
    public let creation: Entry?
    /// The journal row of `resolvedVersion`; for a pending transfer that of its newest extension.
    public let resolution: Entry?
}

/// Walks over the write side in pieces, for audits and rebuilds. Belongs to the thread that uses the connection.
public struct JournalReader {
    private let connection: PostgresConnection
    private let reading: RowReading
    private let parameters = PostgresParameters()

    /// Reads through `connection`, on which the statements are prepared.
    public init(connection: PostgresConnection, assets: AssetTable) throws {
        self.connection = connection
        reading = RowReading(assets: assets)
        for (name, sql) in Statements.journal.sorted(by: { $0.key < $1.key }) { try connection.prepare(name, sql) }
    }

    /// The next wallets in id order after `id` (from the beginning when nil), each with its newest journal row, all as
    /// of one moment.
    public func wallets(after id: WalletID?, limit: Int) throws -> [StoredWallet] {
        guard let start = RawUUID.following(id?.uuid) else { return [] }
        parameters.removeAll()
        parameters.append(uuid: start.bits)
        parameters.append(int8: Int64(limit))
        return try stored(try connection.query("journal_wallets", parameters))
    }

    /// One wallet with its newest journal row; nil when there is none.
    public func wallet(_ id: WalletID) throws -> StoredWallet? {
        parameters.removeAll()
        parameters.append(uuid: id.uuid.bits)
        return try stored(try connection.query("journal_wallet", parameters)).first
    }

    /// The version of a wallet's newest journal row; nil when there is none.
    public func newestVersion(of id: WalletID) throws -> Int64? {
        parameters.removeAll()
        parameters.append(uuid: id.uuid.bits)
        let result = try connection.query("journal_version", parameters)
        return result.isEmpty ? nil : try result.int64(0, 0)
    }

    /// The rows of one wallet's journal after `version`, in order. `wallet` gives owner, asset and metadata.
    public func records(of wallet: Wallet, after version: Int64, limit: Int) throws -> [JournalRecord] {
        try records(of: [(wallet, version)], limit: limit)[wallet.id] ?? []
    }

    /// The rows of several wallets' journals in one statement: of each those after its version, in order, at most
    /// `limit`.
    public func records(
        of wallets: [(wallet: Wallet, after: Int64)], limit: Int
    ) throws -> [WalletID: [JournalRecord]] {
        guard !wallets.isEmpty else { return [:] }
        let ids = PostgresArray(of: .uuid)
        let versions = PostgresArray(of: .int8)
        var byID: [WalletID: Wallet] = [:]
        for (wallet, version) in wallets {
            ids.append(uuid: wallet.id.uuid.bits)
            versions.append(int8: version)
            byID[wallet.id] = wallet
        }
        parameters.removeAll()
        parameters.append(ids)
        parameters.append(versions)
        parameters.append(int8: Int64(limit))
        let result = try connection.query("journal_entries_of", parameters)
        var records: [WalletID: [JournalRecord]] = [:]
        for row in 0..<result.rowCount {
            guard let wallet = byID[WalletID(RawUUID(bits: try result.uuid(row, 0)))],
                let record = try record(result, row, of: wallet)
            else { continue }
            records[wallet.id, default: []].append(record)
            // The metadata that an entry told holds for those that follow it.
            byID[wallet.id] = record.event.wallet
        }
        return records
    }

    private func record(_ result: PostgresResult, _ row: Int, of wallet: Wallet) throws -> JournalRecord? {
        guard let entry = try reading.entry(result, row, from: 0) else { return nil }
        let creation = try reading.entry(result, row, from: Statements.entryColumnCount)
        return Self.record(entry, creation: creation, of: wallet)
    }

    private static func record(_ entry: Entry, creation: Entry?, of wallet: Wallet) -> JournalRecord {
        let transfer = creation.flatMap { Transfer(creation: $0, last: entry) }
        let event = WalletEvent(
            type: EventType(entry), wallet: wallet.asLeft(by: entry), transfer: transfer, origin: .none)
        return JournalRecord(entry: entry, creation: creation, event: event)
    }

    /// The rows of a wallet's transfers after `id` in id order (from the beginning when nil).
    public func transfers(of wallet: WalletID, after id: TransferID?, limit: Int) throws -> [StoredTransfer] {
        guard let start = RawUUID.following(id?.uuid) else { return [] }
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(uuid: start.bits)
        parameters.append(int8: Int64(limit))
        let result = try connection.query("journal_transfers", parameters)
        return try (0..<result.rowCount).map { row in
            StoredTransfer(
                id: TransferID(RawUUID(bits: try result.uuid(row, 0))), status: try result.int16(row, 1),
                direction: try result.int16(row, 2), amount: try result.int128(row, 3),
                createdVersion: try result.int64(row, 4), resolvedVersion: try result.optionalInt64(row, 5),
                expiresAt: try result.optionalTimestamp(row, 6).map(Timestamp.init(microseconds:)),
                awaitsExpiry: try result.bool(row, 7), creation: try reading.entry(result, row, from: 8),
                resolution: try reading.entry(result, row, from: 8 + Statements.entryColumnCount))
        }
    }

    /// Those of a wallet's transfers, each with a version, of which the journal has no row.
    public func lacking(
        _ transfers: [(id: TransferID, version: Int64)], of wallet: WalletID
    ) throws -> Set<TransferID> {
        let (ids, versions) = (PostgresArray(of: .uuid), PostgresArray(of: .int8))
        for transfer in transfers {
            ids.append(uuid: transfer.id.uuid.bits)
            versions.append(int8: transfer.version)
        }
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(ids)
        parameters.append(versions)
        let result = try connection.query("journal_lacks", parameters)
        return try Set((0..<result.rowCount).map { TransferID(RawUUID(bits: try result.uuid($0, 0))) })
    }

    /// The newest rows of some of a wallet's transfers; unknown ones are left out. `wallet` gives owner, asset and
    /// metadata.
    public func newest(of transfers: some Collection<TransferID>, in wallet: Wallet) throws -> [JournalRecord] {
        let (wallets, ids) = (PostgresArray(of: .uuid), PostgresArray(of: .uuid))
        for transfer in transfers {
            wallets.append(uuid: wallet.id.uuid.bits)
            ids.append(uuid: transfer.uuid.bits)
        }
        parameters.removeAll()
        parameters.append(wallets)
        parameters.append(ids)
        let result = try connection.query("journal_transfers_of", parameters)
        return try (0..<result.rowCount).compactMap { row in
            guard let creation = try reading.entry(result, row, from: 0) else { return nil }
            let last = try reading.entry(result, row, from: Statements.entryColumnCount) ?? creation
            return JournalReader.record(last, creation: creation, of: wallet)
        }
    }

    /// One row of a wallet's journal; nil when there is none.
    public func entry(of wallet: WalletID, version: Int64) throws -> Entry? {
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(int8: version)
        let result = try connection.query("journal_entry", parameters)
        return result.isEmpty ? nil : try reading.entry(result, 0, from: 0)
    }

    private func stored(_ result: PostgresResult) throws -> [StoredWallet] {
        try (0..<result.rowCount).map { row in
            StoredWallet(
                wallet: try reading.wallet(result, row, from: 0),
                newest: try reading.entry(result, row, from: Statements.walletColumnCount))
        }
    }
}
