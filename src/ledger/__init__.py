"""Context Ledger: the context of AI coding sessions as a provable history in git."""

__version__ = "0.1.0"
