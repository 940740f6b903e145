import Ledger
import Postgres

/// A journal row as arrays carry it, in the order of `Statements.entryColumns`; its hash comes behind.
enum EntryColumns {
    /// The type of each column's array.
    static let types: [PostgresType] = [
        .uuid, .int8, .timestamp, .timestamp, .uuid, .uuid, .uuid, .uuid, .int2, .int2, .numeric, .numeric,
        .numeric, .numeric, .numeric, .text, .text, .text, .text, .int2, .int2, .uuid, .text,
    ]

    /// Appends one row to arrays of `types`.
    static func append(_ entry: Entry, to columns: [PostgresArray]) {
        columns[0].append(uuid: entry.walletID.uuid.bits)
        columns[1].append(int8: entry.version)
        columns[2].append(timestamp: entry.occurredAt.microseconds)
        columns[3].append(timestamp: entry.expiresAt?.microseconds)
        columns[4].append(uuid: entry.transferID?.uuid.bits)
        columns[5].append(uuid: entry.key?.digest)
        columns[6].append(uuid: entry.contentHash)
        columns[7].append(uuid: entry.counterparty?.uuid.bits)
        columns[8].append(int2: entry.kind.rawValue)
        columns[9].append(int2: entry.direction?.rawValue)
        columns[10].append(numeric: entry.amount)
        columns[11].append(numeric: entry.balance)
        columns[12].append(numeric: entry.pendingDebit)
        columns[13].append(numeric: entry.pendingCredit)
        columns[14].append(numeric: entry.overdraftLimit)
        columns[15].append(text: entry.key?.reference)
        columns[16].append(text: entry.note)
        columns[17].append(text: entry.description)
        columns[18].append(text: entry.metadata)
        columns[19].append(int2: entry.status.rawValue)
        columns[20].append(int2: entry.purpose?.rawValue)
        columns[21].append(uuid: entry.related?.uuid.bits)
        columns[22].append(text: entry.actor)
    }
}
