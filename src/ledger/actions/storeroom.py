"""Storeroom: whether what is stored is whole, file by file and without libgit2, for who doctors or repairs."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ledger.actions.health import refusal
from ledger.actions.objects import object_problems
from ledger.actions.soundness import is_rewritten
from ledger.actions.tip import event_id, newest_id
from ledger.core.clock import refuse_jump
from ledger.errors import LedgerError
from ledger.storage import turning
from ledger.storage.layout import MAIN, Layout
from ledger.storage.maintenance import fsck
from ledger.storage.place import Place
from ledger.storage.refs import bad_refs, left_locks
from ledger.storage.tree import TreeReader

REPAIR = "ledger repair"
_SECONDS = 60.0  # for git to look whether all that is named is there
_LISTED = 3
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

# What is wrong, in words (empty: nothing), and what to do about it.
Found = tuple[str, str]


def storeroom(place: Place, layout: Layout) -> Iterator[tuple[str, Found]]:
    """Each check by its name, with what it found."""
    for name, look in CHECKS.items():
        try:
            yield name, look(place, layout)
        except LedgerError as error:
            yield name, (error.message.splitlines()[0], error.hint or REPAIR)


def _disk(_: Place, layout: Layout) -> Found:
    fault = refusal(layout)
    return ("", "") if fault is None else (os.strerror(fault), "free some space, or mount it for writing")


def _clock(place: Place, _: Layout) -> Found:
    tip = place.store.ref(MAIN)
    if tip is not None and not place.accepts_clock:
        commit = place.store.commit(tip)
        refuse_jump(place.now() // 1000, newest_id(TreeReader(place.store, commit.tree), event_id(commit)))
    return "", ""


def _epoch(_: Place, layout: Layout) -> Found:
    words = "a change to a new epoch was cut short" if turning.is_left(layout) else ""
    return words, REPAIR


def _modes(_: Place, layout: Layout) -> Found:
    return _counted([str(path) for path in open_to_others(layout)], "may be read by others"), REPAIR


def _locks(_: Place, layout: Layout) -> Found:
    left = [str(path) for git_dir in layout.repositories for path in left_locks(git_dir)]
    return _counted(left, "was left by a git that was killed"), REPAIR


def _refs(_: Place, layout: Layout) -> Found:
    bad = [f"{one.path} ({one.reason})" for git_dir in layout.repositories for one in bad_refs(git_dir)]
    return _counted(bad, "is no ref"), REPAIR


def _history(place: Place, _: Layout) -> Found:
    last = None if place.heads is None else place.heads.last(MAIN)
    words = "main is no longer on the line where it was last seen" if is_rewritten(place.store, last) else ""
    return words, "ledger verify"


def _objects(_: Place, layout: Layout) -> Found:
    damaged = [problem.path or "" for problem in object_problems(layout)]
    return _counted(damaged, "does not hold what was written"), REPAIR


def _links(_: Place, layout: Layout) -> Found:
    missing = [line for git_dir in layout.repositories for line in fsck(git_dir, timeout=_SECONDS)]
    return _counted(missing, "(by git fsck)"), REPAIR


CHECKS: dict[str, Callable[[Place, Layout], Found]] = {
    "disk": _disk,
    "clock": _clock,
    "epoch": _epoch,
    "modes": _modes,
    "locks": _locks,
    "refs": _refs,
    "history": _history,
    "objects": _objects,
    "links": _links,
}


def open_to_others(layout: Layout) -> Iterator[Path]:
    """Every file and folder of a ledger that others than its owner may read, write or enter."""
    for place, folders, files in os.walk(layout.root):
        for path in (Path(place, name) for name in (*folders, *files)):
            with suppress(FileNotFoundError):  # gone since it was listed
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & _OTHERS:
                    yield path


def _counted(found: list[str], words: str) -> str:
    if not found:
        return ""
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return f"{', '.join(found[:_LISTED])}{more} {words}"
