-- What PostgreSQL alone does on this machine: on one connection, transactions that change about 127 of 10,000 rows and
-- append a row with three index entries for each. Prints the appended rows a second. It measures the machine, not the
-- service: figures of two machines, or of two days, can be compared by how they relate to it.
SET client_min_messages = warning;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;

DROP SCHEMA IF EXISTS yardstick CASCADE;
CREATE SCHEMA yardstick;
CREATE TABLE yardstick.accounts (
    id uuid PRIMARY KEY,
    number int NOT NULL UNIQUE,
    version bigint NOT NULL,
    balance numeric(38, 0) NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE yardstick.entries (
    account uuid NOT NULL,
    version bigint NOT NULL,
    id uuid NOT NULL,
    key uuid NOT NULL,
    balance numeric(38, 0) NOT NULL,
    PRIMARY KEY (account, version),
    UNIQUE (account, id),
    UNIQUE (account, key)
);
CREATE TABLE yardstick.rounds (appended bigint NOT NULL, began timestamptz NOT NULL, ended timestamptz NOT NULL);
INSERT INTO yardstick.accounts SELECT gen_random_uuid(), number, 0, 0 FROM generate_series(1, 10000) number;
ANALYZE yardstick.accounts;

DO $$
DECLARE
    began timestamptz := clock_timestamp();
    appended bigint;
BEGIN
    WHILE clock_timestamp() < began + interval '5 s' LOOP
        WITH chosen AS MATERIALIZED (
            SELECT DISTINCT 1 + floor(random() * 10000)::int AS number FROM generate_series(1, 128)
        ), changed AS (
            UPDATE yardstick.accounts a SET version = a.version + 1, balance = a.balance + 100
            FROM chosen c WHERE a.number = c.number RETURNING a.id, a.version, a.balance
        )
        INSERT INTO yardstick.entries SELECT id, version, gen_random_uuid(), gen_random_uuid(), balance FROM changed;
        GET DIAGNOSTICS appended = ROW_COUNT;
        INSERT INTO yardstick.rounds VALUES (appended, began, clock_timestamp());
        COMMIT;
    END LOOP;
END
$$;

SELECT (sum(appended) / extract(epoch FROM max(ended) - min(began)))::bigint FROM yardstick.rounds;
DROP SCHEMA yardstick CASCADE;
