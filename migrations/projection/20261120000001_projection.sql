-- The read side: derived from events and rebuilt from the journal at any time. May live in a database of its own.
-- Newer wallet version wins, so events may arrive doubled, late or out of order.
CREATE SCHEMA IF NOT EXISTS projection;

-- audited_version: every journal entry up to here was seen in this database by the auditor.
CREATE TABLE projection.wallets (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL,
    audited_version bigint NOT NULL DEFAULT 0,
    status smallint NOT NULL,
    asset text NOT NULL,
    balance numeric(38, 0) NOT NULL,
    pending_debit numeric(38, 0) NOT NULL,
    pending_credit numeric(38, 0) NOT NULL,
    overdraft_limit numeric(38, 0) NOT NULL,
    owner_id text,
    metadata text
) WITH (fillfactor = 70);

-- version: the wallet version of the transfer's newest entry; wallet_*: the wallet as that entry left it.
-- The transfer comes first in the key: one index serves those who know only its id.
-- What reversals gave back of a transfer is the sum of those that name it in reverses: so it does not matter in which
-- order their events arrive.
CREATE TABLE projection.transfers (
    wallet_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    created_version bigint NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    resolved_at timestamptz,
    expires_at timestamptz,
    counterparty uuid,
    reverses uuid,
    status smallint NOT NULL,
    direction smallint NOT NULL,
    purpose smallint NOT NULL,
    amount numeric(38, 0) NOT NULL,
    completed_amount numeric(38, 0),
    wallet_balance numeric(38, 0) NOT NULL,
    wallet_pending_debit numeric(38, 0) NOT NULL,
    wallet_pending_credit numeric(38, 0) NOT NULL,
    wallet_overdraft_limit numeric(38, 0) NOT NULL,
    reason text,
    reference_id text,
    description text,
    note text,
    metadata text,
    actor text,
    PRIMARY KEY (transfer_id, wallet_id)
) WITH (fillfactor = 60);
CREATE INDEX transfers_by_creation ON projection.transfers (wallet_id, created_version DESC);
CREATE INDEX transfers_by_original ON projection.transfers (wallet_id, reverses) WHERE reverses IS NOT NULL;

-- Events that no projector could apply, kept with the reason until an operator decides.
CREATE TABLE projection.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    stream text NOT NULL,
    stream_sequence bigint NOT NULL,
    subject text NOT NULL,
    event_index integer NOT NULL,
    reason text NOT NULL,
    payload bytea NOT NULL,
    UNIQUE (stream, stream_sequence, event_index)
);

-- ANALYZE of a growing table would cost more than the vacuums. The service's statements keep to the indexes by their
-- sessions' settings, so a small sample of the indexed columns is all that is kept.
DO $$
DECLARE
    col record;
BEGIN
    FOR col IN
        SELECT a.attrelid::regclass AS name, a.attname, i.indrelid IS NULL AS is_payload
        FROM pg_attribute a
        LEFT JOIN (SELECT DISTINCT indrelid, unnest(indkey) AS attnum FROM pg_index) i
            ON i.indrelid = a.attrelid AND i.attnum = a.attnum
        WHERE a.attnum > 0 AND a.attrelid = ANY ('{projection.wallets, projection.transfers}'::regclass[])
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', col.name, col.attname,
            CASE WHEN col.is_payload THEN 0 ELSE 10 END);
    END LOOP;
END
$$;
