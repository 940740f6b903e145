import Digest
import Ledger
import Postgres

/// Reads the rows of the write side.
struct RowReading {
    let assets: AssetTable

    /// A wallet out of `Statements.walletColumns`, from `column` on.
    func wallet(_ result: PostgresResult, _ row: Int, from column: Int) throws -> Wallet {
        let code = try result.text(row, column + 5)
        guard let asset = assets[code] else {
            throw LedgerStoreError.inconsistent("the asset \(code) is not configured; name it in WALLET_ASSETS")
        }
        let status = try result.int16(row, column + 4)
        guard let known = WalletStatus(rawValue: status) else {
            throw LedgerStoreError.inconsistent("wallet status \(status)")
        }
        return Wallet(
            id: WalletID(RawUUID(bits: try result.uuid(row, column))),
            ownerID: try result.optionalText(row, column + 10), asset: asset,
            balance: try result.int128(row, column + 6), pendingDebit: try result.int128(row, column + 7),
            pendingCredit: try result.int128(row, column + 8), overdraftLimit: try result.int128(row, column + 9),
            version: try result.int64(row, column + 3), status: known,
            metadata: try result.optionalText(row, column + 11),
            createdAt: Timestamp(microseconds: try result.timestamp(row, column + 1)),
            updatedAt: Timestamp(microseconds: try result.timestamp(row, column + 2)))
    }

    /// A journal row out of `Statements.entryColumns`, from `column` on; nil where an outer join found none.
    func entry(_ result: PostgresResult, _ row: Int, from column: Int) throws -> Entry? {
        guard let wallet = try result.optionalUUID(row, column) else { return nil }
        let kind = try result.int16(row, column + 8)
        guard let known = EntryKind(rawValue: kind) else {
            throw LedgerStoreError.inconsistent("journal kind \(kind)")
        }
        guard let status = WalletStatus(rawValue: try result.int16(row, column + 19)) else {
            throw LedgerStoreError.inconsistent("the status in the journal of wallet \(RawUUID(bits: wallet))")
        }
        var key: IdempotencyKey?
        if let digest = try result.optionalUUID(row, column + 5) {
            key = IdempotencyKey(reference: try result.text(row, column + 15), digest: digest)
        }
        return Entry(
            walletID: WalletID(RawUUID(bits: wallet)), version: try result.int64(row, column + 1), kind: known,
            transferID: try result.optionalUUID(row, column + 4).map { TransferID(RawUUID(bits: $0)) },
            direction: try result.optionalInt16(row, column + 9).flatMap(Direction.init(rawValue:)),
            amount: try result.int128(row, column + 10), balance: try result.int128(row, column + 11),
            pendingDebit: try result.int128(row, column + 12), pendingCredit: try result.int128(row, column + 13),
            overdraftLimit: try result.int128(row, column + 14),
            counterparty: try result.optionalUUID(row, column + 7).map { WalletID(RawUUID(bits: $0)) }, key: key,
            contentHash: try result.optionalUUID(row, column + 6), note: try result.optionalText(row, column + 16),
            description: try result.optionalText(row, column + 17),
            metadata: try result.optionalText(row, column + 18),
            expiresAt: try result.optionalTimestamp(row, column + 3).map(Timestamp.init(microseconds:)),
            occurredAt: Timestamp(microseconds: try result.timestamp(row, column + 2)), status: status,
            purpose: try result.optionalInt16(row, column + 20).flatMap(TransferPurpose.init(rawValue:)),
            related: try result.optionalUUID(row, column + 21).map { TransferID(RawUUID(bits: $0)) },
            actor: try result.optionalText(row, column + 22))
    }

    /// A transfer out of its first and, if any, its newest journal row, side by side from `column` on, and what its
    /// reversals gave back. `wallet` gives what never changes: owner and asset. Nil where an outer join found none.
    func transfer(_ result: PostgresResult, _ row: Int, from column: Int, of wallet: Wallet) throws -> TransferRecord? {
        guard let creation = try entry(result, row, from: column) else { return nil }
        let last = try entry(result, row, from: column + Statements.entryColumnCount) ?? creation
        let reversed = try result.int128(row, column + 2 * Statements.entryColumnCount)
        guard let transfer = Transfer(creation: creation, last: last, reversedAmount: reversed) else {
            throw LedgerStoreError.inconsistent(
                "the journal rows \(creation.version) and \(last.version) of wallet \(wallet.id) make no transfer")
        }
        return TransferRecord(
            creation: creation, last: last, receipt: Receipt(wallet: wallet.asLeft(by: last), transfer: transfer),
            isNew: false, storedExpiry: transfer.status == .pending ? transfer.expiresAt : nil, extendedVersion: nil)
    }
}

extension PostgresResult {
    /// A hash.
    func fingerprint(_ row: Int, _ column: Int) throws -> Fingerprint {
        try withBytes(row, column) { bytes in
            guard let bytes, bytes.count == Digest.size else {
                throw LedgerStoreError.inconsistent("a hash has not \(Digest.size) bytes")
            }
            return Fingerprint(bytes)
        }
    }
}

extension PostgresArray {
    /// Appends a hash.
    func append(_ hash: Fingerprint) { hash.withUnsafeBytes { append(bytes: $0) } }
}
