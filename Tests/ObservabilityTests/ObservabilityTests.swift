// The tests of Observability.
