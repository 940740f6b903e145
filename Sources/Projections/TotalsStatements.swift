/// The SQL of the totals.
enum TotalsStatements {
    /// On the ledger. What the entries after a version sum up to, by wallet and day. Sums travel as text: they may be
    /// larger than any single sum of money.
    static let ledger: [String: String] = [
        "totals_changes": """
        SELECT k.wallet_id, w.asset, j.day::text, count(*), max(j.version),
            count(j.debit), count(j.credit), coalesce(sum(j.debit), 0)::text, coalesce(sum(j.credit), 0)::text,
            coalesce(sum(CASE WHEN j.counterparty IS NULL AND j.purpose IS DISTINCT FROM 3
                THEN coalesce(j.credit, 0) - coalesce(j.debit, 0) END), 0)::text,
            coalesce(sum(CASE WHEN j.counterparty IS NULL AND j.purpose = 3
                THEN coalesce(j.credit, 0) - coalesce(j.debit, 0) END), 0)::text
        FROM unnest($1::uuid[], $2::int8[]) k(wallet_id, version)
        JOIN ledger.wallets w ON w.id = k.wallet_id
        CROSS JOIN LATERAL (
            SELECT n.version, n.counterparty, n.purpose, (n.occurred_at AT TIME ZONE 'UTC')::date AS day,
                CASE WHEN n.kind IN (1, 3, 4) AND n.amount <> 0 AND coalesce(n.direction, 1) = 1 THEN n.amount END
                    AS debit,
                CASE WHEN n.kind IN (3, 4) AND n.direction = 2 THEN n.amount END AS credit
            FROM ledger.journal n WHERE n.wallet_id = k.wallet_id AND n.version > k.version
            ORDER BY n.version LIMIT $3
        ) j
        GROUP BY k.wallet_id, w.asset, j.day ORDER BY k.wallet_id, j.day
        """,
        "totals_known": "SELECT id FROM ledger.wallets WHERE id = ANY($1::uuid[])",
        "totals_wallets_of_ledger": """
        SELECT id, version FROM ledger.wallets WHERE id >= $1 ORDER BY id LIMIT $2
        """,
    ]

    /// On the projections. Rows are always locked in the order of their keys; wallets before outside accounts.
    static let projection: [String: String] = [
        "totals_begin": """
        INSERT INTO projection.totals_wallets (wallet_id, version, world, system, asset)
        SELECT k.id, 0, 0, 0, '' FROM unnest($1::uuid[]) k(id)
        WHERE NOT EXISTS (SELECT FROM projection.totals_wallets w WHERE w.wallet_id = k.id)
        ORDER BY k.id ON CONFLICT (wallet_id) DO NOTHING
        """,
        // Whoever holds a row brings its wallet up to date; nobody waits for it.
        "totals_claim": """
        SELECT w.wallet_id, w.version FROM projection.totals_wallets w WHERE w.wallet_id = ANY($1::uuid[])
        ORDER BY w.wallet_id FOR NO KEY UPDATE SKIP LOCKED
        """,
        "totals_lock": """
        SELECT w.version FROM projection.totals_wallets w WHERE w.wallet_id = $1 FOR NO KEY UPDATE
        """,
        "totals_add_days": """
        INSERT INTO projection.totals_daily AS d (wallet_id, day, debit_count, credit_count, debit_amount,
            credit_amount)
        SELECT k.wallet_id, k.day::date, k.debits, k.credits, k.debit::numeric, k.credit::numeric
        FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::int8[], $5::text[], $6::text[])
            k(wallet_id, day, debits, credits, debit, credit)
        WHERE k.debits + k.credits > 0
        ON CONFLICT (wallet_id, day) DO UPDATE SET debit_count = d.debit_count + excluded.debit_count,
            credit_count = d.credit_count + excluded.credit_count,
            debit_amount = d.debit_amount + excluded.debit_amount,
            credit_amount = d.credit_amount + excluded.credit_amount
        """,
        "totals_advance": """
        UPDATE projection.totals_wallets w SET version = greatest(w.version, k.version), asset = k.asset,
            world = w.world + k.world, system = w.system + k.system
        FROM (
            SELECT wallet_id, min(asset) AS asset, max(version) AS version, sum(world::numeric) AS world,
                sum(system::numeric) AS system
            FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::text[], $5::text[])
                u(wallet_id, asset, version, world, system)
            GROUP BY wallet_id
        ) k WHERE w.wallet_id = k.wallet_id
        """,
        "totals_add_outside": """
        INSERT INTO projection.outside_accounts AS a (asset, account, balance)
        SELECT k.asset, v.account, sum(v.amount)
        FROM unnest($1::text[], $2::text[], $3::text[]) k(asset, world, system)
        CROSS JOIN LATERAL (VALUES ('world', k.world::numeric), ('system', k.system::numeric)) v(account, amount)
        WHERE v.amount <> 0
        GROUP BY k.asset, v.account ORDER BY k.asset, v.account
        ON CONFLICT (asset, account) DO UPDATE SET balance = a.balance + excluded.balance
        """,
        "totals_take_outside": """
        UPDATE projection.outside_accounts a SET balance = a.balance - k.amount
        FROM (
            SELECT o.asset, o.account, CASE o.account WHEN 'world' THEN w.world ELSE w.system END AS amount
            FROM projection.totals_wallets w JOIN projection.outside_accounts o ON o.asset = w.asset
            WHERE w.wallet_id = $1 ORDER BY o.asset, o.account FOR NO KEY UPDATE OF o
        ) k WHERE a.asset = k.asset AND a.account = k.account AND k.amount <> 0
        """,
        "totals_forget_days": "DELETE FROM projection.totals_daily WHERE wallet_id = $1",
        "totals_reset": """
        UPDATE projection.totals_wallets SET version = 0, world = 0, system = 0 WHERE wallet_id = $1
        """,
        "totals_forget": "DELETE FROM projection.totals_wallets WHERE wallet_id = $1",
        "totals_versions": """
        SELECT wallet_id, version FROM projection.totals_wallets
        WHERE wallet_id >= $1 AND wallet_id <= $2 ORDER BY wallet_id LIMIT $3
        """,
        "totals_of": """
        SELECT version, world::text, system::text, asset FROM projection.totals_wallets WHERE wallet_id = $1
        """,
        "totals_days_of": """
        SELECT day::text, debit_count, credit_count, debit_amount::text, credit_amount::text
        FROM projection.totals_daily WHERE wallet_id = $1 ORDER BY day
        """,
    ]

    /// Outside accounts that do not hold what the wallets' checkpoints say.
    static let outsideAudit = """
        SELECT k.asset, k.account, coalesce(a.balance, 0)::text, k.booked::text
        FROM (
            SELECT asset, account, sum(amount) AS booked FROM (
                SELECT w.asset, v.account, v.amount FROM projection.totals_wallets w
                CROSS JOIN LATERAL (VALUES ('world', w.world), ('system', w.system)) v(account, amount)
                UNION ALL SELECT asset, account, 0 FROM projection.outside_accounts
            ) all_shares WHERE asset <> '' GROUP BY asset, account
        ) k
        LEFT JOIN projection.outside_accounts a ON a.asset = k.asset AND a.account = k.account
        WHERE coalesce(a.balance, 0) <> k.booked ORDER BY k.asset, k.account
        """

    private static func periods(_ unit: String) -> String {
        """
        SELECT date_trunc('\(unit)', d.day::timestamp) AT TIME ZONE 'UTC' AS period,
            sum(d.debit_count)::int8, sum(d.credit_count)::int8,
            sum(d.debit_amount)::text, sum(d.credit_amount)::text
        FROM projection.totals_daily d
        WHERE d.wallet_id = $1
            AND ($2::timestamptz IS NULL OR d.day < date_trunc('\(unit)', $2 AT TIME ZONE 'UTC')::date)
            AND ($3::timestamptz IS NULL OR d.day >= date_trunc('\(unit)', $3 AT TIME ZONE 'UTC')::date)
            AND ($4::timestamptz IS NULL OR d.day < ($4 AT TIME ZONE 'UTC')::date)
        GROUP BY period ORDER BY period DESC LIMIT $5
        """
    }

    /// Reads of `ProjectionReader`. Sums travel as text here, too.
    static let reader: [String: String] = [
        "totals_by_day": periods("day"),
        "totals_by_month": periods("month"),
        "totals_checkpoint": "SELECT version FROM projection.totals_wallets WHERE wallet_id = $1",
        "drift_list": """
        SELECT wallet_id, version, kind, problem, first_seen_at, last_seen_at FROM projection.drift
        ORDER BY first_seen_at DESC, wallet_id, version LIMIT \(DriftTable.max)
        """,
        "wallets_of_transfer": """
        SELECT wallet_id FROM projection.transfers WHERE transfer_id = $1 ORDER BY wallet_id LIMIT 16
        """,
        "outside_accounts": """
        SELECT asset, account, balance::text FROM projection.outside_accounts ORDER BY asset, account
        """,
    ]
}
