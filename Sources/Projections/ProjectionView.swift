import Ledger
import Postgres

/// What audits need of a projected wallet.
struct ProjectedWallet {
    let wallet: Wallet
    /// Every journal entry up to here was seen in the projections.
    let auditedVersion: Int64
}

/// What audits need of a projected transfer.
struct ProjectedTransfer {
    let version: Int64
    let status: Int16
    let amount: Int128
    let completedAmount: Int128?
}

/// Reads projections for audits. Belongs to the thread that uses the connection, on which `ProjectionWriter` has
/// prepared the statements.
struct ProjectionView {
    let connection: PostgresConnection
    let rows: ProjectionRows
    private let parameters = PostgresParameters()

    init(connection: PostgresConnection, assets: AssetTable) {
        self.connection = connection
        rows = ProjectionRows(assets: assets)
    }

    /// The projected wallets after `first` up to `last`, in id order; from the beginning or to the end when nil.
    func wallets(after first: WalletID?, through last: WalletID?, limit: Int) throws -> [ProjectedWallet] {
        guard let start = RawUUID.following(first?.uuid) else { return [] }
        parameters.removeAll()
        parameters.append(uuid: start.bits)
        parameters.append(uuid: last?.uuid.bits ?? .max)
        parameters.append(int8: Int64(limit))
        let result = try connection.query("projected_range", parameters)
        return try (0..<result.rowCount).map { try wallet(result, $0) }
    }

    /// One projected wallet; nil when it is not there.
    func wallet(_ id: WalletID) throws -> ProjectedWallet? {
        parameters.removeAll()
        parameters.append(uuid: id.uuid.bits)
        let result = try connection.query("projected_wallet", parameters)
        return result.isEmpty ? nil : try wallet(result, 0)
    }

    private func wallet(_ result: PostgresResult, _ row: Int) throws -> ProjectedWallet {
        ProjectedWallet(
            wallet: try rows.wallet(result, row, from: 0),
            auditedVersion: try result.int64(row, ProjectionStatements.walletColumnCount))
    }

    /// The projected ones of these transfers.
    func transfers(_ keys: [ProjectedKey]) throws -> [ProjectedKey: ProjectedTransfer] {
        guard !keys.isEmpty else { return [:] }
        let wallets = PostgresArray(of: .uuid)
        let transfers = PostgresArray(of: .uuid)
        for key in keys {
            wallets.append(uuid: key.wallet.uuid.bits)
            transfers.append(uuid: key.transfer.uuid.bits)
        }
        parameters.removeAll()
        parameters.append(wallets)
        parameters.append(transfers)
        let result = try connection.query("projected_transfers", parameters)
        var found: [ProjectedKey: ProjectedTransfer] = [:]
        for row in 0..<result.rowCount {
            let key = ProjectedKey(
                wallet: WalletID(RawUUID(bits: try result.uuid(row, 0))),
                transfer: TransferID(RawUUID(bits: try result.uuid(row, 1))))
            found[key] = ProjectedTransfer(
                version: try result.int64(row, 2), status: try result.int16(row, 3),
                amount: try result.int128(row, 4), completedAmount: try result.optionalInt128(row, 5))
        }
        return found
    }

    /// The versions of a wallet's projected transfers after `last` as they were created, from the beginning when nil.
    func versions(of wallet: WalletID, after last: SeenTransfer?, limit: Int) throws -> [SeenTransfer] {
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(int8: last?.createdVersion ?? .min)
        parameters.append(uuid: last?.id.uuid.bits ?? 0)
        parameters.append(int8: Int64(limit))
        let result = try connection.query("projected_versions", parameters)
        return try (0..<result.rowCount).map {
            SeenTransfer(
                id: TransferID(RawUUID(bits: try result.uuid($0, 0))), version: try result.int64($0, 1),
                createdVersion: try result.int64($0, 2))
        }
    }

    /// How many transfers of a wallet are projected that were created up to `version`.
    func transferCount(of wallet: WalletID, through version: Int64) throws -> Int {
        parameters.removeAll()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(int8: version)
        return try connection.query("projected_count", parameters).int(0, 0)
    }

    /// Remembers that the entries up to these versions were seen.
    func markAudited(_ marks: [(wallet: WalletID, version: Int64)]) throws {
        guard !marks.isEmpty else { return }
        let ids = PostgresArray(of: .uuid)
        let versions = PostgresArray(of: .int8)
        for mark in marks.sorted(by: { $0.wallet < $1.wallet }) {
            ids.append(uuid: mark.wallet.uuid.bits)
            versions.append(int8: mark.version)
        }
        parameters.removeAll()
        parameters.append(ids)
        parameters.append(versions)
        _ = try connection.query("audited_wallets", parameters)
    }
}

/// Names a transfer across wallets.
struct ProjectedKey: Hashable {
    let wallet: WalletID
    let transfer: TransferID
}
