-- Totals of each wallet by day (UTC) and the balances of the accounts that are no wallets. Built from the journal,
-- entry by entry in the order of their versions, each exactly once: what was counted and how far it was counted change
-- in one transaction.

-- The checkpoint: all entries of the wallet up to this version are in the totals. world, system: what this wallet's
-- entries booked on those accounts.
CREATE TABLE projection.totals_wallets (
    wallet_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    world numeric NOT NULL,
    system numeric NOT NULL,
    asset text NOT NULL
) WITH (fillfactor = 70);

-- Debits are money that came into the wallet, credits money that went out; only what was settled counts.
CREATE TABLE projection.totals_daily (
    wallet_id uuid NOT NULL,
    day date NOT NULL,
    debit_count bigint NOT NULL,
    credit_count bigint NOT NULL,
    debit_amount numeric NOT NULL,
    credit_amount numeric NOT NULL,
    PRIMARY KEY (wallet_id, day)
) WITH (fillfactor = 70);

-- account: world is everybody outside the ledger, system the other side of adjustments. Written once for each batch.
CREATE TABLE projection.outside_accounts (
    asset text NOT NULL,
    account text NOT NULL CHECK (account IN ('world', 'system')),
    balance numeric NOT NULL,
    PRIMARY KEY (asset, account)
) WITH (fillfactor = 50);

-- What the auditors found in their last complete sweeps to disagree; at most 1000 rows. It goes when a sweep does not
-- find it any more.
CREATE TABLE projection.drift (
    wallet_id uuid NOT NULL,
    version bigint NOT NULL,
    kind text NOT NULL,
    problem text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (wallet_id, version, kind, problem)
);

-- Rebuilds of all projections that administrators asked for. A worker that takes one up notes how far it is to go
-- (last_wallet, in id order) and, after each page, how far it has come (reached): another one goes on from there.
-- Not finished is at most one: whoever asks meanwhile is told of it. problem: the first of the discrepancies that the
-- journal itself has, or why the rebuild was given up.
CREATE TABLE projection.rebuilds (
    id uuid PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT now(),
    requested_by text NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    has_failed boolean NOT NULL DEFAULT false,
    last_wallet uuid,
    reached uuid,
    wallets_total bigint,
    wallets_done bigint NOT NULL DEFAULT 0,
    entries bigint NOT NULL DEFAULT 0,
    strays bigint NOT NULL DEFAULT 0,
    discrepancies bigint NOT NULL DEFAULT 0,
    problem text
);
CREATE UNIQUE INDEX rebuilds_unfinished ON projection.rebuilds ((finished_at IS NULL)) WHERE finished_at IS NULL;
CREATE INDEX rebuilds_by_request ON projection.rebuilds (requested_at);
