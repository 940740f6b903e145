public import Events
import Ledger
public import Postgres

/// An event that cannot be applied, with where it came from.
public struct DeadLetter: Sendable {
    /// The stream it was in.
    public let stream: String
    /// Its message's sequence in the stream.
    public let sequence: UInt64
    /// Its message's subject.
    public let subject: String
    /// Its place in the message.
    public let index: Int
    /// Why it cannot be applied.
    public let reason: String
    /// Its bytes.
    public let payload: [UInt8]

    /// A dead letter out of its parts.
    public init(stream: String, sequence: UInt64, subject: String, index: Int, reason: String, payload: [UInt8]) {
        self.stream = stream
        self.sequence = sequence
        self.subject = subject
        self.index = index
        self.reason = reason
        self.payload = payload
    }
}

/// Writes the projections. Belongs to the thread that uses the connection.
///
/// The newest version of a wallet or transfer wins, so applying an event twice, late or out of order is harmless.
/// Rows are written in key order: several writers cannot deadlock.
public final class ProjectionWriter {
    let connection: PostgresConnection
    let parameters = PostgresParameters()
    private let wallets: [PostgresArray] = [
        .uuid, .timestamp, .timestamp, .int8, .int2, .text, .numeric, .numeric, .numeric, .numeric, .text, .text,
    ].map { PostgresArray(of: $0) }
    private let transfers: [PostgresArray] = [
        .uuid, .uuid, .int8, .int8, .timestamp, .timestamp, .timestamp, .uuid, .int2, .int2, .numeric, .numeric,
        .numeric, .numeric, .numeric, .numeric, .text, .text, .text, .text, .text, .int2, .uuid, .text,
    ].map { PostgresArray(of: $0) }

    /// Writes through `connection`, on which the statements are prepared.
    public init(connection: PostgresConnection) throws {
        self.connection = connection
        for (name, sql) in ProjectionStatements.writer.sorted(by: { $0.key < $1.key }) {
            try connection.prepare(name, sql)
        }
    }

    /// Applies events and keeps dead letters, in one transaction and one round trip. Returns how many wallets and
    /// transfers were changed by it: what was there already in this or a newer version is not.
    @discardableResult
    public func apply(
        _ events: [WalletEvent], deadLetters: [DeadLetter] = []
    ) throws -> (wallets: Int, transfers: Int) {
        guard !events.isEmpty || !deadLetters.isEmpty else { return (0, 0) }
        return try connection.pipeline { pipeline in
            try pipeline.sendBegin()
            let statements = try send(events, on: pipeline)
            for letter in deadLetters { try send(letter, on: pipeline) }
            try pipeline.sendCommit()
            try pipeline.sync()
            try pipeline.next()
            let wallets = statements > 0 ? try pipeline.next().affectedRows : 0
            let transfers = statements > 1 ? try pipeline.next().affectedRows : 0
            for _ in 0...deadLetters.count { try pipeline.next() }
            return (wallets, transfers)
        }
    }

    /// Queues the newest state of each wallet and transfer in `events`; returns the number of statements.
    private func send(_ events: [WalletEvent], on pipeline: PostgresPipeline) throws -> Int {
        guard !events.isEmpty else { return 0 }
        try sendWallets(events, as: "project_wallets", on: pipeline)
        return try sendTransfers(events, as: "project_transfers", on: pipeline) ? 2 : 1
    }

    /// Queues the newest state of each wallet in `events`.
    func sendWallets(_ events: [WalletEvent], as statement: String, on pipeline: PostgresPipeline) throws {
        for array in wallets { array.removeAll() }
        let keys = events.indices.map { Key(events[$0].wallet, at: $0) }
        Key.forEachNewest(of: keys) { append(events[$0].wallet) }
        try send(statement, wallets, on: pipeline)
    }

    /// Queues the newest state of each transfer in `events`; false when there is none.
    func sendTransfers(_ events: [WalletEvent], as statement: String, on pipeline: PostgresPipeline) throws -> Bool {
        for array in transfers { array.removeAll() }
        let keys = events.indices.compactMap { index in events[index].transfer.map { Key($0, at: index) } }
        guard !keys.isEmpty else { return false }
        Key.forEachNewest(of: keys) { index in
            if let transfer = events[index].transfer { append(transfer, leaving: events[index].wallet) }
        }
        try send(statement, transfers, on: pipeline)
        return true
    }

    private func send(_ statement: String, _ arrays: [PostgresArray], on pipeline: PostgresPipeline) throws {
        parameters.removeAll()
        for array in arrays { parameters.append(array) }
        try pipeline.send(statement, parameters)
    }

    private func send(_ letter: DeadLetter, on pipeline: PostgresPipeline) throws {
        parameters.removeAll()
        parameters.append(text: letter.stream)
        parameters.append(int8: Int64(clamping: letter.sequence))
        parameters.append(text: letter.subject)
        parameters.append(int4: Int32(clamping: letter.index))
        // A reason may quote what it could not read.
        parameters.append(text: letter.reason.filter { $0 != "\0" })
        parameters.append(bytes: letter.payload)
        try pipeline.send("bury_event", parameters)
    }

    private func append(_ wallet: Wallet) {
        wallets[0].append(uuid: wallet.id.uuid.bits)
        wallets[1].append(timestamp: wallet.createdAt.microseconds)
        wallets[2].append(timestamp: wallet.updatedAt.microseconds)
        wallets[3].append(int8: wallet.version)
        wallets[4].append(int2: wallet.status.rawValue)
        wallets[5].append(text: wallet.asset.code)
        wallets[6].append(numeric: wallet.balance)
        wallets[7].append(numeric: wallet.pendingDebit)
        wallets[8].append(numeric: wallet.pendingCredit)
        wallets[9].append(numeric: wallet.overdraftLimit)
        wallets[10].append(text: wallet.ownerID)
        wallets[11].append(text: wallet.metadata)
    }

    private func append(_ transfer: Transfer, leaving wallet: Wallet) {
        transfers[0].append(uuid: transfer.walletID.uuid.bits)
        transfers[1].append(uuid: transfer.id.uuid.bits)
        transfers[2].append(int8: transfer.createdVersion)
        transfers[3].append(int8: transfer.version)
        transfers[4].append(timestamp: transfer.createdAt.microseconds)
        transfers[5].append(timestamp: transfer.resolvedAt?.microseconds)
        transfers[6].append(timestamp: transfer.expiresAt?.microseconds)
        transfers[7].append(uuid: transfer.counterparty?.uuid.bits)
        transfers[8].append(int2: transfer.status.rawValue)
        transfers[9].append(int2: transfer.direction.rawValue)
        transfers[10].append(numeric: transfer.amount)
        transfers[11].append(numeric: transfer.completedAmount)
        transfers[12].append(numeric: wallet.balance)
        transfers[13].append(numeric: wallet.pendingDebit)
        transfers[14].append(numeric: wallet.pendingCredit)
        transfers[15].append(numeric: wallet.overdraftLimit)
        transfers[16].append(text: transfer.reason?.rawValue)
        transfers[17].append(text: transfer.referenceID)
        transfers[18].append(text: transfer.description)
        transfers[19].append(text: transfer.note)
        transfers[20].append(text: transfer.metadata)
        transfers[21].append(int2: transfer.purpose.rawValue)
        transfers[22].append(uuid: transfer.reverses?.uuid.bits)
        transfers[23].append(text: transfer.actor)
    }
}

/// Names a row that an event writes. Keys are sorted instead of the events, which are many times larger.
private struct Key {
    let wallet: RawUUID
    let transfer: RawUUID
    let version: Int64
    /// The event's place.
    let index: Int

    init(_ wallet: Wallet, at index: Int) {
        self.wallet = wallet.id.uuid
        transfer = self.wallet
        version = wallet.version
        self.index = index
    }

    init(_ transfer: Transfer, at index: Int) {
        wallet = transfer.walletID.uuid
        self.transfer = transfer.id.uuid
        version = transfer.version
        self.index = index
    }

    /// Calls `body` with the place of each row's newest version, in the order of the rows.
    static func forEachNewest(of keys: [Key], _ body: (Int) -> Void) {
        let keys = keys.sorted { left, right in
            if left.wallet != right.wallet { return left.wallet < right.wallet }
            if left.transfer != right.transfer { return left.transfer < right.transfer }
            return left.version < right.version
        }
        for (place, key) in keys.enumerated() {
            let next = place + 1 < keys.count ? keys[place + 1] : nil
            if next?.wallet != key.wallet || next?.transfer != key.transfer { body(key.index) }
        }
    }
}
