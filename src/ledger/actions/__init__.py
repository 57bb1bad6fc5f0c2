"""What can be done with a ledger: one verb a file. Actions return values; only interfaces print."""
