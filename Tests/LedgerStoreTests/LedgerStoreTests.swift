// The tests of LedgerStore.
