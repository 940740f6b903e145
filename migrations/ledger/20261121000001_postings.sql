-- The name of this book, which goes with its journal when it is moved to another installation.
CREATE TABLE ledger.book (
    id uuid NOT NULL,
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only)
);
INSERT INTO ledger.book (id) VALUES (gen_random_uuid());

-- Double entry: the two signed lines of each journal row that settled money. They sum up to zero. Of a transfer between
-- wallets both wallets have a row, and each tells the whole booking: sums over many rows take line 1 of every row, and
-- line 2 only where its account is no wallet.
CREATE VIEW ledger.postings AS
SELECT j.wallet_id, j.version, j.occurred_at, j.transfer_id, w.asset, l.line, l.account, l.amount
FROM (
    SELECT e.*,
        CASE WHEN e.kind = 1 OR e.direction = 1 THEN e.amount ELSE -e.amount END AS settled
    FROM ledger.journal e WHERE e.kind IN (1, 3, 4) AND e.amount <> 0
) j
JOIN ledger.wallets w ON w.id = j.wallet_id
CROSS JOIN LATERAL (VALUES
    (1, 'wallet:' || j.wallet_id, j.settled),
    (2, CASE WHEN j.counterparty IS NOT NULL THEN 'wallet:' || j.counterparty
        WHEN j.purpose = 3 THEN 'system' ELSE 'world' END, -j.settled)
) l(line, account, amount);
