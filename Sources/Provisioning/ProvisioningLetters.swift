import Messaging
import Postgres

/// A user event that is put aside.
struct DeadUserEvent: Sendable {
    /// Its place in the message.
    let index: Int
    let reason: String
    let payload: [UInt8]
}

/// Keeps dead letters in the ledger's database.
struct ProvisioningLetters: Sendable {
    let pool: PostgresPool
    let stream: String

    /// A stream made anew counts from 1 again, so the time at which it stored the message tells messages apart, too.
    static let statements = [
        "bury_user_event": """
        INSERT INTO ledger.dead_letters (stream, stream_sequence, stored_at, subject, event_index, attempts, reason,
            payload)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (stream, stream_sequence, stored_at, event_index)
        DO UPDATE SET attempts = excluded.attempts, reason = excluded.reason
        RETURNING xmax = 0
        """
    ]

    /// Keeps the events in one transaction; an event that is there already stays one. Returns how many are new.
    func bury(_ events: [DeadUserEvent], of message: IncomingMessage) async throws -> Int {
        let stream = stream
        return try await pool.withConnection { connection in
            try connection.transaction { connection in
                var added = 0
                for event in events {
                    let parameters = PostgresParameters()
                    parameters.append(text: stream)
                    parameters.append(int8: Int64(clamping: message.streamSequence))
                    parameters.append(timestamp: message.storedAtMicroseconds)
                    parameters.append(text: message.subject)
                    parameters.append(int4: Int32(clamping: event.index))
                    parameters.append(int4: Int32(clamping: message.deliveryCount))
                    // A reason may quote what it could not read.
                    parameters.append(text: event.reason.filter { $0 != "\0" })
                    parameters.append(bytes: event.payload)
                    if try connection.query("bury_user_event", parameters).bool(0, 0) { added += 1 }
                }
                return added
            }
        }
    }
}
