"""`git-merge-ledger`: the strategy by which git merges in an ordinary clone of a ledger.

Git calls it as `git-merge-ledger BASE... -- OURS THEIRS`, with nothing to be merged by hand ever left over. It answers
with 0 where index and files are those of the merge, and with 2 where it will not merge: git then leaves all as it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.errors import LedgerError, UsageError

CANNOT = 2


def main() -> None:
    """Merge, as git asks for it."""
    try:
        merge_in(Path.cwd(), sys.argv[1:])
    except LedgerError as error:
        hint = f"\n  hint: {error.hint}" if error.hint else ""
        sys.stderr.write(f"error: {error.message}{hint}\n")
        sys.exit(CANNOT)


def merge_in(folder: Path, arguments: list[str]) -> None:
    """Merge two commits in the clone around `folder`; raises LedgerError, with index and files as they were."""
    from ledger.actions.merge_plain import merge_plain
    from ledger.api import open_plain
    from ledger.storage.plain import require_plain

    heads = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    if len(heads) != 2:
        raise UsageError("git-merge-ledger merges two commits: it is called by git merge", hint="git merge BRANCH")
    plain = require_plain(folder)
    with open_plain(plain) as ledger:
        merge_plain(ledger.place, plain, *heads)


if __name__ == "__main__":
    main()
