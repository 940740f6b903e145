// The tests of Outbox.
