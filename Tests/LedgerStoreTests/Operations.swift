import Digest
import Events
import Ledger
import LedgerStore
import Postgres
import TestSupport
import Testing

extension Decision.Verdict {
    /// What an applied operation left.
    var receipt: Receipt? {
        if case .applied(let receipt) = self { return receipt }
        return nil
    }
}

extension Ledger.Operation {
    /// From one wallet to another.
    static func between(
        _ from: WalletID, _ to: WalletID, _ cents: Int, id: TransferID, atOnce: Bool = false,
        key: IdempotencyKey? = nil, hash: UInt128 = 11, expiry: TransferOrder.Expiry = .never
    ) -> Ledger.Operation {
        Ledger.Operation(
            walletID: from,
            command: .transfer(
                TransferOrder(
                    id: id, hasClientID: true, direction: .credit, amount: DecimalAmount(cents: cents),
                    settlesAtOnce: atOnce, expiry: expiry, description: nil, metadata: nil, counterparty: to)),
            key: key, contentHash: hash, expectedVersion: nil)
    }

    static func extend(_ wallet: WalletID, _ id: TransferID, seconds: Int64) -> Ledger.Operation {
        Ledger.Operation(
            walletID: wallet, command: .extend(id, expiry: .after(seconds: seconds)), key: nil, contentHash: nil,
            expectedVersion: nil)
    }

    static func reverse(
        _ wallet: WalletID, _ original: TransferID, by id: TransferID, _ cents: Int?, key: IdempotencyKey? = nil,
        hash: UInt128 = 12
    ) -> Ledger.Operation {
        Ledger.Operation(
            walletID: wallet,
            command: .reverse(
                ReversalOrder(
                    original: original, id: id, hasClientID: true, amount: cents.map(DecimalAmount.init(cents:)),
                    description: nil, metadata: nil, note: nil)),
            key: key, contentHash: hash, expectedVersion: nil)
    }

    static func amend(
        _ wallet: WalletID, status: WalletStatus?, metadata: Amendment.MetadataChange? = nil, limit: Int? = nil,
        key: IdempotencyKey? = nil
    ) -> Ledger.Operation {
        Ledger.Operation(
            walletID: wallet,
            command: .amend(
                Amendment(
                    status: status, metadata: metadata, overdraftLimit: limit.map(DecimalAmount.init(cents:)),
                    note: "why")),
            key: key, contentHash: 13, expectedVersion: nil, actor: "clerk")
    }
}

extension LedgerFixture {
    /// The wallet's journal fits together, is its row and is chained without a break.
    func expectSoundBooks(of wallet: WalletID) throws {
        let (_, problems) = try audit(wallet)
        #expect(problems.isEmpty, "\(problems)")
        let connection = try database.connect()
        defer { connection.close() }
        let reader = try JournalReader(connection: connection, assets: AssetTable())
        let stored = try stored(wallet).wallet
        try connection.prepare(
            "chains", "SELECT chain FROM ledger.journal WHERE wallet_id = $1 ORDER BY version")
        try connection.prepare("newest_chain", "SELECT chain FROM ledger.wallets WHERE id = $1")
        let parameters = PostgresParameters()
        parameters.append(uuid: wallet.uuid.bits)
        let result = try connection.query("chains", parameters)
        let records = try reader.records(of: stored, after: 0, limit: 1_000_000)
        try #require(records.count == result.rowCount)
        var last = JournalChain.start
        for (row, record) in records.enumerated() {
            last = JournalChain.hash(of: record.entry, after: last)
            #expect(try result.bytes(row, 0) == last.bytes, "version \(record.entry.version) of \(wallet)")
        }
        #expect(try connection.query("newest_chain", parameters).bytes(0, 0) == last.bytes)
        let newest = try #require(records.last?.event.wallet)
        #expect(newest == stored)
    }
}

/// Numbers that a seed gives again.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// Two different ones.
    mutating func pair(of wallets: [WalletID]) -> (WalletID, WalletID) {
        let first = next(below: wallets.count)
        let second = (first + 1 + next(below: wallets.count - 1)) % wallets.count
        return (wallets[first], wallets[second])
    }
}
