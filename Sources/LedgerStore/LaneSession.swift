import Ledger
import Postgres
import Runtime

/// The server that answers is not one to write to.
struct UnfitServer: Error, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}

/// A wallet came into being between two reads of one batch: to be read again.
struct AppearedMeanwhile: Error, CustomStringConvertible {
    let wallet: WalletID
    var description: String { "the wallet \(wallet) has journal rows but no row of its own" }
}

/// A wallet is not as a lane remembers it.
struct ChangedMeanwhile: Error, CustomStringConvertible {
    let wallet: WalletID
    var description: String { "somebody else changed the wallet \(wallet)" }
}

/// The statements of one lane on one connection.
final class LaneSession {
    let connection: PostgresConnection
    private let reading: RowReading
    private let writing = BatchWriting()
    private let parameters = PostgresParameters()
    private let uuids = PostgresArray(of: .uuid)
    private let moreUUIDs = PostgresArray(of: .uuid)
    private let yetMoreUUIDs = PostgresArray(of: .uuid)

    /// A session that is not connected yet.
    init(database: PostgresConfiguration, assets: AssetTable) throws {
        connection = PostgresConnection(configuration: database.keepingToIndexes)
        reading = RowReading(assets: assets)
        for (name, sql) in Statements.lane.sorted(by: { $0.key < $1.key }) { try connection.prepare(name, sql) }
    }

    /// Connects, and makes sure that the server is one to write to: a primary, whose commits are durable when they
    /// return, and whose clock agrees with `now` to within `skewMax`. Throws `UnfitServer` or `PostgresError`.
    func connect(now: () -> Int64, skewMax: Duration) throws {
        try connection.connect()
        do {
            let standing = try connection.query("standing")
            if try standing.bool(0, 0) { throw UnfitServer(reason: "the server is a standby") }
            // An answer before the flush would be a promise that a crash breaks. Set in any case, so that nobody turns
            // it off for a session that is connected already.
            let durability = try standing.text(0, 1)
            try connection.execute("SET synchronous_commit = \(durability == "off" ? "on" : durability)")
            let skew = try standing.timestamp(0, 2) - now()
            if skew.magnitude > UInt64(clamping: skewMax.wholeNanoseconds / 1000) {
                throw UnfitServer(
                    reason: "its clock and this machine's differ by \(skew / 1000) ms; one of them must be set")
            }
        } catch {
            connection.close()
            throw error
        }
    }

    /// Reads what the batch touches into `book`. With `locking`, it opens the transaction and locks the wallets in id
    /// order before.
    func load(_ needs: BatchNeeds, locking: Bool, into book: inout Book) throws {
        try connection.pipeline { pipeline in
            if locking { try pipeline.sendBegin() }
            try sendWallets(needs, locking: locking, on: pipeline)
            try sendTransfers(needs, on: pipeline)
            try sendKeys(needs, on: pipeline)
            try sendOpenings(needs, on: pipeline)
            try pipeline.sync()
            if locking { try pipeline.next() }
            try takeWallets(try pipeline.next(), into: &book)
            if needs.namesTransfers { try takeTransfers(try pipeline.next(), into: &book) }
            if !needs.reversals.isEmpty { try takeReversals(try pipeline.next(), into: &book) }
            if !needs.keys.isEmpty {
                try takeKeys(try pipeline.next(), into: &book)
                try takeRefusals(try pipeline.next(), into: &book)
            }
            if !needs.openings.isEmpty { try takeOpenings(try pipeline.next(), into: &book) }
            if !needs.walletKeys.isEmpty { try takeWalletKeys(try pipeline.next(), into: &book) }
            if !needs.batches.isEmpty { try takeBatches(try pipeline.next(), into: &book) }
        }
    }

    /// Writes everything and commits, and returns the version that the written rows have, if it can be told. In the
    /// transaction that `load` opened, or in one of its own, which then takes place only if each of `expected` is still
    /// as it was read. `meanwhile` runs while the database is at work.
    func commit(
        _ writes: inout BatchWrites, batchID: RawUUID, expected: [(WalletID, StoredRow)]?,
        meanwhile: (borrowing BatchWrites) -> Void
    ) throws -> UInt32? {
        var rowVersion: UInt32?
        try connection.pipeline { pipeline in
            var before = 0
            if let expected {
                try pipeline.sendBegin()
                before += 1
                if !expected.isEmpty {
                    try writing.sendExpected(expected, on: pipeline)
                    before += 1
                }
            }
            let statements = try writing.send(&writes, batchID: batchID, checksKeys: expected != nil, on: pipeline)
            try pipeline.sendCommit()
            try pipeline.sync { meanwhile(writes) }
            for _ in 1..<before + statements { try pipeline.next() }
            // The last statement tells it. Whatever is wrong with that: the commit's own answer decides.
            let told = try pipeline.next()
            rowVersion = try? told.xid(0, 0)
            try pipeline.next()
        }
        return rowVersion
    }

    /// Makes sure that each of `rows` is still as it was read.
    func confirm(_ rows: [(WalletID, StoredRow)]) throws {
        try connection.pipeline { pipeline in
            try writing.sendExpected(rows, on: pipeline)
            try pipeline.sync()
            try pipeline.next()
        }
    }

    /// The wallets of `needs`, and `others`, whose rows another session has locked at this moment, each with the `xmax`
    /// that tells which. Whoever waits for a lock itself is not counted.
    func lockedWallets(
        _ needs: BatchNeeds, and others: some Collection<WalletID>
    ) throws -> [WalletID: UInt32] {
        uuids.removeAll()
        for wallet in needs.wallets { uuids.append(uuid: wallet.uuid.bits) }
        for wallet in others { uuids.append(uuid: wallet.uuid.bits) }
        fill(needs.transfers, needs.newTransfers)
        let result = try query("held_wallets", [uuids, moreUUIDs, yetMoreUUIDs])
        var locked: [WalletID: UInt32] = [:]
        for row in 0..<result.rowCount {
            locked[WalletID(RawUUID(bits: try result.uuid(row, 0)))] = try result.xid(row, 1)
        }
        return locked
    }

    /// Those of `transfers` that have one of `wallets` on their other side.
    func transfers(_ transfers: [TransferKey], with wallets: some Collection<WalletID>) throws -> Set<TransferKey> {
        uuids.removeAll()
        for wallet in wallets { uuids.append(uuid: wallet.uuid.bits) }
        fill(transfers)
        let result = try query("transfers_with", [moreUUIDs, yetMoreUUIDs, uuids])
        return Set(
            try (0..<result.rowCount).map { row in
                TransferKey(
                    wallet: WalletID(RawUUID(bits: try result.uuid(row, 0))),
                    transfer: TransferID(RawUUID(bits: try result.uuid(row, 1))))
            })
    }

    /// What became of a batch whose commit was sent on a connection that is gone. When it was not committed, it never
    /// will be: the batch's row in the outbox is taken. Nil when it is too late to tell: past `deadline` (microseconds
    /// since 1970, by the server's clock) the row may have been there and be gone.
    func wasCommitted(_ batchID: RawUUID, until deadline: Int64) throws -> Bool? {
        parameters.removeAll()
        parameters.append(uuid: batchID.bits)
        parameters.append(timestamp: deadline)
        _ = try connection.query("abandon_batch", parameters)
        parameters.removeAll()
        parameters.append(uuid: batchID.bits)
        let result = try connection.query("batch_committed", parameters)
        return result.isEmpty ? nil : try result.bool(0, 0)
    }

    private func query(_ statement: String, _ arrays: [PostgresArray]) throws -> PostgresResult {
        take(arrays)
        return try connection.query(statement, parameters)
    }

    private func send(_ statement: String, on pipeline: PostgresPipeline, _ arrays: [PostgresArray]) throws {
        take(arrays)
        try pipeline.send(statement, parameters)
    }

    private func take(_ arrays: [PostgresArray]) {
        parameters.removeAll()
        for array in arrays { parameters.append(array) }
    }

    private func sendWallets(_ needs: BatchNeeds, locking: Bool, on pipeline: PostgresPipeline) throws {
        uuids.removeAll()
        for wallet in needs.wallets { uuids.append(uuid: wallet.uuid.bits) }
        fill(needs.transfers, needs.newTransfers)
        try send(locking ? "lock_wallets" : "read_wallets", on: pipeline, [uuids, moreUUIDs, yetMoreUUIDs])
    }

    private func fill(_ transfers: [TransferKey]...) {
        moreUUIDs.removeAll()
        yetMoreUUIDs.removeAll()
        for key in transfers.joined() {
            moreUUIDs.append(uuid: key.wallet.uuid.bits)
            yetMoreUUIDs.append(uuid: key.transfer.uuid.bits)
        }
    }

    private func sendTransfers(_ needs: BatchNeeds, on pipeline: PostgresPipeline) throws {
        guard needs.namesTransfers else { return }
        fill(needs.transfers, needs.newTransfers)
        try send("read_transfers", on: pipeline, [moreUUIDs, yetMoreUUIDs])
        guard !needs.reversals.isEmpty else { return }
        uuids.removeAll()
        moreUUIDs.removeAll()
        yetMoreUUIDs.removeAll()
        for reversal in needs.reversals {
            uuids.append(uuid: reversal.wallet.uuid.bits)
            moreUUIDs.append(uuid: reversal.original.uuid.bits)
            yetMoreUUIDs.append(uuid: reversal.id.uuid.bits)
        }
        try send("read_reversal_ids", on: pipeline, [uuids, moreUUIDs, yetMoreUUIDs])
    }

    private func sendKeys(_ needs: BatchNeeds, on pipeline: PostgresPipeline) throws {
        guard !needs.keys.isEmpty else { return }
        uuids.removeAll()
        moreUUIDs.removeAll()
        for key in needs.keys {
            uuids.append(uuid: key.wallet.uuid.bits)
            moreUUIDs.append(uuid: key.digest)
        }
        try send("read_keys", on: pipeline, [uuids, moreUUIDs])
        try send("read_refusals", on: pipeline, [uuids, moreUUIDs])
    }

    private func sendOpenings(_ needs: BatchNeeds, on pipeline: PostgresPipeline) throws {
        if !needs.openings.isEmpty {
            uuids.removeAll()
            for wallet in needs.openings { uuids.append(uuid: wallet.uuid.bits) }
            try send("read_openings", on: pipeline, [uuids])
        }
        if !needs.walletKeys.isEmpty {
            uuids.removeAll()
            for key in needs.walletKeys { uuids.append(uuid: key) }
            try send("read_wallet_keys", on: pipeline, [uuids])
        }
        if !needs.batches.isEmpty {
            uuids.removeAll()
            for key in needs.batches { uuids.append(uuid: key) }
            try send("read_batches", on: pipeline, [uuids])
        }
    }

    private func takeWallets(_ result: PostgresResult, into book: inout Book) throws {
        for row in 0..<result.rowCount {
            let wallet = try reading.wallet(result, row, from: 0)
            let version = try result.xid(row, Statements.walletColumnCount + 1)
            // What else is remembered of this wallet would be as old.
            if let known = book.rows[wallet.id], known.version != version { throw ChangedMeanwhile(wallet: wallet.id) }
            book.wallets[wallet.id] = wallet
            book.rows[wallet.id] = StoredRow(
                chain: try result.fingerprint(row, Statements.walletColumnCount), version: version)
        }
    }

    private func takeTransfers(_ result: PostgresResult, into book: inout Book) throws {
        for row in 0..<result.rowCount {
            let owner = try wallet(try result.uuid(row, 0), in: book)
            guard let record = try reading.transfer(result, row, from: 0, of: owner) else { continue }
            // A transfer that was made after the wallets were locked may have a counterparty that is not.
            if let other = record.creation.counterparty, book.wallets[other] == nil {
                throw AppearedMeanwhile(wallet: other)
            }
            book.add(record)
        }
    }

    private func takeReversals(_ result: PostgresResult, into book: inout Book) throws {
        for row in 0..<result.rowCount {
            let owner = try wallet(try result.uuid(row, 0), in: book)
            if let record = try reading.transfer(result, row, from: 0, of: owner) { book.add(record) }
        }
    }

    private func takeBatches(_ result: PostgresResult, into book: inout Book) throws {
        for row in 0..<result.rowCount {
            book.batches[try result.uuid(row, 0)] = StoredBatch(
                contentHash: try result.uuid(row, 1), outcome: try result.optionalText(row, 2))
        }
    }

    private func takeKeys(_ result: PostgresResult, into book: inout Book) throws {
        for row in 0..<result.rowCount {
            let owner = try wallet(try result.uuid(row, 0), in: book)
            let creation = try reading.entry(result, row, from: Statements.entryColumnCount)
            guard let entry = try reading.entry(result, row, from: 0), let key = entry.key,
                let prior = Prior(entry: entry, creation: creation, wallet: owner)
            else { throw LedgerStoreError.inconsistent("a keyed journal row of wallet \(owner.id) has no transfer") }
            book.keys[OperationKey(wallet: owner.id, digest: key.digest)] = prior
        }
    }

    private func takeRefusals(_ result: PostgresResult, into book: inout Book) throws {
        for row in 0..<result.rowCount {
            let owner = try wallet(try result.uuid(row, 0), in: book)
            let transfer = try reading.transfer(result, row, from: 5, of: owner)?.receipt
            let refusal = try StoredRefusals.decode(
                code: try result.text(row, 3), detail: try result.text(row, 4), transfer: transfer,
                asset: owner.asset)
            let key = OperationKey(wallet: owner.id, digest: try result.uuid(row, 1))
            book.keys[key] = Prior(contentHash: try result.uuid(row, 2), outcome: .refused(refusal))
        }
    }

    private func takeOpenings(_ result: PostgresResult, into book: inout Book) throws {
        for row in 0..<result.rowCount {
            let owner = try wallet(try result.uuid(row, 0), in: book)
            guard let entry = try reading.entry(result, row, from: 0) else { continue }
            book.openings[owner.id] = Prior(entry: entry, creation: nil, wallet: owner)
        }
    }

    private func takeWalletKeys(_ result: PostgresResult, into book: inout Book) throws {
        for row in 0..<result.rowCount {
            let owner = try reading.wallet(result, row, from: 1)
            guard let entry = try reading.entry(result, row, from: 1 + Statements.walletColumnCount) else { continue }
            book.walletKeys[try result.uuid(row, 0)] = Prior(entry: entry, creation: nil, wallet: owner)
        }
    }

    private func wallet(_ bits: UInt128, in book: Book) throws -> Wallet {
        let id = WalletID(RawUUID(bits: bits))
        guard let wallet = book.wallets[id] else { throw AppearedMeanwhile(wallet: id) }
        return wallet
    }
}
