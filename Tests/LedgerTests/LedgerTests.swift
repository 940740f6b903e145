// The tests of Ledger.
