"""The command line: parses, prints, reads the environment; holds no rule of the ledger."""
