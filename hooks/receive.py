"""Receive: the hooks of a server's bare repository: judge a push, and go over to the epoch of an administrator.

Called as `receive.py pre-receive` and `receive.py post-receive` by the scripts that `ledger server-setup` writes, with
git's lines `OLD NEW REF` on standard input. What is refused is told on standard error, which git carries to whoever
pushes. Anything that goes wrong here refuses the push: nobody gets in because a judge was not there.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from ledger.errors import LedgerError

_JUST_NOW = 10


def main(arguments: list[str]) -> int:
    """Judge, or go over; 0 where the push may be taken."""
    git_dir = Path(os.environ.get("GIT_DIR", ".")).resolve()
    lines = [line.split() for line in sys.stdin.read().splitlines()]
    try:
        reasons = _judged(git_dir, lines) if arguments == ["pre-receive"] else _gone_over(git_dir, lines)
    except LedgerError as error:
        reasons = [" ".join(error.message.split())]
    except Exception as fault:  # noqa: BLE001 - whatever it is, nothing comes in unjudged
        reasons = [f"this cannot be judged here ({type(fault).__name__}: {fault}): tell who keeps this server"]
    for reason in reasons:
        sys.stderr.write(f"ledger: {reason}\n")
    return 1 if reasons else 0


def _judged(git_dir: Path, lines: list[list[str]]) -> list[str]:
    from ledger.actions.receive import Update, receive
    from ledger.storage.access_file import read_access
    from ledger.storage.git import GitStore
    from ledger.storage.received import ReceivedStore

    quarantine = os.environ.get("GIT_QUARANTINE_PATH")
    store = ReceivedStore(git_dir, Path(quarantine).resolve()) if quarantine else GitStore(git_dir)
    user = os.environ.get("LEDGER_USER") or os.environ.get("REMOTE_USER") or ""
    try:
        updates = [Update(*line) for line in lines]
        return receive(store, updates, read_access(git_dir), user, time.time_ns() // 1000)
    finally:
        store.close()


def _gone_over(git_dir: Path, lines: list[list[str]]) -> list[str]:
    """Move main to an epoch that came in by a ref of its own, if main is where that epoch knows it to be."""
    from ledger.actions.receive import moved_by_epoch
    from ledger.storage.git import GitStore
    from ledger.storage.program import require_git

    for _, new, ref in lines:
        if not ref.startswith("refs/epoch/") or set(new) == {"0"}:
            continue
        store = GitStore(git_dir)
        try:
            update = moved_by_epoch(store, ref, new)
        finally:
            store.close()
        if update is not None:
            require_git(git_dir, ["update-ref", "--create-reflog", update.ref, update.new, update.old])
        require_git(git_dir, ["update-ref", "-d", ref, new])
        if update is not None:
            _let_go(git_dir)
        else:
            return ["main has moved on meanwhile: sync, and begin the epoch again"]
    return []


def _let_go(git_dir: Path) -> None:
    """Drop what only the epoch before reaches: it may have begun so that something is forgotten.

    What came within the last seconds stays until git's own gc: it may be of a push that is just being taken in.
    """
    from ledger.storage.layout import ATTACHMENTS
    from ledger.storage.program import require_git

    # Attachments of the epoch before may hold it too: every machine gives again what it has left.
    for ref in require_git(git_dir, ["for-each-ref", "--format=%(refname)", ATTACHMENTS]).decode("ascii").split():
        require_git(git_dir, ["update-ref", "-d", ref])
    require_git(git_dir, ["reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all"])
    require_git(git_dir, ["gc", "--quiet", f"--prune={_JUST_NOW}.seconds.ago"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
