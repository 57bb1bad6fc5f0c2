"""Record: what the shell's hook cannot do, it hands to this: it keeps the payload on standard input.

Called as `record.py LEDGER AGENT EVENT PID [uncounted]`; `uncounted` where the shell could not count this run of the
hook. It ends with 0 if the payload is safe on disk, in the ledger's spool or elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.errors import LedgerError
from ledger.storage import spool
from ledger.storage.layout import Layout


def main(arguments: list[str]) -> int:
    """Keep the payload; 1 if it could not be kept."""
    root, agent, event, pid, *uncounted = arguments
    layout = Layout(Path(root))
    raw = sys.stdin.buffer.read() if sys.stdin is not None else b""
    try:
        if raw:
            spool.put(layout, agent, event, int(pid), raw)
        if uncounted:
            spool.count(layout, agent, event, "x")
    except LedgerError:  # the shell is silent about it; the count of runs and of events tells
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
