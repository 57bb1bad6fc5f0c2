"""Record: what the shell's hook cannot do, it hands to this: it keeps the payload on standard input.

Called as `record.py LEDGER AGENT EVENT PID [uncounted]`, without the packages that are installed (`python -I -S`);
`uncounted` where the shell could not count this run of the hook. It ends with 0 if the payload is safe on disk.
"""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from ledger.storage import spooling


def main(arguments: list[str]) -> int:
    """Keep the payload; 1 if it could not be kept. Whoever tells nothing is counted, and no more."""
    root, agent, event, pid, *uncounted = arguments
    hook = f"{agent}~{event}"
    raw = b"" if sys.stdin is None else sys.stdin.buffer.read()
    try:
        if raw:
            spooling.keep(root, hook, int(pid), raw)
    except OSError:  # the shell is silent about it too: the count of runs and that of events tell
        return 1
    finally:
        if uncounted:
            spooling.count(root, hook, "x")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
