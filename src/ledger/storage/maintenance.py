"""Maintenance on our own schedule: packing, pruning, checking, and saying what takes up room.

Under one lock, and never sharper than two weeks: `prune --expire=now` beside writers destroys
history that was acknowledged (measured: three writers, ten seconds, every ref unwalkable).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from ledger.errors import BusyError, StorageError
from ledger.storage import journal, live, spool
from ledger.storage.files import modified
from ledger.storage.journal import Journal
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock
from ledger.storage.loose import quarantine
from ledger.storage.program import failure, require_git, run_git
from ledger.storage.refs import left_by_packing
from ledger.storage.switches import ALL, require_on

PRUNED_AFTER = "2.weeks.ago"

# 1,500 events of a session, about: loose they take 4 KiB an object on the disk, packed 600 bytes an event.
LOOSE_AT_MOST = 4_000
_SAMPLED = ("17", "5b", "9e", "d2")
_PAUSE_SECONDS = 600.0

_IDLE_SECONDS = 86_400
_LEFT_SECONDS = 30 * 86_400
_USAGE = 129  # git's exit code for an option that it does not know
_REPACK = ("repack", "-d", "-q", "--geometric=2", "--write-midx")
_PLAIN_REPACK = ("repack", "-d", "-q", "-l")
# -F: what was deflated quickly when it was written is deflated well now (677 -> 611 bytes an event, measured).
_FULL_REPACK = ("repack", "-d", "-q", "-F", "--cruft", f"--cruft-expiration={PRUNED_AFTER}")


class Figures(NamedTuple):
    """The size of a repository: objects by how they are stored, packs, and bytes on disk."""

    loose: int
    packed: int
    packs: int
    bytes: int


class Maintained(NamedTuple):
    """One repository before and after."""

    repository: Path
    before: Figures
    after: Figures


def gc(layout: Layout, *, timeout: float = 0.0, is_full: bool = False) -> list[Maintained]:
    """Pack both repositories and cut the journals; readers and writers may go on meanwhile.

    `is_full` also drops what no ref has reached for two weeks, from packs too. Raises BusyError if
    another maintenance runs for longer than `timeout` seconds, RefusedError where every write is turned off.
    """
    require_on(layout, ALL)
    with Lock(layout.maintenance_lock).hold(timeout):
        for git_dir in layout.repositories:
            quarantine(left_by_packing(git_dir), layout.quarantine)
        done = [_maintain(git_dir, is_full) for git_dir in layout.repositories]
        cut_journals(layout)
        _discard_left_locks(layout)
        _discard_left_stats(layout)
        live.sweep_beats(layout)
        spool.sweep_drafts(layout)
        return done


def is_due(layout: Layout) -> bool:
    """Whether so much lies loose that it is worth packing, and nobody has packed for ten minutes.

    As git does, by a few of the 256 folders that objects are spread over: 0.1 ms.
    """
    since = time.time() - (modified(layout.maintenance_lock) or 0.0)
    return since > _PAUSE_SECONDS and any(_loose(git_dir) > LOOSE_AT_MOST for git_dir in layout.repositories)


def _loose(git_dir: Path) -> int:
    found = 0
    for folder in _SAMPLED:
        with suppress(FileNotFoundError):
            found += len(os.listdir(git_dir / "objects" / folder))  # noqa: PTH208 - names are all that is wanted
    return found * 256 // len(_SAMPLED)


def cut_journals(layout: Layout) -> list[Path]:
    """Remove every journal whose session is not writing at this moment, after a sync; which ones."""
    journal.sync_file_system(layout.root)  # so that the one before each cut finds little to do
    return [path for path in sorted(layout.journal.glob("*.journal")) if _cut(layout, path)]


def drop_unreached(git_dir: Path) -> None:
    """Drop every object that no ref reaches, at once.

    Only while nobody writes: beside writers this destroys history that was acknowledged.
    """
    if require_git(git_dir, ["for-each-ref", "--count=1"]).strip():
        require_git(git_dir, ["repack", "-a", "-d", "-q"])
    require_git(git_dir, ["prune", "--expire=now"])
    require_git(git_dir, ["commit-graph", "write", "--reachable", "--no-progress"])


def figures(git_dir: Path) -> Figures:
    """The size of one repository."""
    lines = require_git(git_dir, ["count-objects", "-v"]).decode("ascii").splitlines()
    counts = {name: int(value) for name, _, value in (line.partition(": ") for line in lines) if value.isdigit()}
    if not {"count", "in-pack", "packs"} <= counts.keys():  # it ends with 0 though it could not write
        raise StorageError(f"git count-objects said only {lines}", hint="try again")
    return Figures(counts["count"], counts["in-pack"], counts["packs"], _bytes(git_dir))


def du(layout: Layout) -> dict[str, int]:
    """Bytes on disk of each part of the ledger's folder, by name."""
    return {path.name: _bytes(path) for path in sorted(layout.root.iterdir())}


def fsck(git_dir: Path, *, timeout: float | None = None) -> list[str]:
    """What `git fsck --strict` finds wrong, a line each; empty for a sound repository."""
    ran = run_git(git_dir, ["fsck", "--strict", "--no-dangling", "--no-progress"], timeout=timeout)
    lines = [*ran.out.decode("utf-8", "replace").splitlines(), *ran.err.splitlines()]
    found = [line for line in lines if not line.startswith("notice:")]
    if ran.code != 0 and not found:
        raise StorageError(f"git fsck ended with {ran.code} and said nothing")
    return found if ran.code != 0 else []


def _maintain(git_dir: Path, is_full: bool) -> Maintained:
    before = figures(git_dir)
    _repack(git_dir, is_full)
    require_git(git_dir, ["pack-refs", "--all", "--prune"])
    require_git(git_dir, ["prune", f"--expire={PRUNED_AFTER}"])
    require_git(git_dir, ["commit-graph", "write", "--reachable", "--no-progress"])
    return Maintained(git_dir, before, figures(git_dir))


def _repack(git_dir: Path, is_full: bool) -> None:
    wanted = _FULL_REPACK if is_full else _REPACK
    ran = run_git(git_dir, wanted)
    if ran.code == _USAGE:  # before 2.34 there is no --write-midx, before 2.37 no --cruft
        require_git(git_dir, _PLAIN_REPACK)
    elif ran.code != 0:
        raise failure(wanted, ran)


def _cut(layout: Layout, path: Path) -> bool:
    """Cut one journal under its session's lock, where every record's ref has moved."""
    try:
        with Lock(layout.session_lock(path.stem)).hold(0):
            with Journal(path) as log:
                log.cut()
            path.unlink()
    except BusyError:
        return False
    return True


def _discard_left_locks(layout: Layout) -> None:
    """Remove the lock files of sessions that have not written for a day, and tickets that never stood in line."""
    for path in filter(_is_idle, layout.locks.glob("session-*")):
        Lock(path).discard()
    for path in filter(_is_idle, layout.locks.glob("*.line/.*")):
        path.unlink(missing_ok=True)


def _discard_left_stats(layout: Layout) -> None:
    """Remove what is remembered of working trees that were not captured for a month: most are gone for good."""
    for path in layout.index.glob("worktree-*"):
        if _is_idle(path, _LEFT_SECONDS):
            path.unlink(missing_ok=True)


def _is_idle(path: Path, seconds: float = _IDLE_SECONDS) -> bool:
    return time.time() - (modified(path) or time.time()) > seconds


def _bytes(path: Path) -> int:
    if not path.is_dir():
        return _allocated(path)
    return sum(_allocated(Path(place, name)) for place, *names in os.walk(path) for name in chain(*names))


def _allocated(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except FileNotFoundError:  # packed or pruned since it was listed
        return 0
