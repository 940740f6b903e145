// The tests of Postgres.
