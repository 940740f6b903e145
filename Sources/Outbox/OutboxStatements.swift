/// The SQL of the relay.
enum OutboxStatements {
    static let all: [String: String] = [
        // The lease and the claim in one statement: several relays never hold the same row, and a dead one's rows
        // come free by themselves. Rows that would be too many events at once are left to the next claim.
        "claim_outbox": """
        UPDATE ledger.outbox o
        SET next_attempt_at = now() + $1::int8 * interval '1 microsecond', attempts = attempts + 1
        FROM (
            SELECT id, sum(event_count) OVER (ORDER BY next_attempt_at ROWS UNBOUNDED PRECEDING) - event_count AS before
            FROM (
                SELECT id, event_count, next_attempt_at FROM ledger.outbox
                WHERE published_at IS NULL AND next_attempt_at <= now()
                ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED
            ) waiting
        ) due
        WHERE o.id = due.id AND due.before < $3::int8
        RETURNING o.id, o.drive, o.attempts, o.event_count, o.messages
        """,
        // What a crash of the server takes of these marks is published again under the same ids: no need to wait for
        // the disk. The sequence on record goes with them, so that it never names more than they do.
        "settle_lazily": "SELECT set_config('synchronous_commit', 'off', true)",
        "mark_published": """
        UPDATE ledger.outbox o SET published_at = now(), last_error = NULL
        FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::int4[]) AS drive) k
        WHERE o.id = k.id AND o.drive = k.drive AND o.published_at IS NULL
        """,
        "postpone_outbox": """
        UPDATE ledger.outbox o SET next_attempt_at = now() + k.pause * interval '1 microsecond', last_error = k.error
        FROM unnest($1::uuid[], $2::int4[], $3::int8[], $4::text[]) k(id, drive, pause, error)
        WHERE o.id = k.id AND o.drive = k.drive AND o.published_at IS NULL
        """,
        "forget_published": """
        DELETE FROM ledger.outbox WHERE id IN (
            SELECT id FROM ledger.outbox WHERE published_at < now() - $1::int8 * interval '1 microsecond'
            ORDER BY published_at LIMIT $2 FOR UPDATE SKIP LOCKED)
        """,
        "outbox_backlog": """
        SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::int8,
            extract(epoch FROM now() - (min(created_at) FILTER (WHERE drive = 0)))::int8
        FROM (
            SELECT created_at, drive FROM ledger.outbox WHERE published_at IS NULL ORDER BY created_at LIMIT $1
        ) w
        """,
        "lock_stream_setup": "SELECT pg_advisory_xact_lock(hashtextextended('wallet stream setup', 0))",
        "known_stream": "SELECT created, last_sequence FROM ledger.outbox_streams WHERE stream = $1",
        "record_sequence": """
        UPDATE ledger.outbox_streams SET last_sequence = $3, observed_at = now()
        WHERE stream = $1 AND created = $2 AND last_sequence < $3
        """,
        // Only one of several relays that see the same loss gets a row back and tells of it; a slow one, which saw the
        // stream before others published into it, does not.
        "replace_stream": """
        INSERT INTO ledger.outbox_streams AS s (stream, created, last_sequence, observed_at)
        VALUES ($1, $2, $3, now())
        ON CONFLICT (stream) DO UPDATE
        SET created = excluded.created, last_sequence = excluded.last_sequence, observed_at = now()
        WHERE s.created = $4 AND s.last_sequence = $5
        RETURNING 1
        """,
        // Whatever was claimed once may have been published and lost, also what another relay is about to mark: the
        // new drive keeps its mark from counting. Rows that were done already have no attempts any more.
        // A piece is a range of ids, so that no part of the table is looked at twice, whatever is in it.
        "redrive_outbox": """
        WITH piece AS MATERIALIZED (SELECT id FROM ledger.outbox WHERE id > $2 ORDER BY id LIMIT $1),
        handed AS (
            SELECT o.id FROM piece JOIN ledger.outbox o ON o.id = piece.id WHERE o.attempts > 0
            ORDER BY o.id FOR UPDATE OF o
        ),
        redriven AS (
            UPDATE ledger.outbox o SET published_at = NULL, drive = drive + 1, attempts = 0, next_attempt_at = now()
            FROM handed WHERE o.id = handed.id RETURNING o.id
        )
        SELECT (SELECT count(*) FROM redriven), count(*), (SELECT id FROM piece ORDER BY id DESC LIMIT 1) FROM piece
        """,
    ]
}
