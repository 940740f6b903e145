public import Ledger
import Postgres

extension LedgerReader {
    /// For how long every committed event has been in the stream: zero while some are not, nil when that is longer ago
    /// than the outbox remembers. What is older is in the projections unless these are behind.
    public func sinceLastEvent() async throws -> Duration? {
        try await pool.perform { connection in
            let result = try connection.query("history_last_event")
            if try result.bool(0, 0) { return .zero }
            return try result.optionalInt64(0, 1).map { .microseconds(max(0, $0)) }
        }
    }

    /// The transfers with this id that the journals of `wallets` and of the wallets on their other sides hold, with
    /// their entries. Usually one; more only where clients gave the same id to transfers of unrelated wallets.
    public func transfers(_ id: TransferID, in wallets: [WalletID]) async throws -> [TransferDetails] {
        let reading = RowReading(assets: assets)
        return try await pool.perform { connection in
            var sides: [TransferSide] = []
            var seen: Set<WalletID> = []
            var waiting = wallets
            while let wallet = waiting.popLast() {
                guard seen.insert(wallet).inserted else { continue }
                guard let side = try Self.side(of: id, in: wallet, reading, connection) else { continue }
                sides.append(side)
                if let other = side.receipt.transfer?.counterparty { waiting.append(other) }
            }
            return Self.paired(sides)
        }
    }

    private static func side(
        of id: TransferID, in wallet: WalletID, _ reading: RowReading, _ connection: PostgresConnection
    ) throws -> TransferSide? {
        let parameters = PostgresParameters()
        parameters.append(uuid: wallet.uuid.bits)
        parameters.append(uuid: id.uuid.bits)
        guard let receipt = try receipts(try connection.query("ledger_transfer", parameters), reading).first else {
            return nil
        }
        let result = try connection.query("history_transfer_entries", parameters)
        guard !result.isEmpty, let creation = try reading.entry(result, 0, from: 0) else { return nil }
        var entries = [StatementLine(entry: creation, creation: creation)]
        if let resolution = try reading.entry(result, 0, from: Statements.entryColumnCount) {
            entries.append(StatementLine(entry: resolution, creation: creation))
        }
        return TransferSide(receipt: receipt, entries: entries)
    }

    /// Brings the two sides of a transfer between wallets together.
    private static func paired(_ sides: [TransferSide]) -> [TransferDetails] {
        var rest = sides.sorted { $0.receipt.wallet.id < $1.receipt.wallet.id }
        var details: [TransferDetails] = []
        while !rest.isEmpty {
            let first = rest.removeFirst()
            let other = rest.firstIndex {
                $0.receipt.wallet.id == first.receipt.transfer?.counterparty
                    && $0.receipt.transfer?.counterparty == first.receipt.wallet.id
            }
            let both = [first] + (other.map { [rest.remove(at: $0)] } ?? [])
            details.append(
                TransferDetails(
                    sides: both.sorted {
                        ($0.receipt.transfer?.direction == .credit ? 0 : 1)
                            < ($1.receipt.transfer?.direction == .credit ? 0 : 1)
                    }))
        }
        return details
    }
}
