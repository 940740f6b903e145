// The sources of Outbox.
