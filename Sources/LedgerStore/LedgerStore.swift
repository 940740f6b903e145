// The sources of LedgerStore.
