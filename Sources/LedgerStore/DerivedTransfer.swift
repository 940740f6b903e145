import Ledger
import Postgres

/// A transfer as the entries of its wallet's journal leave it: what its row in `ledger.transfers` must say.
struct DerivedTransfer {
    /// The entry that created it.
    let creation: Entry
    /// Its newest entry.
    private(set) var last: Entry
    /// What reversals gave back of it, in minor units.
    private(set) var reversed: Int128 = 0
    /// The newest expiry that an entry tells.
    private(set) var expiresAt: Timestamp?
    private var extended: Int64?

    /// Begins with the entry that creates the transfer.
    init(creation: Entry) {
        self.creation = creation
        last = creation
        expiresAt = creation.expiresAt
    }

    /// Whether it is pending after its newest entry.
    var isPending: Bool { last.kind.transferStanding?.status == .pending }

    /// Goes on by its next entry.
    mutating func follow(_ entry: Entry) {
        last = entry
        if let expiresAt = entry.expiresAt { self.expiresAt = expiresAt }
        if entry.kind == .extended { extended = entry.version }
    }

    /// Counts a reversal of `amount` minor units.
    mutating func giveBack(_ amount: Int128) { reversed = Money.sum(reversed, amount) ?? Money.largest }

    /// The types of the columns that `append` fills: `columnNames`.
    static let columnTypes: [PostgresType] = [
        .uuid, .int8, .int8, .int8, .timestamp, .uuid, .int2, .int2, .numeric, .numeric,
    ]
    /// The columns of the row that depend on the journal: all but the key's.
    static let derivedColumns = [
        "created_version", "resolved_version", "extended_version", "expires_at", "counterparty", "status", "direction",
        "amount", "reversed_amount",
    ]
    /// All columns of the row but the wallet's.
    static let columnNames = (["transfer_id"] + derivedColumns).joined(separator: ", ")

    /// Appends the row of the transfer `id`.
    func append(_ id: TransferID, to columns: some RandomAccessCollection<PostgresArray>) {
        guard let standing = last.kind.transferStanding else { return }
        let columns = Array(columns)
        columns[0].append(uuid: id.uuid.bits)
        columns[1].append(int8: creation.version)
        columns[2].append(int8: isPending ? nil : last.version)
        columns[3].append(int8: extended)
        columns[4].append(timestamp: expiresAt?.microseconds)
        columns[5].append(uuid: creation.counterparty?.uuid.bits)
        columns[6].append(int2: standing.status.rawValue)
        columns[7].append(int2: creation.direction?.rawValue)
        columns[8].append(numeric: creation.amount)
        columns[9].append(numeric: reversed)
    }
}
