-- The write side: the journal is the truth, everything else is derived from it or guards it.
-- Sums are minor units. A debit puts money into the wallet, a credit takes it out.
CREATE SCHEMA IF NOT EXISTS ledger;

-- The scale of an asset never changes once it was used: every process compares its configuration with this table.
CREATE TABLE ledger.assets (
    code text PRIMARY KEY,
    scale smallint NOT NULL CHECK (scale BETWEEN 0 AND 30),
    first_seen_at timestamptz NOT NULL DEFAULT now()
);

-- A wallet is the snapshot of its journal; chain is that of its newest row. One CHECK for all conditions, here and
-- below: PostgreSQL reads each of a table's constraints anew for every statement that writes to it. No foreign key to
-- assets: every new wallet would lock the same few rows.
CREATE TABLE ledger.wallets (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL,
    status smallint NOT NULL,
    asset text NOT NULL,
    balance numeric(38, 0) NOT NULL,
    pending_debit numeric(38, 0) NOT NULL,
    pending_credit numeric(38, 0) NOT NULL,
    overdraft_limit numeric(38, 0) NOT NULL,
    owner_id text,
    metadata text,
    chain bytea NOT NULL,
    CONSTRAINT wallets_row CHECK (
        version > 0 AND status BETWEEN 1 AND 3 AND octet_length(chain) = 32
        AND pending_debit >= 0 AND pending_credit >= 0 AND overdraft_limit >= 0
        AND balance - pending_credit + overdraft_limit >= 0)
) WITH (fillfactor = 70);
CREATE INDEX wallets_by_owner ON ledger.wallets (owner_id, id) WHERE owner_id IS NOT NULL;

-- Append-only. One row for each change of a wallet, without gaps; the balances and the status are those after it.
-- kind: 1 opened, 2 pending, 3 posted, 4 completed, 5 reverted, 6 expired, 7 refused, 8 extended, 9 amended.
-- direction: 1 debit, 2 credit. purpose (on rows that create a transfer): 1 transfer, 2 reversal, 3 adjustment; only a
-- transfer can be pending, so a completion is never an adjustment's.
-- counterparty: another wallet, or NULL for the asset's outside account. related_transfer: what a reversal reverses.
-- chain: SHA-256 over the chain of the row before (32 zero bytes before the first) and all fields of this row.
CREATE TABLE ledger.journal (
    wallet_id uuid NOT NULL,
    version bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    expires_at timestamptz,
    transfer_id uuid,
    key_digest uuid,
    content_hash uuid,
    counterparty uuid,
    related_transfer uuid,
    kind smallint NOT NULL,
    status smallint NOT NULL,
    direction smallint,
    purpose smallint,
    amount numeric(38, 0) NOT NULL,
    balance numeric(38, 0) NOT NULL,
    pending_debit numeric(38, 0) NOT NULL,
    pending_credit numeric(38, 0) NOT NULL,
    overdraft_limit numeric(38, 0) NOT NULL,
    reference_id text,
    note text,
    description text,
    metadata text,
    actor text,
    chain bytea NOT NULL,
    PRIMARY KEY (wallet_id, version),
    CONSTRAINT journal_row CHECK (
        version > 0 AND kind BETWEEN 1 AND 9 AND status BETWEEN 1 AND 3 AND direction BETWEEN 1 AND 2
        AND (kind = 1) = (version = 1)
        AND (kind = 1 OR kind = 9) = (transfer_id IS NULL) AND (transfer_id IS NULL) = (direction IS NULL)
        AND (amount > 0 OR kind = 1 AND amount = 0) = (kind <> 9)
        AND purpose BETWEEN 1 AND 3 AND (purpose IS NOT NULL) = (kind IN (2, 3, 7)) AND (kind <> 2 OR purpose = 1)
        AND (related_transfer IS NOT NULL) = coalesce(purpose = 2, false)
        AND octet_length(chain) = 32
        AND (key_digest IS NULL) = (reference_id IS NULL)
        AND pending_debit >= 0 AND pending_credit >= 0 AND overdraft_limit >= 0
        AND balance - pending_credit + overdraft_limit >= 0)
);

CREATE UNIQUE INDEX journal_by_key ON ledger.journal (wallet_id, key_digest) WHERE key_digest IS NOT NULL;

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER journal_keeps_rows BEFORE UPDATE OR DELETE ON ledger.journal
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER journal_keeps_table BEFORE TRUNCATE ON ledger.journal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
-- Also for sessions that apply another server's changes.
ALTER TABLE ledger.journal ENABLE ALWAYS TRIGGER journal_keeps_rows;
ALTER TABLE ledger.journal ENABLE ALWAYS TRIGGER journal_keeps_table;

-- Where each transfer stands; its other parts are in the journal rows that the versions name.
-- status: 1 pending, 2 completed, 3 failed. counterparty never changes: who names a transfer locks both its wallets.
-- extended_version: the newest extension; expires_at: the expiry in force. reversed_amount: what reversals gave back.
-- Updated in place, so no other index may name a column that changes.
CREATE TABLE ledger.transfers (
    wallet_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    created_version bigint NOT NULL,
    resolved_version bigint,
    extended_version bigint,
    expires_at timestamptz,
    counterparty uuid,
    status smallint NOT NULL,
    direction smallint NOT NULL,
    amount numeric(38, 0) NOT NULL,
    reversed_amount numeric(38, 0) NOT NULL DEFAULT 0,
    PRIMARY KEY (wallet_id, transfer_id),
    CONSTRAINT transfers_row CHECK (
        status BETWEEN 1 AND 3 AND direction BETWEEN 1 AND 2 AND amount > 0
        AND reversed_amount BETWEEN 0 AND amount AND (status = 2 OR reversed_amount = 0)
        AND (status = 1) = (resolved_version IS NULL))
) WITH (fillfactor = 70);

-- The pending transfers that run out, by when; a row leaves with its transfer's resolution.
CREATE TABLE ledger.expirations (
    expires_at timestamptz NOT NULL,
    wallet_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    PRIMARY KEY (expires_at, wallet_id, transfer_id)
);

-- Answers of refused operations that carried an idempotency key and left no journal row.
CREATE TABLE ledger.refusals (
    wallet_id uuid NOT NULL,
    key_digest uuid NOT NULL,
    content_hash uuid NOT NULL,
    transfer_id uuid,
    occurred_at timestamptz NOT NULL,
    code text NOT NULL,
    detail text NOT NULL,
    reference_id text NOT NULL,
    PRIMARY KEY (wallet_id, key_digest)
);

-- Which wallet an idempotency key created; a scope keeps the keys of one kind apart.
CREATE TABLE ledger.wallet_keys (
    scope text NOT NULL,
    key_digest uuid NOT NULL,
    wallet_id uuid NOT NULL,
    reference_id text NOT NULL,
    PRIMARY KEY (scope, key_digest)
);

-- Batches of operations that carried an idempotency key of their own.
-- outcome: NULL when the batch was accepted, or the refusal of an atomic one: its index, code and detail.
CREATE TABLE ledger.batches (
    key_digest uuid PRIMARY KEY,
    content_hash uuid NOT NULL,
    created_at timestamptz NOT NULL,
    reference_id text NOT NULL,
    outcome text
);

-- Refuses a transaction that was decided on rows which somebody changed since.
CREATE FUNCTION ledger.require_count(actual bigint, wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF actual <> wanted THEN
        RAISE EXCEPTION 'the batch was decided on rows that changed since' USING ERRCODE = 'serialization_failure';
    END IF;
END
$$;

-- One row for each committed batch; it leaves with the transaction of the change and stays for the retention.
-- messages: the ready event messages by partition. drive: grows when a published row has to be sent anew.
-- event_count 0: a batch without events, or, with last_error, one whose commit was lost and shall not happen any more.
CREATE TABLE ledger.outbox (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    published_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    drive integer NOT NULL DEFAULT 0,
    event_count integer NOT NULL CHECK (event_count >= 0),
    last_error text,
    messages bytea NOT NULL
);
CREATE INDEX outbox_due ON ledger.outbox (next_attempt_at) WHERE published_at IS NULL;
CREATE INDEX outbox_waiting ON ledger.outbox (created_at) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON ledger.outbox (published_at) WHERE published_at IS NOT NULL;

DO $$
BEGIN
    ALTER TABLE ledger.outbox ALTER COLUMN messages SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN
    RAISE NOTICE 'this server has no lz4: the outbox is compressed with pglz';
END
$$;

-- What the relays have seen of the stream (created as the broker writes it): another creation time or a smaller last
-- sequence means lost messages.
CREATE TABLE ledger.outbox_streams (
    stream text PRIMARY KEY,
    created text NOT NULL,
    last_sequence bigint NOT NULL,
    observed_at timestamptz NOT NULL
);

-- User events that no provisioner could use, kept with the reason until an operator decides. A stream made anew counts
-- from 1 again: when it stored the message tells messages apart, too.
CREATE TABLE ledger.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    stream text NOT NULL,
    stream_sequence bigint NOT NULL,
    stored_at timestamptz NOT NULL,
    subject text NOT NULL,
    event_index integer NOT NULL,
    attempts integer NOT NULL,
    reason text NOT NULL,
    payload bytea NOT NULL,
    UNIQUE (stream, stream_sequence, stored_at, event_index)
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
        WHERE a.attnum > 0 AND a.attrelid = ANY (
            '{ledger.wallets, ledger.journal, ledger.transfers, ledger.outbox}'::regclass[])
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', col.name, col.attname,
            CASE WHEN col.is_payload THEN 0 ELSE 10 END);
    END LOOP;
END
$$;
