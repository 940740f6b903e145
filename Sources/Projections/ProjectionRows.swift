import Ledger
import LedgerStore
import Postgres

/// Reads the rows of the projections.
struct ProjectionRows {
    let assets: AssetTable

    /// A wallet, from `column` on.
    func wallet(_ result: PostgresResult, _ row: Int, from column: Int) throws -> Wallet {
        let code = try result.text(row, column + 5)
        guard let asset = assets[code], let status = WalletStatus(rawValue: try result.int16(row, column + 4)) else {
            throw LedgerStoreError.inconsistent("the projected asset \(code) or its wallet's status is unknown")
        }
        return Wallet(
            id: WalletID(RawUUID(bits: try result.uuid(row, column))),
            ownerID: try result.optionalText(row, column + 10), asset: asset,
            balance: try result.int128(row, column + 6), pendingDebit: try result.int128(row, column + 7),
            pendingCredit: try result.int128(row, column + 8), overdraftLimit: try result.int128(row, column + 9),
            version: try result.int64(row, column + 3), status: status,
            metadata: try result.optionalText(row, column + 11),
            createdAt: Timestamp(microseconds: try result.timestamp(row, column + 1)),
            updatedAt: Timestamp(microseconds: try result.timestamp(row, column + 2)))
    }

    /// A transfer, from `column` on, and what reversals gave back of it, with `wallet` as the transfer's newest entry
    /// left it.
    func receipt(_ result: PostgresResult, _ row: Int, from column: Int, of wallet: Wallet) throws -> Receipt {
        guard let status = TransferStatus(rawValue: try result.int16(row, column + 8)),
            let direction = Direction(rawValue: try result.int16(row, column + 9)),
            let purpose = TransferPurpose(rawValue: try result.int16(row, column + 21))
        else { throw LedgerStoreError.inconsistent("a projected transfer of wallet \(wallet.id) has no status") }
        let transfer = Transfer(
            id: TransferID(RawUUID(bits: try result.uuid(row, column + 1))), walletID: wallet.id,
            direction: direction, amount: try result.int128(row, column + 10), status: status,
            reason: try result.optionalText(row, column + 16).flatMap(FailureReason.init(rawValue:)),
            completedAmount: try result.optionalInt128(row, column + 11),
            referenceID: try result.optionalText(row, column + 17),
            description: try result.optionalText(row, column + 18), note: try result.optionalText(row, column + 19),
            counterparty: try result.optionalUUID(row, column + 7).map { WalletID(RawUUID(bits: $0)) },
            expiresAt: try result.optionalTimestamp(row, column + 6).map(Timestamp.init(microseconds:)),
            metadata: try result.optionalText(row, column + 20),
            createdVersion: try result.int64(row, column + 2),
            createdAt: Timestamp(microseconds: try result.timestamp(row, column + 4)),
            version: try result.int64(row, column + 3),
            resolvedAt: try result.optionalTimestamp(row, column + 5).map(Timestamp.init(microseconds:)),
            purpose: purpose,
            reverses: try result.optionalUUID(row, column + 22).map { TransferID(RawUUID(bits: $0)) },
            reversedAmount: try result.int128(row, column + 24), actor: try result.optionalText(row, column + 23))
        var then = wallet
        then.version = transfer.version
        then.balance = try result.int128(row, column + 12)
        then.pendingDebit = try result.int128(row, column + 13)
        then.pendingCredit = try result.int128(row, column + 14)
        then.overdraftLimit = try result.int128(row, column + 15)
        return Receipt(wallet: then, transfer: transfer)
    }
}
