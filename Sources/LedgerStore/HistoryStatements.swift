/// The SQL of the reads that tell what a wallet was and did. All of them find their rows by key.
enum HistoryStatements {
    /// Fenced off: a constant spreads to the joined tables, and the planner then walks over the whole wallet for each
    /// row.
    private static let wallet = "(SELECT $1::uuid AS wallet_id OFFSET 0) k"

    private static func entries(_ order: String) -> String {
        """
        SELECT \(Statements.entryColumns("j")), \(Statements.entryColumns("c"))
        FROM \(wallet)
        CROSS JOIN LATERAL (
            SELECT * FROM ledger.journal n
            WHERE n.wallet_id = k.wallet_id AND n.version < $2 AND n.version > $3
            ORDER BY n.version \(order) LIMIT $4
        ) j
        LEFT JOIN ledger.transfers t ON t.wallet_id = j.wallet_id AND t.transfer_id = j.transfer_id
        LEFT JOIN ledger.journal c ON c.wallet_id = t.wallet_id AND c.version = t.created_version
        ORDER BY j.version \(order)
        """
    }

    static let all: [String: String] = [
        "history_newest_first": entries("DESC"),
        "history_oldest_first": entries("ASC"),
        // A wallet's moments never run backwards and its versions have no gaps, so halving finds the version of a
        // moment with a look-up by key for each halving: no index on the moment, which every write would have to keep.
        "history_version_at": """
        WITH RECURSIVE span(low, high) AS (
            SELECT 0::int8, (SELECT version FROM ledger.journal WHERE wallet_id = $1 ORDER BY version DESC LIMIT 1)
            UNION ALL
            SELECT CASE WHEN m.occurred_at <= $2 THEN m.version ELSE s.low END,
                CASE WHEN m.occurred_at <= $2 THEN s.high ELSE m.version - 1 END
            FROM span s
            JOIN ledger.journal m ON m.wallet_id = $1 AND m.version = (s.low + s.high + 1) / 2
            WHERE s.low < s.high
        )
        SELECT low FROM span WHERE low = high
        """,
        "history_entry": """
        SELECT \(Statements.entryColumns("j")) FROM ledger.journal j WHERE j.wallet_id = $1 AND j.version = $2
        """,
        "history_transfer_entries": """
        SELECT \(Statements.entryColumns("c")), \(Statements.entryColumns("r"))
        FROM ledger.transfers t
        JOIN ledger.journal c ON c.wallet_id = t.wallet_id AND c.version = t.created_version
        LEFT JOIN ledger.journal r ON r.wallet_id = t.wallet_id AND r.version = t.resolved_version
            AND t.resolved_version <> t.created_version
        WHERE t.wallet_id = $1 AND t.transfer_id = $2
        """,
        // Events that wait, or else when the last one left; each by the end of a partial index.
        "history_last_event": """
        SELECT EXISTS (SELECT FROM ledger.outbox WHERE published_at IS NULL),
            (extract(epoch FROM now() - (
                SELECT published_at FROM ledger.outbox WHERE published_at IS NOT NULL
                ORDER BY published_at DESC LIMIT 1)) * 1000000)::int8
        """,
        "history_wallets_of_owner": """
        SELECT \(Statements.walletColumns("w")) FROM ledger.wallets w
        WHERE w.owner_id = $1 AND w.id >= $2 ORDER BY w.id LIMIT $3
        """,
    ]
}
