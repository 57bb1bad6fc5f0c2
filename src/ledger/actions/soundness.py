"""Soundness: whether an unclean stop may have taken something; asked at every opening, so it must be cheap."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ledger.errors import DamageError, NotFoundError
from ledger.storage import journal, opening, restore, turning
from ledger.storage.files import FOLDER_MODE, modified
from ledger.storage.git import GitStore
from ledger.storage.heads import Heads
from ledger.storage.journal import JournalRecord
from ledger.storage.layout import MAIN, Layout
from ledger.storage.locks import Lock
from ledger.storage.loose import quarantine
from ledger.storage.reached import Reached
from ledger.storage.refs import bad_refs
from ledger.storage.store import EventStore, Oid

# At opening, so many of the newest records of so many journals are looked at, with all that they changed: 0.2 ms each.
_RECORDS = 24
_JOURNALS = 4
_TAIL_BYTES = 128 * 1024

# What HEAD and config of a bare repository hold at least, to the last byte: cut short, they do not end so.
_HEAD = re.compile(rb"(?:ref: refs/\S+|[0-9a-f]{40})\n")
_CONFIG = re.compile(rb"\s*\[core\][^\0]*\bbare = true\b[^\0]*\n")


def needs_restoring(layout: Layout) -> bool:
    """Whether an unclean stop may have taken something; cheap enough to ask at every opening.

    After a restart of the machine the answer is yes, once. Else the refs are looked at, and the
    newest commits of the journals, with the files that they changed and the refs that they moved.
    """
    if restore.has_rebooted(layout) or turning.is_left(layout):
        return True
    if any(bad_refs(git_dir) for git_dir in layout.repositories):
        return True
    store = GitStore(layout.git_dir)
    last = Heads(layout.heads).last(MAIN)
    try:
        if is_rewritten(store, last):
            return False
        is_gone = last is not None and store.ref(MAIN) is None
        return is_gone or not all(_is_kept(layout, store, path) for path in _newest(layout))
    except (DamageError, NotFoundError):
        return True
    finally:
        store.close()


def is_rewritten(store: EventStore, last: Oid | None) -> bool:
    """Whether main has left the line of `last`, where it was last seen; never where that is not known.

    No crash does that: one leaves a ref where it was, takes it back, or takes it away. So it is not for
    restoration to mend, which would weave what somebody wrote over the history into it; `verify` names it.
    Raises DamageError for a commit on the way that cannot be read.
    """
    now = store.ref(MAIN)
    if last is None or now is None or last == now:
        return False
    try:
        store.commit(last)
    except NotFoundError:
        return False
    return not store.is_ancestor(last, now) and not store.is_ancestor(now, last)


def mend_entrance(layout: Layout) -> list[Path]:
    """Write HEAD and config again where a stop of the machine left them empty or cut short; which ones.

    A file that still holds something is moved to `quarantine/` first. Nothing is done in a folder that is
    not ours, or that lacks more than these.
    """
    missing = {layout.root / part for part in opening.missing_parts(layout)}
    torn = [path for path in _entrance(layout) if not _is_entrance(path)]
    if not torn or not missing <= set(torn) or layout.root.stat().st_uid != os.geteuid():
        return []
    layout.quarantine.mkdir(mode=FOLDER_MODE, exist_ok=True)
    quarantine([path for path in torn if path.exists()], layout.quarantine)
    return restore.rewrite_empty_files(layout)


def _entrance(layout: Layout) -> list[Path]:
    return [git_dir / name for git_dir in layout.repositories for name in ("HEAD", "config")]


def _is_entrance(path: Path) -> bool:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):  # --ledger may name a file
        return False
    return (_HEAD if path.name == "HEAD" else _CONFIG).fullmatch(data) is not None


def _newest(layout: Layout) -> list[Path]:
    """The journals that were written last."""
    return sorted(layout.journal.glob("*.journal"), key=lambda path: modified(path) or 0.0)[-_JOURNALS:]


def _is_kept(layout: Layout, store: GitStore, path: Path) -> bool:
    """Whether the last commits of a journal are there, and its refs where they were moved last."""
    records = restore.counting(journal.read_tail(path, _TAIL_BYTES))[-_RECORDS:]
    moves = [record for record in records if record.refs]
    if not all(_is_whole(store, record) for record in records):
        return False
    reached = Reached(store, layout.reached)
    if not moves or _is_moved(store, reached, moves[-1]):
        return True
    # Its writer is between the record and the move, or has moved by now, or was killed there.
    return Lock(layout.session_lock(path.stem)).is_held() or _is_moved(store, reached, moves[-1])


def _is_moved(store: GitStore, reached: Reached, record: JournalRecord) -> bool:
    tips = [store.ref(ref) for ref in record.refs]
    return all(tip is not None and reached.is_ancestor(record.oid, tip) for tip in tips)


def _is_whole(store: GitStore, record: JournalRecord) -> bool:
    """Whether a commit is there with all that it changed; raises for what cannot be read."""
    commit = store.commit(record.oid)
    before = store.commit(commit.parents[0]).tree if commit.parents else None
    for path in store.changed_paths(before, commit.tree):
        store.read_file(commit.tree, path)
    return store.commit_raw(record.oid) == record.raw
