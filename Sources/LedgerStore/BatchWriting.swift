import Digest
import Events
import Ledger
import Postgres

/// Sends the writes of a batch as statements over arrays. The arrays are kept and used again.
final class BatchWriting {
    /// The arrays of one statement, by position.
    private final class Columns {
        let arrays: [PostgresArray]
        private let parameters = PostgresParameters()

        init(_ types: [PostgresType]) {
            arrays = types.map { PostgresArray(of: $0) }
        }

        func removeAll() {
            for array in arrays { array.removeAll() }
        }

        /// With `wanted`, the number follows the arrays.
        func send(_ statement: String, wanted: Int? = nil, on pipeline: PostgresPipeline) throws {
            parameters.removeAll()
            for array in arrays { parameters.append(array) }
            if let wanted { parameters.append(int8: Int64(wanted)) }
            try pipeline.send(statement, parameters)
        }
    }

    private let parameters = PostgresParameters()
    /// Statements queued so far for the present batch.
    private var sent = 0
    private let entries = Columns(EntryColumns.types + [.bytes])
    private let wallets = Columns(WalletColumns.types + [.bytes])
    private let changes = Columns([
        .uuid, .timestamp, .int8, .numeric, .numeric, .numeric, .numeric, .int2, .text, .bytes, .xid,
    ])
    private let expected = Columns([.uuid, .xid])
    private let newKeys = Columns([.uuid, .uuid])
    private let transfers = Columns([
        .uuid, .uuid, .int8, .int8, .int8, .timestamp, .uuid, .int2, .int2, .numeric, .numeric,
    ])
    private let transferChanges = Columns([.uuid, .uuid, .int8, .int8, .timestamp, .int2, .numeric])
    private let expirations = Columns([.timestamp, .uuid, .uuid])
    private let refusals = Columns([.uuid, .uuid, .uuid, .uuid, .timestamp, .text, .text, .text])
    private let walletKeys = Columns([.uuid, .text, .uuid])
    private let batchKeys = Columns([.uuid, .uuid, .text, .text])

    /// Queues the locks on `rows`, in id order, and the condition that each is as it was read.
    func sendExpected(_ rows: [(WalletID, StoredRow)], on pipeline: PostgresPipeline) throws {
        expected.removeAll()
        for (wallet, row) in rows {
            expected.arrays[0].append(uuid: wallet.uuid.bits)
            expected.arrays[1].append(xid: row.version)
        }
        try expected.send("expect_wallets", wanted: rows.count, on: pipeline)
    }

    /// Queues the statements for `writes` and returns how many there are. The last one returns the version that the
    /// written rows have. With `checksKeys`, the condition that no refusal is stored under a new entry's key is one of
    /// them.
    func send(
        _ writes: inout BatchWrites, batchID: RawUUID, checksKeys: Bool, on pipeline: PostgresPipeline
    ) throws -> Int {
        sent = 0
        try sendWallets(writes, checksKeys: checksKeys, on: pipeline)
        try sendTransfers(writes, on: pipeline)
        try sendKeys(writes, on: pipeline)
        parameters.removeAll()
        parameters.append(uuid: batchID.bits)
        parameters.append(int4: Int32(clamping: writes.events.eventCount))
        parameters.append(bytes: writes.takeFramedEvents())
        try pipeline.send("insert_outbox", parameters)
        return sent + 1
    }

    /// Queues `statement` over the rows that `fill` appends, unless there are none. With `wanted`, each of them has to
    /// be found.
    private func send(
        _ columns: Columns, _ statement: String, wanted: Bool = false, on pipeline: PostgresPipeline,
        _ fill: ([PostgresArray]) -> Void
    ) throws {
        columns.removeAll()
        fill(columns.arrays)
        let count = columns.arrays[0].count
        guard count > 0 else { return }
        try columns.send(statement, wanted: wanted ? count : nil, on: pipeline)
        sent += 1
    }

    private func sendWallets(_ writes: BatchWrites, checksKeys: Bool, on pipeline: PostgresPipeline) throws {
        // First, as it takes the locks on wallets: whoever was slower goes no further.
        try send(changes, "update_wallets", wanted: true, on: pipeline) { columns in
            for (place, version) in zip(writes.changedWallets, writes.rowVersions) {
                Self.appendChange(writes.postings[place].wallet, to: columns)
                columns[9].append(writes.chains[place])
                columns[10].append(xid: version)
            }
        }
        if checksKeys {
            try send(newKeys, "expect_no_refusals", on: pipeline) { columns in
                for posting in writes.postings {
                    guard let key = posting.entry.key else { continue }
                    columns[0].append(uuid: posting.entry.walletID.uuid.bits)
                    columns[1].append(uuid: key.digest)
                }
            }
        }
        try send(wallets, "insert_wallets", on: pipeline) { columns in
            for place in writes.openedWallets {
                WalletColumns.append(writes.postings[place].wallet, to: columns)
                columns[12].append(writes.chains[place])
            }
        }
    }

    private func sendTransfers(_ writes: BatchWrites, on pipeline: PostgresPipeline) throws {
        try send(entries, "insert_entries", on: pipeline) { columns in
            for (place, posting) in writes.postings.enumerated() {
                EntryColumns.append(posting.entry, to: columns)
                columns[23].append(writes.chains[place])
            }
        }
        try send(transfers, "insert_transfers", on: pipeline) { columns in
            for record in writes.createdTransfers { Self.append(record, to: columns) }
        }
        try send(transferChanges, "update_transfers", wanted: true, on: pipeline) { columns in
            for record in writes.changedTransfers { Self.appendChange(record, to: columns) }
        }
        try send(expirations, "insert_expirations", on: pipeline) { columns in
            for row in writes.addedExpirations { Self.append(row, to: columns) }
        }
        try send(expirations, "delete_expirations", on: pipeline) { columns in
            for row in writes.removedExpirations { Self.append(row, to: columns) }
        }
    }

    private func sendKeys(_ writes: BatchWrites, on pipeline: PostgresPipeline) throws {
        try send(refusals, "insert_refusals", on: pipeline) { columns in
            for refusal in writes.refusals { Self.append(refusal, to: columns) }
        }
        try send(walletKeys, "insert_wallet_keys", on: pipeline) { columns in
            for key in writes.walletKeys {
                columns[0].append(uuid: key.key.digest)
                columns[1].append(text: key.key.reference)
                columns[2].append(uuid: key.wallet.uuid.bits)
            }
        }
        try send(batchKeys, "insert_batches", on: pipeline) { columns in
            for batch in writes.batchKeys {
                columns[0].append(uuid: batch.identity.key.digest)
                columns[1].append(uuid: batch.identity.contentHash)
                columns[2].append(text: batch.identity.key.reference)
                columns[3].append(text: batch.outcome)
            }
        }
    }

    private static func appendChange(_ wallet: Wallet, to columns: [PostgresArray]) {
        columns[0].append(uuid: wallet.id.uuid.bits)
        columns[1].append(timestamp: wallet.updatedAt.microseconds)
        columns[2].append(int8: wallet.version)
        columns[3].append(numeric: wallet.balance)
        columns[4].append(numeric: wallet.pendingDebit)
        columns[5].append(numeric: wallet.pendingCredit)
        columns[6].append(numeric: wallet.overdraftLimit)
        columns[7].append(int2: wallet.status.rawValue)
        columns[8].append(text: wallet.metadata)
    }

    private static func append(_ record: TransferRecord, to columns: [PostgresArray]) {
        let creation = record.creation
        let transfer = record.receipt.transfer
        columns[0].append(uuid: creation.walletID.uuid.bits)
        columns[1].append(uuid: creation.transferID?.uuid.bits)
        columns[2].append(int8: creation.version)
        columns[3].append(int8: transfer?.status == .pending ? nil : record.last.version)
        columns[4].append(int8: record.extendedVersion)
        columns[5].append(timestamp: transfer?.expiresAt?.microseconds)
        columns[6].append(uuid: creation.counterparty?.uuid.bits)
        columns[7].append(int2: transfer?.status.rawValue)
        columns[8].append(int2: creation.direction?.rawValue)
        columns[9].append(numeric: creation.amount)
        columns[10].append(numeric: transfer?.reversedAmount)
    }

    private static func appendChange(_ record: TransferRecord, to columns: [PostgresArray]) {
        let transfer = record.receipt.transfer
        columns[0].append(uuid: record.creation.walletID.uuid.bits)
        columns[1].append(uuid: record.creation.transferID?.uuid.bits)
        columns[2].append(int8: transfer?.status == .pending ? nil : record.last.version)
        columns[3].append(int8: record.extendedVersion)
        columns[4].append(timestamp: transfer?.expiresAt?.microseconds)
        columns[5].append(int2: transfer?.status.rawValue)
        columns[6].append(numeric: transfer?.reversedAmount)
    }

    private static func append(_ row: BatchWrites.Expiration, to columns: [PostgresArray]) {
        columns[0].append(timestamp: row.expiresAt.microseconds)
        columns[1].append(uuid: row.transfer.wallet.uuid.bits)
        columns[2].append(uuid: row.transfer.transfer.uuid.bits)
    }

    private static func append(_ stored: BatchWrites.StoredRefusal, to columns: [PostgresArray]) {
        let words = StoredRefusals.encode(stored.refusal)
        columns[0].append(uuid: stored.operation.walletID.uuid.bits)
        columns[1].append(uuid: stored.key.digest)
        columns[2].append(uuid: stored.operation.contentHash ?? 0)
        columns[3].append(uuid: stored.operation.command.transferID?.uuid.bits)
        columns[4].append(timestamp: stored.occurredAt.microseconds)
        columns[5].append(text: words?.code ?? "")
        columns[6].append(text: words?.detail ?? "")
        columns[7].append(text: stored.key.reference)
    }
}
