// The sources of Ledger.
