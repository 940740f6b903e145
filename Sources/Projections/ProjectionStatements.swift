/// The SQL of the read side.
enum ProjectionStatements {
    private static let walletColumns = """
        id, created_at, updated_at, version, status, asset, balance, pending_debit, pending_credit, overdraft_limit,
        owner_id, metadata
        """

    private static let transferColumns = """
        wallet_id, transfer_id, created_version, version, created_at, resolved_at, expires_at, counterparty, status,
        direction, amount, completed_amount, wallet_balance, wallet_pending_debit, wallet_pending_credit,
        wallet_overdraft_limit, reason, reference_id, description, note, metadata, purpose, reverses, actor
        """

    /// What reversals gave back of the transfer `t`.
    private static let reversedAmount = """
        (SELECT coalesce(sum(r.amount), 0) FROM projection.transfers r
            WHERE r.wallet_id = t.wallet_id AND r.reverses = t.transfer_id)
        """

    private static func prefixed(_ columns: String, _ alias: String) -> String {
        columns.split(whereSeparator: { ", \n".contains($0) }).map { "\(alias).\($0)" }.joined(separator: ", ")
    }

    private static func assignments(_ columns: String, except keys: Set<String>) -> String {
        columns.split(whereSeparator: { ", \n".contains($0) }).map(String.init).filter { !keys.contains($0) }
            .map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
    }

    /// How many columns a wallet has.
    static let walletColumnCount = 12

    private static let insertWallets = """
        INSERT INTO projection.wallets AS p (\(walletColumns))
        SELECT unnest($1::uuid[]), unnest($2::timestamptz[]), unnest($3::timestamptz[]), unnest($4::int8[]),
            unnest($5::int2[]), unnest($6::text[]), unnest($7::numeric[]), unnest($8::numeric[]),
            unnest($9::numeric[]), unnest($10::numeric[]), unnest($11::text[]), unnest($12::text[])
        """

    private static let projectWallets = """
        \(insertWallets)
        ON CONFLICT (id) DO UPDATE SET \(assignments(walletColumns, except: ["id"]))

        """

    private static let insertTransfers = """
        INSERT INTO projection.transfers AS p (\(transferColumns))
        SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::int8[]), unnest($4::int8[]),
            unnest($5::timestamptz[]), unnest($6::timestamptz[]), unnest($7::timestamptz[]),
            unnest($8::uuid[]), unnest($9::int2[]), unnest($10::int2[]), unnest($11::numeric[]),
            unnest($12::numeric[]), unnest($13::numeric[]), unnest($14::numeric[]), unnest($15::numeric[]),
            unnest($16::numeric[]), unnest($17::text[]), unnest($18::text[]), unnest($19::text[]),
            unnest($20::text[]), unnest($21::text[]), unnest($22::int2[]), unnest($23::uuid[]),
            unnest($24::text[])
        """

    private static let projectTransfers = """
        \(insertTransfers)
        ON CONFLICT (wallet_id, transfer_id)
        DO UPDATE SET \(assignments(transferColumns, except: ["wallet_id", "transfer_id"]))

        """

    /// Writes of `ProjectionWriter`.
    static let writer: [String: String] = [
        "insert_wallets": insertWallets,
        "insert_transfers": insertTransfers,
        "update_wallets": """
        UPDATE projection.wallets p SET updated_at = k.updated_at, version = k.version, status = k.status,
            balance = k.balance, pending_debit = k.pending_debit, pending_credit = k.pending_credit,
            overdraft_limit = k.overdraft_limit, metadata = k.metadata
        FROM (
            SELECT unnest($1::uuid[]) AS id, unnest($2::timestamptz[]) AS updated_at, unnest($3::int8[]) AS version,
                unnest($4::int2[]) AS status, unnest($5::numeric[]) AS balance,
                unnest($6::numeric[]) AS pending_debit, unnest($7::numeric[]) AS pending_credit,
                unnest($8::numeric[]) AS overdraft_limit, unnest($9::text[]) AS metadata
        ) k
        WHERE p.id = k.id AND p.version < k.version
        """,
        "update_transfers": """
        UPDATE projection.transfers p SET version = k.version, resolved_at = k.resolved_at,
            expires_at = k.expires_at, status = k.status, completed_amount = k.completed_amount,
            wallet_balance = k.wallet_balance, wallet_pending_debit = k.wallet_pending_debit,
            wallet_pending_credit = k.wallet_pending_credit, wallet_overdraft_limit = k.wallet_overdraft_limit,
            reason = k.reason, note = k.note
        FROM (
            SELECT unnest($1::uuid[]) AS wallet_id, unnest($2::uuid[]) AS transfer_id,
                unnest($3::int8[]) AS version, unnest($4::timestamptz[]) AS resolved_at,
                unnest($5::timestamptz[]) AS expires_at, unnest($6::int2[]) AS status,
                unnest($7::numeric[]) AS completed_amount, unnest($8::numeric[]) AS wallet_balance,
                unnest($9::numeric[]) AS wallet_pending_debit, unnest($10::numeric[]) AS wallet_pending_credit,
                unnest($11::numeric[]) AS wallet_overdraft_limit, unnest($12::text[]) AS reason,
                unnest($13::text[]) AS note
        ) k
        WHERE p.wallet_id = k.wallet_id AND p.transfer_id = k.transfer_id AND p.version < k.version
        """,
        "project_wallets": projectWallets + "WHERE p.version < excluded.version",
        "project_transfers": projectTransfers + "WHERE p.version < excluded.version",
        // A rebuild corrects what is wrong about the same version, too.
        "correct_wallets": projectWallets + "WHERE p.version <= excluded.version",
        "correct_transfers": projectTransfers + "WHERE p.version <= excluded.version",
        "bury_event": """
        INSERT INTO projection.dead_letters (stream, stream_sequence, stored_at, subject, event_index, reason, payload)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (stream, stream_sequence, stored_at, event_index) DO NOTHING
        """,
        "projected_wallet": "SELECT \(walletColumns), audited_version FROM projection.wallets WHERE id = $1",
        "projected_range": """
        SELECT \(walletColumns), audited_version FROM projection.wallets
        WHERE id >= $1 AND id <= $2 ORDER BY id LIMIT $3
        """,
        "projected_count": """
        SELECT count(*) FROM projection.transfers WHERE wallet_id = $1 AND created_version <= $2
        """,
        "projected_transfers": """
        SELECT p.wallet_id, p.transfer_id, p.version, p.status, p.amount, p.completed_amount
        FROM unnest($1::uuid[], $2::uuid[]) k(wallet_id, transfer_id)
        JOIN projection.transfers p ON p.wallet_id = k.wallet_id AND p.transfer_id = k.transfer_id
        """,
        "audited_wallets": """
        UPDATE projection.wallets p SET audited_version = k.version
        FROM (
            SELECT w.id, k.version FROM unnest($1::uuid[], $2::int8[]) k(id, version)
            JOIN projection.wallets w ON w.id = k.id AND w.audited_version < k.version
            ORDER BY w.id FOR NO KEY UPDATE OF w
        ) k WHERE p.id = k.id
        """,
        "projected_versions": """
        SELECT transfer_id, version, created_version FROM projection.transfers
        WHERE wallet_id = $1 AND (created_version, transfer_id) > ($2, $3)
        ORDER BY created_version, transfer_id LIMIT $4
        """,
        // Only what is still as it was seen: a projector may have been there since.
        "forget_transfers": """
        DELETE FROM projection.transfers p USING unnest($2::uuid[], $3::int8[]) k(transfer_id, version)
        WHERE p.wallet_id = $1 AND p.transfer_id = k.transfer_id AND p.version = k.version
        """,
        "forget_wallet": "DELETE FROM projection.wallets WHERE id = $1 AND version = $2",
    ]

    /// The greatest creation version up to which all transfers of wallet `$1` were created before `moment`; nothing
    /// without a moment. A wallet's moments never run backwards, so halving finds it with a look-up by key for each
    /// halving: no index on the moment, which every write would have to keep.
    private static func lastVersion(before moment: String) -> String {
        """
        (WITH RECURSIVE span(low, high) AS (
            SELECT 0::int8, (SELECT created_version FROM projection.transfers WHERE wallet_id = $1
                ORDER BY created_version DESC LIMIT 1)
            WHERE \(moment)::timestamptz IS NOT NULL
            UNION ALL
            SELECT CASE WHEN m.created_at >= \(moment) THEN s.low ELSE h.middle END,
                CASE WHEN m.created_at >= \(moment) THEN m.created_version - 1 ELSE s.high END
            FROM span s
            CROSS JOIN LATERAL (SELECT (s.low + s.high + 1) / 2 AS middle) h
            LEFT JOIN LATERAL (
                SELECT n.created_version, n.created_at FROM projection.transfers n
                WHERE n.wallet_id = $1 AND n.created_version > s.low AND n.created_version <= h.middle
                ORDER BY n.created_version DESC LIMIT 1
            ) m ON true
            WHERE s.low < s.high
        )
        SELECT low FROM span WHERE low = high)
        """
    }

    /// Reads of `ProjectionReader`.
    static let reader: [String: String] = [
        "projection_wallet": "SELECT \(walletColumns) FROM projection.wallets WHERE id = $1",
        "projection_transfer": """
        SELECT \(prefixed(walletColumns, "w")), \(prefixed(transferColumns, "t")),
            \(reversedAmount)
        FROM projection.transfers t JOIN projection.wallets w ON w.id = t.wallet_id
        WHERE t.wallet_id = $1 AND t.transfer_id = $2
        """,
        "projection_transfers": """
        SELECT \(prefixed(walletColumns, "w")), \(prefixed(transferColumns, "t")),
            \(reversedAmount)
        FROM projection.transfers t JOIN projection.wallets w ON w.id = t.wallet_id
        WHERE t.wallet_id = $1 AND t.created_version < $2
            AND t.created_version > coalesce(\(lastVersion(before: "$5")), 0)
            AND t.created_version <= coalesce(\(lastVersion(before: "$6")), 9223372036854775807)
            AND ($3::int2 IS NULL OR t.status = $3) AND ($4::int2 IS NULL OR t.direction = $4)
            AND ($5::timestamptz IS NULL OR t.created_at >= $5) AND ($6::timestamptz IS NULL OR t.created_at < $6)
        ORDER BY t.created_version DESC LIMIT $7
        """,
    ]
}
