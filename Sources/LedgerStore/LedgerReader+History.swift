public import Ledger
import Postgres

extension LedgerReader {
    /// The entries of a wallet's journal that `query` asks for, each with the balances after it; nil when there is no
    /// such wallet.
    public func statement(of wallet: WalletID, _ query: StatementQuery) async throws -> WalletStatement? {
        let reading = RowReading(assets: assets)
        return try await pool.perform { connection in
            guard let now = try Self.wallet(wallet, reading, connection) else { return nil }
            let (after, before) = try Self.versions(
                of: wallet, from: query.from, to: query.to, after: query.after, before: query.before, connection)
            let lines = try Self.lines(
                of: wallet, before: before, after: after, oldestFirst: query.oldestFirst, limit: query.limit, reading,
                connection)
            return WalletStatement(wallet: now, lines: lines)
        }
    }

    /// The wallet as it was at `moment`: after all entries made until then; nil when there is no such wallet.
    public func wallet(_ id: WalletID, at moment: Timestamp) async throws -> PastWallet? {
        let reading = RowReading(assets: assets)
        return try await pool.perform { connection in
            guard let now = try Self.wallet(id, reading, connection) else { return nil }
            let version = try Self.version(of: id, at: moment, connection)
            return try Self.past(now, version, reading, connection)
        }
    }

    /// The wallet as the entry with this version left it; nil when there is no such wallet.
    public func wallet(_ id: WalletID, version: Int64) async throws -> PastWallet? {
        let reading = RowReading(assets: assets)
        return try await pool.perform { connection in
            guard let now = try Self.wallet(id, reading, connection) else { return nil }
            return try Self.past(now, version, reading, connection)
        }
    }

    /// The wallets of an owner in id order, those behind `after`.
    public func wallets(owner: String, after: WalletID?, limit: Int) async throws -> [Wallet] {
        guard let start = RawUUID.following(after?.uuid) else { return [] }
        let reading = RowReading(assets: assets)
        return try await pool.perform { connection in
            let parameters = PostgresParameters()
            parameters.append(text: owner)
            parameters.append(uuid: start.bits)
            parameters.append(int8: Int64(limit))
            let result = try connection.query("history_wallets_of_owner", parameters)
            return try (0..<result.rowCount).map { try reading.wallet(result, $0, from: 0) }
        }
    }

    /// Compares a wallet as stored with what its whole journal sums up to; nil when there is no such wallet. Reads the
    /// journal in pieces of `piece` entries and keeps no connection between them; entries that are made meanwhile do
    /// not count.
    public func audit(_ id: WalletID, piece: Int = 1000) async throws -> BalanceAudit? {
        guard let stored = try await wallet(id) else { return nil }
        var walk = AuditWalk(id)
        while walk.version < stored.version {
            let begun = walk
            let reading = RowReading(assets: assets)
            let (next, count) = try await pool.perform { connection in
                let lines = try Self.lines(
                    of: id, before: stored.version + 1, after: begun.version, oldestFirst: true, limit: piece, reading,
                    connection)
                var next = begun
                for line in lines { next.step(line) }
                return (next, lines.count)
            }
            walk = next
            if count < piece { break }
        }
        return walk.audit(of: stored)
    }

    // On the connection of a read.

    static func wallet(
        _ id: WalletID, _ reading: RowReading, _ connection: PostgresConnection
    ) throws -> Wallet? {
        let parameters = PostgresParameters()
        parameters.append(uuid: id.uuid.bits)
        let result = try connection.query("ledger_wallet", parameters)
        return result.isEmpty ? nil : try reading.wallet(result, 0, from: 0)
    }

    private static func past(
        _ now: Wallet, _ version: Int64, _ reading: RowReading, _ connection: PostgresConnection
    ) throws -> PastWallet {
        let parameters = PostgresParameters()
        parameters.append(uuid: now.id.uuid.bits)
        parameters.append(int8: version)
        let result = try connection.query("history_entry", parameters)
        let entry = result.isEmpty ? nil : try reading.entry(result, 0, from: 0)
        return PastWallet(wallet: now, then: entry.map { now.asLeft(by: $0) })
    }

    /// The versions between which the entries lie that were made since `from` and before `to`, within those given.
    static func versions(
        of wallet: WalletID, from: Timestamp?, to: Timestamp?, after: Int64?, before: Int64?,
        _ connection: PostgresConnection
    ) throws -> (after: Int64, before: Int64) {
        var (after, before) = (after ?? 0, before ?? .max)
        if let from {
            let moment = Timestamp(microseconds: from.microseconds - 1)
            after = max(after, try version(of: wallet, at: moment, connection))
        }
        if let to {
            let moment = Timestamp(microseconds: to.microseconds - 1)
            before = min(before, try version(of: wallet, at: moment, connection) + 1)
        }
        return (after, before)
    }

    /// The version of the last entry made until `moment`; 0 when there is none.
    private static func version(
        of wallet: WalletID, at moment: Timestamp, _ connection: PostgresConnection
    ) throws -> Int64 {
        let parameters = PostgresParameters()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(timestamp: moment.microseconds)
        let result = try connection.query("history_version_at", parameters)
        guard !result.isEmpty else {
            throw LedgerStoreError.inconsistent("the journal of wallet \(wallet) has gaps")
        }
        return try result.int64(0, 0)
    }

    private static func lines(
        of wallet: WalletID, before: Int64, after: Int64, oldestFirst: Bool, limit: Int, _ reading: RowReading,
        _ connection: PostgresConnection
    ) throws -> [StatementLine] {
        let parameters = PostgresParameters()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(int8: before)
        parameters.append(int8: after)
        parameters.append(int8: Int64(limit))
        let result = try connection.query(oldestFirst ? "history_oldest_first" : "history_newest_first", parameters)
        return try (0..<result.rowCount).compactMap { row in
            guard let entry = try reading.entry(result, row, from: 0) else { return nil }
            let creation = try reading.entry(result, row, from: Statements.entryColumnCount)
            return StatementLine(entry: entry, creation: creation)
        }
    }
}

/// A walk over a journal in pieces, for `LedgerReader.audit`.
private struct AuditWalk: Sendable {
    private var walk: JournalWalk
    private var derivation = BalanceDerivation()
    private var entries: Int64 = 0
    private var found: [JournalWalk.Discrepancy] = []

    var version: Int64 { walk.version }

    init(_ wallet: WalletID) { walk = JournalWalk(walletID: wallet) }

    mutating func step(_ line: StatementLine) {
        let problems = walk.step(line.entry, creation: line.creation)
        found += problems.prefix(BalanceAudit.discrepanciesMax - found.count)
        derivation.add(line.entry, creation: line.creation)
        entries += 1
    }

    func audit(of stored: Wallet) -> BalanceAudit {
        BalanceAudit(
            wallet: stored, balance: derivation.balance, pendingDebit: derivation.pendingDebit,
            pendingCredit: derivation.pendingCredit, entries: entries, discrepancies: found)
    }
}
