public import Events
public import Ledger
import LedgerStore
public import Postgres

/// An event that cannot be applied, with where it came from.
public struct DeadLetter: Sendable {
    /// The stream it was in.
    public let stream: String
    /// Its message's sequence in the stream.
    public let sequence: UInt64
    /// When the stream stored its message: one made anew counts from 1 again.
    public let storedAt: Timestamp
    /// Its message's subject.
    public let subject: String
    /// Its place in the message.
    public let index: Int
    /// Why it cannot be applied.
    public let reason: String
    /// Its bytes.
    public let payload: [UInt8]

    /// A dead letter out of its parts.
    public init(
        stream: String, sequence: UInt64, storedAt: Timestamp, subject: String, index: Int, reason: String,
        payload: [UInt8]
    ) {
        self.stream = stream
        self.sequence = sequence
        self.storedAt = storedAt
        self.subject = subject
        self.index = index
        self.reason = reason
        self.payload = payload
    }
}

/// What a transaction changed in the projections.
public struct ProjectionChanges: Sendable {
    /// Wallets that were not there in this or a newer version.
    public var wallets = 0
    /// Transfers that were not there in this or a newer version.
    public var transfers = 0
    /// The dead letters that were not kept before.
    public var deadLetters: [DeadLetter] = []
}

/// Writes the projections. Belongs to the thread that uses the connection.
///
/// The newest version of a wallet or transfer wins, so applying an event twice, late or out of order is harmless.
/// Rows are written in key order: several writers of new events cannot deadlock. One that repeats old ones may meet
/// another so; then the batch is applied again.
public final class ProjectionWriter {
    private static let deadlocksMax = 3

    let connection: PostgresConnection
    let parameters = PostgresParameters()
    private let wallets = WalletColumns.types.map { PostgresArray(of: $0) }
    private let knownWallets: [PostgresArray] = [
        .uuid, .timestamp, .int8, .int2, .numeric, .numeric, .numeric, .numeric, .text,
    ].map { PostgresArray(of: $0) }
    private let transfers: [PostgresArray] = [
        .uuid, .uuid, .int8, .int8, .timestamp, .timestamp, .timestamp, .uuid, .int2, .int2, .numeric, .numeric,
        .numeric, .numeric, .numeric, .numeric, .text, .text, .text, .text, .text, .int2, .uuid, .text,
    ].map { PostgresArray(of: $0) }
    private let knownTransfers: [PostgresArray] = [
        .uuid, .uuid, .int8, .timestamp, .timestamp, .int2, .numeric, .numeric, .numeric, .numeric, .numeric, .text,
        .text,
    ].map { PostgresArray(of: $0) }

    /// Writes through `connection`, on which the statements are prepared.
    public init(connection: PostgresConnection) throws {
        self.connection = connection
        for (name, sql) in ProjectionStatements.writer.sorted(by: { $0.key < $1.key }) {
            try connection.prepare(name, sql)
        }
    }

    /// Applies events and keeps dead letters, in one transaction. Returns what was changed by it.
    @discardableResult
    public func apply(_ events: [WalletEvent], deadLetters: [DeadLetter] = []) throws -> ProjectionChanges {
        guard !events.isEmpty || !deadLetters.isEmpty else { return ProjectionChanges() }
        for _ in 0..<Self.deadlocksMax {
            do {
                return try applyOnce(events, deadLetters)
            } catch let error as PostgresError where error.sqlState == .deadlockDetected {
                connection.rollback()
            }
        }
        return try applyOnce(events, deadLetters)
    }

    private func applyOnce(_ events: [WalletEvent], _ deadLetters: [DeadLetter]) throws -> ProjectionChanges {
        if deadLetters.isEmpty, let changed = try applyAsFirst(events) { return changed }
        return try connection.pipeline { pipeline in
            try pipeline.sendBegin()
            let statements = try send(events, on: pipeline)
            for letter in deadLetters { try send(letter, on: pipeline) }
            try pipeline.sendCommit()
            try pipeline.sync()
            try pipeline.next()
            var changes = ProjectionChanges()
            if statements > 0 { changes.wallets = try pipeline.next().affectedRows }
            if statements > 1 { changes.transfers = try pipeline.next().affectedRows }
            changes.deadLetters = try deadLetters.filter { _ in try pipeline.next().affectedRows == 1 }
            try pipeline.next()
            return changes
        }
    }

    /// Applies events that nobody has applied before, which is the usual case and the cheaper one: what they create is
    /// inserted, everything else is updated. Nil when it turns out that they are others; then nothing was done.
    private func applyAsFirst(_ events: [WalletEvent]) throws -> ProjectionChanges? {
        do {
            let changes: ProjectionChanges? = try connection.pipeline { pipeline in
                try pipeline.sendBegin()
                // Updates first: who waits for another writer's wallets or transfers holds no new ones yet.
                let wallets = try sendFirst(wallets: events, on: pipeline)
                let transfers = try sendFirst(transfers: events, on: pipeline)
                try pipeline.sync()
                try pipeline.next()
                var isWhole = true
                for count in wallets + transfers where try pipeline.next().affectedRows != count { isWhole = false }
                guard isWhole else { return nil }
                try pipeline.sendCommit()
                try pipeline.sync()
                try pipeline.next()
                return ProjectionChanges(wallets: wallets.reduce(0, +), transfers: transfers.reduce(0, +))
            }
            if changes == nil { connection.rollback() }
            return changes
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            connection.rollback()
            return nil
        }
    }

    /// Queues the updates of known wallets and the new ones; returns how many rows each statement has to change.
    private func sendFirst(wallets events: [WalletEvent], on pipeline: PostgresPipeline) throws -> [Int] {
        for array in wallets + knownWallets { array.removeAll() }
        let keys = events.indices.map { ProjectionKey(events[$0].wallet, at: $0) }
        ProjectionKey.forEachNewest(of: keys) { index, isNew in
            let wallet = events[index].wallet
            if isNew { WalletColumns.append(wallet, to: wallets) } else { appendKnown(wallet) }
        }
        return try sendFilled([("update_wallets", knownWallets), ("insert_wallets", wallets)], on: pipeline)
    }

    /// Queues the updates of known transfers and the new ones; returns how many rows each statement has to change.
    private func sendFirst(transfers events: [WalletEvent], on pipeline: PostgresPipeline) throws -> [Int] {
        for array in transfers + knownTransfers { array.removeAll() }
        let keys = events.indices.compactMap { index in events[index].transfer.map { ProjectionKey($0, at: index) } }
        ProjectionKey.forEachNewest(of: keys) { index, isNew in
            guard let transfer = events[index].transfer else { return }
            let wallet = events[index].wallet
            if isNew { append(transfer, leaving: wallet) } else { appendKnown(transfer, leaving: wallet) }
        }
        return try sendFilled([("update_transfers", knownTransfers), ("insert_transfers", transfers)], on: pipeline)
    }

    private func sendFilled(
        _ statements: [(name: String, arrays: [PostgresArray])], on pipeline: PostgresPipeline
    ) throws -> [Int] {
        let filled = statements.filter { $0.arrays[0].count > 0 }
        for statement in filled { try send(statement.name, statement.arrays, on: pipeline) }
        return filled.map { $0.arrays[0].count }
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
        let keys = events.indices.map { ProjectionKey(events[$0].wallet, at: $0) }
        ProjectionKey.forEachNewest(of: keys) { index, _ in WalletColumns.append(events[index].wallet, to: wallets) }
        try send(statement, wallets, on: pipeline)
    }

    /// Queues the newest state of each transfer in `events`; false when there is none.
    func sendTransfers(_ events: [WalletEvent], as statement: String, on pipeline: PostgresPipeline) throws -> Bool {
        for array in transfers { array.removeAll() }
        let keys = events.indices.compactMap { index in events[index].transfer.map { ProjectionKey($0, at: index) } }
        guard !keys.isEmpty else { return false }
        ProjectionKey.forEachNewest(of: keys) { index, _ in
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
        parameters.append(timestamp: letter.storedAt.microseconds)
        parameters.append(text: letter.subject)
        parameters.append(int4: Int32(clamping: letter.index))
        // A reason may quote what it could not read.
        parameters.append(text: letter.reason.filter { $0 != "\0" })
        parameters.append(bytes: letter.payload)
        try pipeline.send("bury_event", parameters)
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

    /// What can change about a wallet.
    private func appendKnown(_ wallet: Wallet) {
        knownWallets[0].append(uuid: wallet.id.uuid.bits)
        knownWallets[1].append(timestamp: wallet.updatedAt.microseconds)
        knownWallets[2].append(int8: wallet.version)
        knownWallets[3].append(int2: wallet.status.rawValue)
        knownWallets[4].append(numeric: wallet.balance)
        knownWallets[5].append(numeric: wallet.pendingDebit)
        knownWallets[6].append(numeric: wallet.pendingCredit)
        knownWallets[7].append(numeric: wallet.overdraftLimit)
        knownWallets[8].append(text: wallet.metadata)
    }

    /// What can change about a transfer.
    private func appendKnown(_ transfer: Transfer, leaving wallet: Wallet) {
        knownTransfers[0].append(uuid: transfer.walletID.uuid.bits)
        knownTransfers[1].append(uuid: transfer.id.uuid.bits)
        knownTransfers[2].append(int8: transfer.version)
        knownTransfers[3].append(timestamp: transfer.resolvedAt?.microseconds)
        knownTransfers[4].append(timestamp: transfer.expiresAt?.microseconds)
        knownTransfers[5].append(int2: transfer.status.rawValue)
        knownTransfers[6].append(numeric: transfer.completedAmount)
        knownTransfers[7].append(numeric: wallet.balance)
        knownTransfers[8].append(numeric: wallet.pendingDebit)
        knownTransfers[9].append(numeric: wallet.pendingCredit)
        knownTransfers[10].append(numeric: wallet.overdraftLimit)
        knownTransfers[11].append(text: transfer.reason?.rawValue)
        knownTransfers[12].append(text: transfer.note)
    }
}
