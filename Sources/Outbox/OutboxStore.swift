import Ledger
import Postgres
import Runtime

/// A claimed outbox row.
struct OutboxRow: Sendable {
    let id: RawUUID
    let drive: Int32
    let attempts: Int32
    let eventCount: Int32
    let messages: [UInt8]
}

/// The rows that wait to be published.
struct OutboxBacklog: Sendable {
    let entries: Int
    /// The age of the oldest.
    let oldestSeconds: Int
    /// The age of the oldest that is not sent again after a loss; nil when there is none among those looked at. What is
    /// sent again says nothing about the projections: they had it, or the auditor's sweep brings it.
    let oldestNewSeconds: Int64?
}

/// The relay's statements.
struct OutboxStore: Sendable {
    let pool: PostgresPool

    /// Claims up to `limit` rows that are due, and no further one once they have `events` events.
    func claim(_ limit: Int, events: Int = .max, lease: Duration) async throws -> [OutboxRow] {
        try await pool.withConnection { connection in
            let parameters = PostgresParameters()
            parameters.append(int8: lease.wholeNanoseconds / 1000)
            parameters.append(int8: Int64(limit))
            parameters.append(int8: Int64(events))
            let result = try connection.query("claim_outbox", parameters)
            let rows = try (0..<result.rowCount).map { row in
                OutboxRow(
                    id: RawUUID(bits: try result.uuid(row, 0)), drive: try result.int32(row, 1),
                    attempts: try result.int32(row, 2), eventCount: try result.int32(row, 3),
                    messages: try result.bytes(row, 4))
            }
            // Ids grow with time: about the order of the commits.
            return rows.sorted { $0.id < $1.id }
        }
    }

    /// Marks rows as published and gives others back, and remembers how far the stream is known to reach.
    func settle(
        published: [OutboxRow], postponed: [(row: OutboxRow, pause: Duration, reason: String)], stream: String,
        created: String?, sequence: UInt64
    ) async throws {
        let later = postponed.map { (id: $0.row.id, drive: $0.row.drive, pause: $0.pause, reason: $0.reason) }
        let done = published.map { (id: $0.id, drive: $0.drive) }
        try await pool.withConnection { connection in
            try connection.pipeline { pipeline in
                // For this transaction only, which ends with the pipeline.
                try pipeline.send("settle_lazily")
                var statements = 1
                if !done.isEmpty {
                    try Self.sendPublished(done, on: pipeline)
                    statements += 1
                }
                if !later.isEmpty {
                    try Self.sendPostponed(later, on: pipeline)
                    statements += 1
                }
                if let created, sequence > 0 {
                    let parameters = PostgresParameters()
                    parameters.append(text: stream)
                    parameters.append(text: created)
                    parameters.append(int8: Int64(clamping: sequence))
                    try pipeline.send("record_sequence", parameters)
                    statements += 1
                }
                try pipeline.sync()
                for _ in 0..<statements { try pipeline.next() }
            }
        }
    }

    private static func sendPublished(_ rows: [(id: RawUUID, drive: Int32)], on pipeline: PostgresPipeline) throws {
        let ids = PostgresArray(of: .uuid)
        let drives = PostgresArray(of: .int4)
        for row in rows {
            ids.append(uuid: row.id.bits)
            drives.append(int4: row.drive)
        }
        let parameters = PostgresParameters()
        parameters.append(ids)
        parameters.append(drives)
        try pipeline.send("mark_published", parameters)
    }

    private static func sendPostponed(
        _ rows: [(id: RawUUID, drive: Int32, pause: Duration, reason: String)], on pipeline: PostgresPipeline
    ) throws {
        let ids = PostgresArray(of: .uuid)
        let drives = PostgresArray(of: .int4)
        let pauses = PostgresArray(of: .int8)
        let reasons = PostgresArray(of: .text)
        for row in rows {
            ids.append(uuid: row.id.bits)
            drives.append(int4: row.drive)
            pauses.append(int8: row.pause.wholeNanoseconds / 1000)
            reasons.append(text: row.reason)
        }
        let parameters = PostgresParameters()
        for array in [ids, drives, pauses, reasons] { parameters.append(array) }
        try pipeline.send("postpone_outbox", parameters)
    }

    /// Deletes up to `limit` rows that were published longer ago than `retention`; returns how many.
    func forget(olderThan retention: Duration, limit: Int) async throws -> Int {
        try await pool.withConnection { connection in
            let parameters = PostgresParameters()
            parameters.append(int8: retention.wholeNanoseconds / 1000)
            parameters.append(int8: Int64(limit))
            return try connection.query("forget_published", parameters).affectedRows
        }
    }

    /// Looks at the rows that wait, the oldest first and up to `backlogMax`.
    func backlog() async throws -> OutboxBacklog {
        try await pool.withConnection { connection in
            let parameters = PostgresParameters()
            parameters.append(int8: Int64(Self.backlogMax))
            let result = try connection.query("outbox_backlog", parameters)
            return OutboxBacklog(
                entries: try result.int(0, 0), oldestSeconds: try result.int(0, 1),
                oldestNewSeconds: try result.optionalInt64(0, 2))
        }
    }

    /// Runs `body` while no other relay runs its own. For work that does not take long.
    func exclusively<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await pool.withConnection { connection in
            try connection.transaction { connection in
                _ = try connection.query("lock_stream_setup")
                return try body()
            }
        }
    }

    /// Past this many, rows that wait are no longer counted: it is done each second.
    static let backlogMax = 100_001

    /// What is remembered of a stream; nil before the first look.
    func knownStream(_ name: String) async throws -> (created: String, lastSequence: Int64)? {
        try await pool.withConnection { connection in
            let parameters = PostgresParameters()
            parameters.append(text: name)
            let result = try connection.query("known_stream", parameters)
            return result.isEmpty ? nil : (try result.text(0, 0), try result.int64(0, 1))
        }
    }

    /// Has everything sent anew that was ever handed to a stream and is still here. Returns how many rows. In
    /// pieces, in
    /// id order: a busy retention is far more than one statement's time allows. What an interrupted run has done is not
    /// done again by the next one. Throws `CancellationError` when it is told to stop first.
    func redrive(until stopping: StopSignal? = nil, piece: Int = 2000) async throws -> Int {
        var total = 0
        var last = RawUUID(bits: 0)
        while stopping?.isStopped != true {
            let after = last
            let (redriven, seen, end) = try await pool.withConnection { connection in
                let parameters = PostgresParameters()
                parameters.append(int8: Int64(piece))
                parameters.append(uuid: after.bits)
                let result = try connection.query("redrive_outbox", parameters)
                return (try result.int(0, 0), try result.int(0, 1), try result.optionalUUID(0, 2))
            }
            total += redriven
            guard seen == piece, let end else { return total }
            last = RawUUID(bits: end)
        }
        throw CancellationError()
    }

    /// Replaces what is remembered of a stream, if it still is `known`. False when another relay was first.
    func replaceStream(
        _ name: String, created: String, lastSequence: Int64, known: (created: String, lastSequence: Int64)?
    ) async throws -> Bool {
        try await pool.withConnection { connection in
            let parameters = PostgresParameters()
            parameters.append(text: name)
            parameters.append(text: created)
            parameters.append(int8: lastSequence)
            parameters.append(text: known?.created ?? "")
            parameters.append(int8: known?.lastSequence ?? 0)
            return try !connection.query("replace_stream", parameters).isEmpty
        }
    }
}
