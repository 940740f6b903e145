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
            "overdraft_limit", "reference_id", "note", "description", "metadata",
        ].map { column in alias.map { "\($0).\(column)" } ?? column }.joined(separator: ", ")
    }

    /// How many columns `entryColumns` names.
    static let entryColumnCount = 19
    /// How many columns `walletColumns` names.
    static let walletColumnCount = 12

    /// A transfer's first journal row and, where it was resolved later, the row that resolved it.
    private static let transferJoin = """
        JOIN ledger.journal c ON c.wallet_id = t.wallet_id AND c.version = t.created_version
        LEFT JOIN ledger.journal r ON r.wallet_id = t.wallet_id AND r.version = t.resolved_version
            AND t.resolved_version <> t.created_version
        """

    /// Reads and writes of the writer lanes.
    static let lane: [String: String] = [
        // Locks are always taken in id order: lanes and processes cannot deadlock.
        "lock_wallets": """
        SELECT \(walletColumns("w")) FROM ledger.wallets w WHERE w.id = ANY($1::uuid[])
        ORDER BY w.id FOR NO KEY UPDATE
        """,
        "transaction_id": "SELECT pg_current_xact_id()::text",
        "read_transfers": """
        SELECT \(entryColumns("c")), \(entryColumns("r"))
        FROM (SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS transfer_id) k
        JOIN ledger.transfers t ON t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
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
            \(entryColumns("c")), \(entryColumns("r"))
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
            pending_credit, overdraft_limit, owner_id, metadata)
        SELECT unnest($1::uuid[]), unnest($2::timestamptz[]), unnest($3::timestamptz[]), unnest($4::int8[]),
            unnest($5::int2[]), unnest($6::text[]), unnest($7::numeric[]), unnest($8::numeric[]),
            unnest($9::numeric[]), unnest($10::numeric[]), unnest($11::text[]), unnest($12::text[])
        """,
        "update_wallets": """
        UPDATE ledger.wallets w SET updated_at = k.updated_at, version = k.version, balance = k.balance,
            pending_debit = k.pending_debit, pending_credit = k.pending_credit
        FROM (
            SELECT unnest($1::uuid[]) AS id, unnest($2::timestamptz[]) AS updated_at, unnest($3::int8[]) AS version,
                unnest($4::numeric[]) AS balance, unnest($5::numeric[]) AS pending_debit,
                unnest($6::numeric[]) AS pending_credit
        ) k
        WHERE w.id = k.id
        """,
        "insert_entries": """
        INSERT INTO ledger.journal (\(entryColumns()))
        SELECT unnest($1::uuid[]), unnest($2::int8[]), unnest($3::timestamptz[]), unnest($4::timestamptz[]),
            unnest($5::uuid[]), unnest($6::uuid[]), unnest($7::uuid[]), unnest($8::uuid[]), unnest($9::int2[]),
            unnest($10::int2[]), unnest($11::numeric[]), unnest($12::numeric[]), unnest($13::numeric[]),
            unnest($14::numeric[]), unnest($15::numeric[]), unnest($16::text[]), unnest($17::text[]),
            unnest($18::text[]), unnest($19::text[])
        """,
        "insert_transfers": """
        INSERT INTO ledger.transfers (wallet_id, transfer_id, created_version, resolved_version, expires_at,
            status, direction, amount)
        SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::int8[]), unnest($4::int8[]),
            unnest($5::timestamptz[]), unnest($6::int2[]), unnest($7::int2[]), unnest($8::numeric[])
        """,
        "resolve_transfers": """
        UPDATE ledger.transfers t SET resolved_version = k.version, status = k.status
        FROM (
            SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS transfer_id, unnest($3::int8[]) AS version,
                unnest($4::int2[]) AS status
        ) k
        WHERE t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
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
        "insert_wallet_keys": """
        INSERT INTO ledger.wallet_keys (scope, key_digest, reference_id, wallet_id)
        SELECT '', unnest($1::uuid[]), unnest($2::text[]), unnest($3::uuid[])
        """,
        "insert_outbox": """
        INSERT INTO ledger.outbox (id, created_at, next_attempt_at, event_count, messages)
        VALUES ($1, now(), now(), $2, $3)
        """,
        // A standby knows nothing of a transaction that is only on its way to it.
        "transaction_status": "SELECT pg_xact_status($1::text::xid8), pg_is_in_recovery()",
        "standing": """
        SELECT pg_is_in_recovery(), current_setting('synchronous_commit'), clock_timestamp()
        """,
        "batch_exists": "SELECT EXISTS (SELECT FROM ledger.outbox WHERE id = $1)",
    ]

    /// Reads of `LedgerReader`.
    static let reader: [String: String] = [
        "ledger_wallet": "SELECT \(walletColumns("w")) FROM ledger.wallets w WHERE w.id = $1",
        "ledger_transfer": """
        SELECT \(walletColumns("w")), \(entryColumns("c")), \(entryColumns("r"))
        FROM ledger.transfers t
        JOIN ledger.wallets w ON w.id = t.wallet_id
        \(transferJoin)
        WHERE t.wallet_id = $1 AND t.transfer_id = $2
        """,
        "ledger_transfers": """
        SELECT \(walletColumns("w")), \(entryColumns("c")), \(entryColumns("r"))
        FROM ledger.journal c
        JOIN ledger.wallets w ON w.id = c.wallet_id
        JOIN ledger.transfers t ON t.wallet_id = c.wallet_id AND t.transfer_id = c.transfer_id
            AND t.created_version = c.version
        LEFT JOIN ledger.journal r ON r.wallet_id = t.wallet_id AND r.version = t.resolved_version
            AND t.resolved_version <> t.created_version
        WHERE c.wallet_id = $1 AND c.version < $2
            AND ($3::int2 IS NULL OR t.status = $3) AND ($4::int2 IS NULL OR t.direction = $4)
            AND ($5::timestamptz IS NULL OR c.occurred_at >= $5)
            AND ($6::timestamptz IS NULL OR c.occurred_at < $6)
        ORDER BY c.version DESC LIMIT $7
        """,
    ]

    private static let newestJoin = """
        LEFT JOIN LATERAL (
            SELECT * FROM ledger.journal n WHERE n.wallet_id = w.id ORDER BY n.version DESC LIMIT 1
        ) j ON true
        """

    /// Reads of `JournalReader`.
    static let journal: [String: String] = [
        "journal_wallets": """
        SELECT \(walletColumns("w")), \(entryColumns("j"))
        FROM (SELECT * FROM ledger.wallets WHERE id >= $1 ORDER BY id LIMIT $2) w
        \(newestJoin)
        ORDER BY w.id
        """,
        "journal_wallet": """
        SELECT \(walletColumns("w")), \(entryColumns("j"))
        FROM ledger.wallets w \(newestJoin) WHERE w.id = $1
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
        LEFT JOIN ledger.journal r ON r.wallet_id = t.wallet_id AND r.version = t.resolved_version
        WHERE t.wallet_id = $1 AND t.transfer_id >= $2 ORDER BY t.transfer_id LIMIT $3
        """,
        "journal_lacks": """
        SELECT k.transfer_id FROM unnest($2::uuid[], $3::int8[]) k(transfer_id, version)
        WHERE NOT EXISTS (SELECT FROM ledger.journal j
            WHERE j.wallet_id = $1 AND j.version = k.version AND j.transfer_id = k.transfer_id)
        """,
        "journal_transfers_of": """
        SELECT \(entryColumns("c")), \(entryColumns("r"))
        FROM (SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS transfer_id) k
        JOIN ledger.transfers t ON t.wallet_id = k.wallet_id AND t.transfer_id = k.transfer_id
        \(transferJoin)
        """,
        "journal_entry": """
        SELECT \(entryColumns("j")) FROM ledger.journal j WHERE j.wallet_id = $1 AND j.version = $2
        """,
    ]
}
