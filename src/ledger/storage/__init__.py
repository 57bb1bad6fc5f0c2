"""What is kept on disk: the only place that knows git's storage and paths.

The store (`store.EventStore`) holds commits, trees and refs as bytes; beside it lie the journal,
remembered heads, locks and attachments. Only git.py imports pygit2, which costs 70 to 110 ms.
"""
