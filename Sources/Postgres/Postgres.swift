// The sources of Postgres.
