/// The SQL of the write side. Each statement is prepared under its name on every connection that uses it.
enum Statements {
    /// The columns of a wallet, in the order `RowReading.wallet` reads them.
    static func walletColumns(_ alias: String) -> String {
        [
            "id", "created_at", "updated_at", "version", "status", "asset", "balance", "pending_debit",
            "pending_credit", "overdraft_limit", "owner_id", "metadata",
        ].map { "\(alias).\($0)" }.joined(separator: ", ")
    }

    /// The columns of a journal row, in the order `RowReading.entry` reads them.
    static func entryColumns(_ alias: String? = nil) -> String {
        [
            "wallet_id", "version", "occurred_at", "expires_at", "transfer_id", "key_digest", "content_hash",
            "counterparty", "kind", "direction", "amount", "balance", "pending_debit", "pending_credit",
            "overdraft_limit", "reference_id", "note", "description", "metadata", "status", "purpose",
            "related_transfer", "actor",
        ].map { column in alias.map { "\($0).\(column)" } ?? column }.joined(separator: ", ")
    }

    /// How many columns `entryColumns` names.
    static let entryColumnCount = 23
    /// How many columns `walletColumns` names.
    static let walletColumnCount = 12

    /// The columns of a transfer joined by `transferJoin`, in the order `RowReading.transfer` reads them.
    private static let transferColumns = "\(entryColumns("c")), \(entryColumns("r")), t.reversed_amount"

    /// A transfer's first journal row and its newest one, where that is another.
    private static let newestJoin = """
        LEFT JOIN ledger.journal r ON r.wallet_id = t.wallet_id
            AND r.version = coalesce(t.resolved_version, t.extended_version)
            AND coalesce(t.resolved_version, t.extended_version) <> t.created_version
        """

    private static let transferJoin = """
        JOIN ledger.journal c ON c.wallet_id = t.wallet_id AND c.version = t.created_version
        \(newestJoin)
        """

    /// The wallets $1, and the other wallets of the transfers $3 in the wallets $2.
    private static let namedWallets = """
        SELECT \(walletColumns("w")), w.chain, w.xmin FROM ledger.wallets w WHERE w.id = ANY($1::uuid[] || ARRAY(
            SELECT t.counterparty FROM (SELECT unnest($2::uuid[]) AS wallet_id, unnest($3::uuid[]) AS transfer_id) k
            JOIN ledger.transfers t ON t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
            WHERE t.counterparty IS NOT NULL))
        """

    /// Reads and writes of the writer lanes.
    static let lane: [String: String] = [
        // Locks are always taken in id order: lanes and processes cannot deadlock.
        "lock_wallets": "\(namedWallets) ORDER BY w.id FOR NO KEY UPDATE",
        "read_wallets": namedWallets,
        // Locks wallets that were read without; refuses the transaction when one is not as it was read.
        "expect_wallets": """
        WITH locked AS (
            SELECT w.xmin AS row_version, k.row_version AS expected
            FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::xid[]) AS row_version) k
            JOIN ledger.wallets w ON w.id = k.id
            ORDER BY k.id FOR NO KEY UPDATE OF w
        )
        SELECT ledger.require_count((SELECT count(*) FROM locked WHERE row_version = expected), $3)
        """,
        // Of the wallets $1, and the other wallets of the transfers $3 in the wallets $2: those whose rows somebody
        // else has locked, who does not wait for a lock himself. The xmax is of whoever did.
        "held_wallets": """
        WITH named AS MATERIALIZED (
            SELECT unnest($1::uuid[]) AS id
            UNION
            SELECT t.counterparty FROM (SELECT unnest($2::uuid[]) AS wallet_id, unnest($3::uuid[]) AS transfer_id) k
            JOIN ledger.transfers t ON t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
            WHERE t.counterparty IS NOT NULL
        ), free AS MATERIALIZED (
            SELECT w.id FROM ledger.wallets w WHERE w.id = ANY(ARRAY(SELECT id FROM named))
            FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT w.id, w.xmax FROM ledger.wallets w
        WHERE w.id = ANY(ARRAY(SELECT id FROM named EXCEPT SELECT id FROM free)) AND NOT EXISTS (
            SELECT FROM pg_locks h JOIN pg_locks l ON l.virtualtransaction = h.virtualtransaction AND NOT l.granted
            WHERE h.locktype = 'transactionid' AND h.transactionid = w.xmax AND h.granted)
        """,
        // Which of the transfers $2 in the wallets $1 have one of $3 on their other side.
        "transfers_with": """
        SELECT t.wallet_id, t.transfer_id
        FROM (SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS transfer_id) k
        JOIN ledger.transfers t ON t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
        WHERE t.counterparty = ANY($3::uuid[])
        """,
        // Journal rows under these keys would collide by themselves.
        "expect_no_refusals": """
        SELECT ledger.require_count(count(*), 0)
        FROM (SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS key_digest) k
        JOIN ledger.refusals f ON f.wallet_id = k.wallet_id AND f.key_digest = k.key_digest
        """,
        // A refused credit has no other side: there, its id may name a transfer between other wallets.
        "read_transfers": """
        SELECT \(transferColumns)
        FROM (SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS transfer_id) k
        JOIN ledger.transfers o ON o.wallet_id = k.wallet_id AND o.transfer_id = k.transfer_id
        CROSS JOIN LATERAL (
            SELECT o.* UNION ALL
            SELECT m.* FROM ledger.transfers m WHERE m.wallet_id = o.counterparty AND m.transfer_id = o.transfer_id
                AND m.counterparty = o.wallet_id
        ) t
        \(transferJoin)
        """,
        // Whether the other wallet of a transfer knows the id that its reversal is to have.
        "read_reversal_ids": """
        SELECT \(transferColumns)
        FROM (SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS original, unnest($3::uuid[]) AS new_id) k
        JOIN ledger.transfers o ON o.wallet_id = k.wallet_id AND o.transfer_id = k.original
        JOIN ledger.transfers t ON t.wallet_id = o.counterparty AND t.transfer_id = k.new_id
        \(transferJoin)
        """,
        "read_keys": """
        SELECT \(entryColumns("j")), \(entryColumns("c"))
        FROM (SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS key_digest) k
        JOIN ledger.journal j ON j.wallet_id = k.wallet_id AND j.key_digest = k.key_digest
        LEFT JOIN ledger.transfers t ON t.wallet_id = j.wallet_id AND t.transfer_id = j.transfer_id
        LEFT JOIN ledger.journal c ON c.wallet_id = t.wallet_id AND c.version = t.created_version
        """,
        "read_refusals": """
        SELECT f.wallet_id, f.key_digest, f.content_hash, f.code, f.detail,
            \(transferColumns)
        FROM (SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS key_digest) k
        JOIN ledger.refusals f ON f.wallet_id = k.wallet_id AND f.key_digest = k.key_digest
        LEFT JOIN (ledger.transfers t
            \(transferJoin)
        ) ON t.wallet_id = f.wallet_id AND t.transfer_id = f.transfer_id
        """,
        "read_openings": """
        SELECT \(entryColumns("j")) FROM ledger.journal j WHERE j.wallet_id = ANY($1::uuid[]) AND j.version = 1
        """,
        "read_wallet_keys": """
        SELECT k.key_digest, \(walletColumns("w")), \(entryColumns("j"))
        FROM ledger.wallet_keys k
        JOIN ledger.wallets w ON w.id = k.wallet_id
        JOIN ledger.journal j ON j.wallet_id = k.wallet_id AND j.version = 1
        WHERE k.scope = '' AND k.key_digest = ANY($1::uuid[])
        """,
        "insert_wallets": """
        INSERT INTO ledger.wallets (id, created_at, updated_at, version, status, asset, balance, pending_debit,
            pending_credit, overdraft_limit, owner_id, metadata, chain)
        SELECT unnest($1::uuid[]), unnest($2::timestamptz[]), unnest($3::timestamptz[]), unnest($4::int8[]),
            unnest($5::int2[]), unnest($6::text[]), unnest($7::numeric[]), unnest($8::numeric[]),
            unnest($9::numeric[]), unnest($10::numeric[]), unnest($11::text[]), unnest($12::text[]),
            unnest($13::bytea[])
        """,
        // Only as they were when the batch was decided.
        "update_wallets": """
        WITH changed AS (UPDATE ledger.wallets w SET updated_at = k.updated_at, version = k.version,
            balance = k.balance, pending_debit = k.pending_debit, pending_credit = k.pending_credit,
            overdraft_limit = k.overdraft_limit, status = k.status, metadata = k.metadata, chain = k.chain
        FROM (
            SELECT unnest($1::uuid[]) AS id, unnest($2::timestamptz[]) AS updated_at, unnest($3::int8[]) AS version,
                unnest($4::numeric[]) AS balance, unnest($5::numeric[]) AS pending_debit,
                unnest($6::numeric[]) AS pending_credit, unnest($7::numeric[]) AS overdraft_limit,
                unnest($8::int2[]) AS status, unnest($9::text[]) AS metadata, unnest($10::bytea[]) AS chain,
                unnest($11::xid[]) AS row_version
        ) k
        WHERE w.id = k.id AND w.xmin = k.row_version RETURNING 1)
        SELECT ledger.require_count((SELECT count(*) FROM changed), $12)
        """,
        "insert_entries": """
        INSERT INTO ledger.journal (\(entryColumns()), chain)
        SELECT unnest($1::uuid[]), unnest($2::int8[]), unnest($3::timestamptz[]), unnest($4::timestamptz[]),
            unnest($5::uuid[]), unnest($6::uuid[]), unnest($7::uuid[]), unnest($8::uuid[]), unnest($9::int2[]),
            unnest($10::int2[]), unnest($11::numeric[]), unnest($12::numeric[]), unnest($13::numeric[]),
            unnest($14::numeric[]), unnest($15::numeric[]), unnest($16::text[]), unnest($17::text[]),
            unnest($18::text[]), unnest($19::text[]), unnest($20::int2[]), unnest($21::int2[]), unnest($22::uuid[]),
            unnest($23::text[]), unnest($24::bytea[])
        """,
        "insert_transfers": """
        INSERT INTO ledger.transfers (wallet_id, transfer_id, created_version, resolved_version, extended_version,
            expires_at, counterparty, status, direction, amount, reversed_amount)
        SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::int8[]), unnest($4::int8[]), unnest($5::int8[]),
            unnest($6::timestamptz[]), unnest($7::uuid[]), unnest($8::int2[]), unnest($9::int2[]),
            unnest($10::numeric[]), unnest($11::numeric[])
        """,
        // A transfer is resolved once: a second resolution would come from another entry.
        "update_transfers": """
        WITH changed AS (UPDATE ledger.transfers t SET status = k.status, expires_at = k.expires_at,
            resolved_version = k.resolved_version, reversed_amount = k.reversed_amount,
            extended_version = coalesce(k.extended_version, t.extended_version)
        FROM (
            SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS transfer_id,
                unnest($3::int8[]) AS resolved_version, unnest($4::int8[]) AS extended_version,
                unnest($5::timestamptz[]) AS expires_at, unnest($6::int2[]) AS status,
                unnest($7::numeric[]) AS reversed_amount
        ) k
        WHERE t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
            AND (t.status = 1 OR t.resolved_version = k.resolved_version) RETURNING 1)
        SELECT ledger.require_count((SELECT count(*) FROM changed), $8)
        """,
        "insert_expirations": """
        INSERT INTO ledger.expirations (expires_at, wallet_id, transfer_id)
        SELECT unnest($1::timestamptz[]), unnest($2::uuid[]), unnest($3::uuid[])
        """,
        "delete_expirations": """
        DELETE FROM ledger.expirations e USING (
            SELECT unnest($1::timestamptz[]) AS expires_at, unnest($2::uuid[]) AS wallet_id,
                unnest($3::uuid[]) AS transfer_id
        ) k
        WHERE e.expires_at = k.expires_at AND e.wallet_id = k.wallet_id AND e.transfer_id = k.transfer_id
        """,
        "insert_refusals": """
        INSERT INTO ledger.refusals (wallet_id, key_digest, content_hash, transfer_id, occurred_at, code, detail,
            reference_id)
        SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::uuid[]), unnest($4::uuid[]),
            unnest($5::timestamptz[]), unnest($6::text[]), unnest($7::text[]), unnest($8::text[])
        """,
        "read_batches": """
        SELECT key_digest, content_hash, outcome FROM ledger.batches WHERE key_digest = ANY($1::uuid[])
        """,
        "insert_batches": """
        INSERT INTO ledger.batches (key_digest, content_hash, created_at, reference_id, outcome)
        SELECT unnest($1::uuid[]), unnest($2::uuid[]), now(), unnest($3::text[]), unnest($4::text[])
        """,
        "insert_wallet_keys": """
        INSERT INTO ledger.wallet_keys (scope, key_digest, reference_id, wallet_id)
        SELECT '', unnest($1::uuid[]), unnest($2::text[]), unnest($3::uuid[])
        """,
        // Without events there is nothing to publish, but the row still tells that the batch was committed. Returned is
        // what all rows that the transaction wrote have as xmin.
        "insert_outbox": """
        INSERT INTO ledger.outbox (id, created_at, next_attempt_at, published_at, event_count, messages)
        VALUES ($1, now(), now(), CASE WHEN $2 = 0 THEN now() END, $2, $3)
        RETURNING pg_current_xact_id()::xid
        """,
        // Waits for a transaction that is about to commit the batch, and keeps one that comes later from doing so. Past
        // $2 the row might have been there and gone. A row that is there is written, too: so that this answer comes
        // no earlier than the batch's own would have, where standbys have to confirm.
        "abandon_batch": """
        INSERT INTO ledger.outbox AS o
            (id, created_at, next_attempt_at, published_at, event_count, messages, last_error)
        SELECT $1, now(), now(), now(), 0, '', 'abandoned: the connection was lost before the commit'
        WHERE clock_timestamp() < $2
        ON CONFLICT (id) DO UPDATE SET attempts = o.attempts
        """,
        "batch_committed": "SELECT event_count > 0 OR last_error IS NULL FROM ledger.outbox WHERE id = $1",
        "standing": """
        SELECT pg_is_in_recovery(), current_setting('synchronous_commit'), clock_timestamp()
        """,
    ]

    /// Reads of `LedgerReader`.
    static let reader: [String: String] = [
        "ledger_wallet": "SELECT \(walletColumns("w")) FROM ledger.wallets w WHERE w.id = $1",
        "ledger_transfer": """
        SELECT \(walletColumns("w")), \(transferColumns)
        FROM ledger.transfers t
        JOIN ledger.wallets w ON w.id = t.wallet_id
        \(transferJoin)
        WHERE t.wallet_id = $1 AND t.transfer_id = $2
        """,
        "ledger_transfers": """
        SELECT \(walletColumns("w")), \(transferColumns)
        FROM ledger.journal c
        JOIN ledger.wallets w ON w.id = c.wallet_id
        JOIN ledger.transfers t ON t.wallet_id = c.wallet_id AND t.transfer_id = c.transfer_id
            AND t.created_version = c.version
        \(newestJoin)
        WHERE c.wallet_id = $1 AND c.version > $2 AND c.version < $3
            AND ($4::int2 IS NULL OR t.status = $4) AND ($5::int2 IS NULL OR t.direction = $5)
        ORDER BY c.version DESC LIMIT $6
        """,
    ]

    private static let newestRowJoin = """
        LEFT JOIN LATERAL (
            SELECT * FROM ledger.journal n WHERE n.wallet_id = w.id ORDER BY n.version DESC LIMIT 1
        ) j ON true
        """

    /// Reads of `JournalReader`.
    static let journal: [String: String] = [
        "journal_wallets": """
        SELECT \(walletColumns("w")), \(entryColumns("j"))
        FROM (SELECT * FROM ledger.wallets WHERE id >= $1 ORDER BY id LIMIT $2) w
        \(newestRowJoin)
        ORDER BY w.id
        """,
        "journal_wallet": """
        SELECT \(walletColumns("w")), \(entryColumns("j"))
        FROM ledger.wallets w \(newestRowJoin) WHERE w.id = $1
        """,
        "journal_version": """
        SELECT version FROM ledger.journal WHERE wallet_id = $1 ORDER BY version DESC LIMIT 1
        """,
        // Also for a single wallet: with `wallet_id = $1` the constant spreads to the joined tables, and the planner
        // then walks over the whole wallet for each row.
        "journal_entries_of": """
        SELECT \(entryColumns("j")), \(entryColumns("c"))
        FROM unnest($1::uuid[], $2::int8[]) WITH ORDINALITY k(wallet_id, version, place)
        CROSS JOIN LATERAL (
            SELECT * FROM ledger.journal n WHERE n.wallet_id = k.wallet_id AND n.version > k.version
            ORDER BY n.version LIMIT $3
        ) j
        LEFT JOIN ledger.transfers t ON t.wallet_id = j.wallet_id AND t.transfer_id = j.transfer_id
        LEFT JOIN ledger.journal c ON c.wallet_id = t.wallet_id AND c.version = t.created_version
        ORDER BY k.place, j.version
        """,
        "journal_transfers": """
        SELECT t.transfer_id, t.status, t.direction, t.amount, t.created_version, t.resolved_version, t.expires_at,
            EXISTS (SELECT FROM ledger.expirations e WHERE e.expires_at = t.expires_at
                AND e.wallet_id = t.wallet_id AND e.transfer_id = t.transfer_id),
            \(entryColumns("c")), \(entryColumns("r"))
        FROM ledger.transfers t
        LEFT JOIN ledger.journal c ON c.wallet_id = t.wallet_id AND c.version = t.created_version
        LEFT JOIN ledger.journal r ON r.wallet_id = t.wallet_id
            AND r.version = coalesce(t.resolved_version, t.extended_version)
        WHERE t.wallet_id = $1 AND t.transfer_id >= $2 ORDER BY t.transfer_id LIMIT $3
        """,
        "journal_lacks": """
        SELECT k.transfer_id FROM unnest($2::uuid[], $3::int8[]) k(transfer_id, version)
        WHERE NOT EXISTS (SELECT FROM ledger.journal j
            WHERE j.wallet_id = $1 AND j.version = k.version AND j.transfer_id = k.transfer_id)
        """,
        "journal_transfers_of": """
        SELECT \(transferColumns)
        FROM (SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS transfer_id) k
        JOIN ledger.transfers t ON t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
        \(transferJoin)
        """,
        "journal_entry": """
        SELECT \(entryColumns("j")) FROM ledger.journal j WHERE j.wallet_id = $1 AND j.version = $2
        """,
    ]
}
