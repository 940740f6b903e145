-- What the role of `wallet api` and `wallet worker` needs where another role owns the schemas and runs
-- `wallet migrate`. The journal can then neither be changed nor emptied by the service, and its triggers, which refuse
-- the same to the owner, cannot be switched off by it. Run as the owner, after each migration:
--
--     PGOPTIONS="-c wallet.role=wallet_service" psql "$DATABASE_URL" -v ON_ERROR_STOP=1 \
--         -f specification/service-role.sql
DO $$
DECLARE
    role text := current_setting('wallet.role');
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['ledger', 'projection'] LOOP
        IF to_regnamespace(part) IS NOT NULL THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', part, role);
            EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', part, role);
        END IF;
    END LOOP;
    IF to_regnamespace('projection') IS NOT NULL THEN
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA projection TO %I', role);
    END IF;
    IF to_regnamespace('ledger') IS NOT NULL THEN
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON ledger.journal FROM %I', role);
        EXECUTE format('GRANT INSERT ON ledger.journal, ledger.assets, ledger.refusals, ledger.wallet_keys, '
            'ledger.batches, ledger.wallets, ledger.transfers, ledger.expirations, ledger.outbox, '
            'ledger.outbox_streams TO %I', role);
        EXECUTE format('GRANT UPDATE ON ledger.wallets, ledger.transfers, ledger.outbox, ledger.outbox_streams TO %I',
            role);
        EXECUTE format('GRANT DELETE ON ledger.expirations, ledger.outbox TO %I', role);
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON ledger.dead_letters TO %I', role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION ledger.require_count(bigint, bigint) TO %I', role);
    END IF;
END
$$;
