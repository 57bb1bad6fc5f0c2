"""Repair: put right in the store what can be put right without losing anything, and name what stays lost.

In this order: a change of epoch that was cut short; damaged packs, from which what can be read is taken, and damaged
files, moved aside; objects from a backup or from remotes; files of the state, which follow from the events; what the
journal holds, and the refs; modes. A second run finds nothing to do.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from ledger.actions.backup import EVENTS, PAYLOADS
from ledger.actions.epoch import finish_turning
from ledger.actions.examine import Problem
from ledger.actions.find import tips
from ledger.actions.join import merge_states, merged_tree
from ledger.actions.law import ObjectStore
from ledger.actions.lineage import Lineage
from ledger.actions.objects import damaged_packs
from ledger.actions.restore_journal import restore_journal
from ledger.actions.storeroom import open_to_others
from ledger.actions.tip import event_of, tip_at
from ledger.actions.verify import verify
from ledger.core import fold
from ledger.errors import DamageError, LedgerError, NotFoundError, UsageError
from ledger.storage import turning
from ledger.storage.bundle import require_sound_bundle
from ledger.storage.files import FILE_MODE, FOLDER_MODE, refusals
from ledger.storage.layout import Layout
from ledger.storage.loose import quarantine, scan_loose
from ledger.storage.place import Place
from ledger.storage.program import run_git
from ledger.storage.remotes import list_remotes
from ledger.storage.store import Commit, Oid
from ledger.storage.switches import ALL, require_on
from ledger.storage.transport import refetch
from ledger.storage.tree import TreeReader, encode

DEADLINE = 600.0  # seconds
_FETCHED = "refs/repair/"


@dataclass(slots=True)
class Repaired:
    """What was done, in words, the files that were moved aside, and the problems that are left."""

    done: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    left: tuple[Problem, ...] = ()


def repair(place: Place, backup: Path | None = None) -> Repaired:
    """Put right what can be; `backup` is a backup's folder, or a bundle, that missing objects may be taken from.

    Nothing is deleted: damaged files go to `quarantine/`. Raises RefusedError while writing is off, BusyError where a
    writer does not come to an end, DamageError for a backup that is none, StorageError where the disk refuses.
    """
    layout = place.layout
    if layout is None:
        raise UsageError("a ledger in memory ends with its process: there is nothing to repair")
    require_on(layout, ALL)
    bundles = [] if backup is None else list(_bundles(layout, backup))
    repaired, missing = Repaired(), _missing(layout)
    if turning.is_left(layout):
        finish_turning(place)
        repaired.done.append("a change to a new epoch was brought to its end")
    _mend_packs(place, layout, repaired)
    for git_dir in layout.repositories:
        repaired.quarantined += map(str, quarantine(scan_loose(git_dir), layout.quarantine))
    for git_dir, bundle in bundles:
        _take(git_dir, ["bundle", "unbundle", str(bundle)], f"objects were taken from {bundle}", repaired)
    # Before the refs are judged: a line whose commits are gone would be taken back to where it is whole.
    if _is_broken(place):
        _fetch(layout, repaired)
        _refold(place, repaired)
    _restore(place, repaired)
    if found := len(missing - _missing(layout)):
        repaired.done.append(f"{found} missing objects are there again")
    _close_to_others(layout, repaired)
    place.store.close()
    repaired.left = verify(place, full=True).problems
    return repaired


def _mend_packs(place: Place, layout: Layout, repaired: Repaired) -> None:
    """Move damaged packs aside, and take from them every object that can still be read."""
    for git_dir in layout.repositories:
        for path in damaged_packs(git_dir):
            pack, index = path.with_suffix(".pack"), path.with_suffix(".idx")
            if path == index and pack.exists() and pack not in damaged_packs(git_dir):
                repaired.quarantined += map(str, quarantine([index], layout.quarantine))
                _take(git_dir, ["index-pack", str(pack)], f"the index of {pack.name} was made anew", repaired)
            elif pack.exists():
                aside = quarantine([one for one in (pack, index) if one.exists()], layout.quarantine)
                repaired.quarantined += map(str, aside)
                with refusals(aside[0]):
                    data = aside[0].read_bytes()
                run_git(git_dir, ["unpack-objects", "-r", "-q"], data=data)  # ends with 1, as some cannot be read
                repaired.done.append(f"what can be read of {pack.name} was taken out of it")
    place.store.close()


def _missing(layout: Layout) -> set[bytes]:
    """What git finds named and not there, a line each."""
    arguments = ["fsck", "--connectivity-only", "--no-dangling", "--no-progress"]
    lines = [line for git_dir in layout.repositories for line in run_git(git_dir, arguments).out.splitlines()]
    return {line for line in lines if line.startswith(b"missing ")}


def _restore(place: Place, repaired: Repaired) -> None:
    done = restore_journal(place)
    place.store.close()  # what it remembers is from before
    if done is None or not done.changed:
        return
    repaired.quarantined += map(str, done.quarantined)
    if done.commits or done.recommitted:
        repaired.done.append(f"{done.commits + done.recommitted} commits came back from the journal")
    repaired.done += [f"{ref} was put back" for ref in done.refs]
    repaired.done += [f"{path} was written anew" for path in done.rewritten]


def _bundles(layout: Layout, backup: Path) -> Iterator[tuple[Path, Path]]:
    """Which bundle goes into which repository; each is proved to be whole first."""
    found = [(layout.git_dir, backup)] if backup.is_file() else []
    if backup.is_dir():
        found = [(layout.git_dir, backup / EVENTS), (layout.payloads_dir, backup / PAYLOADS)]
    found = [(git_dir, bundle) for git_dir, bundle in found if bundle.is_file()]
    if not found:
        raise NotFoundError(f"{backup} is no backup", hint="give a backup's folder, or a bundle file")
    for git_dir, bundle in found:
        require_sound_bundle(git_dir, bundle)
        yield git_dir, bundle


def _take(git_dir: Path, arguments: Sequence[str], words: str, repaired: Repaired) -> None:
    if run_git(git_dir, arguments).code == 0:
        repaired.done.append(words)


def _is_broken(place: Place) -> bool:
    kinds = {problem.kind for problem in verify(place, full=True).problems}
    return bool(kinds & {"missing-object", "damaged-object", "unverifiable"})


def _fetch(layout: Layout, repaired: Repaired) -> None:
    """Objects that are missing may be with a remote: they are fetched beside everything, and no ref of ours moves."""
    for remote in list_remotes(layout.git_dir):
        if refetch(layout.git_dir, remote, _FETCHED, DEADLINE / 4):
            repaired.done.append(f"objects were fetched from {remote.name}")
    for line in run_git(layout.git_dir, ["for-each-ref", "--format=%(refname)", _FETCHED]).out.splitlines():
        run_git(layout.git_dir, ["update-ref", "-d", line.decode("utf-8", "replace")])


def _refold(place: Place, repaired: Repaired) -> None:
    """Write the files of the state again as they follow from the events; what is there already costs nothing."""
    written = 0
    lineage = Lineage(cast("ObjectStore", place.store))
    for oid in lineage.order(tips(place)):
        commit = place.store.commit(oid.hex())
        with suppress(DamageError, NotFoundError):  # `verify` names what stays
            written += _is_missing(place, commit) and _folded(place, commit) == commit.tree
    if written:
        repaired.done.append(f"the files of {written} commits were folded again from their events")


def _is_missing(place: Place, commit: Commit) -> bool:
    before = place.store.commit(commit.parents[0]).tree if commit.parents else None
    try:
        for path in place.store.changed_paths(before, commit.tree):
            place.store.read_file(commit.tree, path)
    except LedgerError:
        return True
    return False


def _folded(place: Place, commit: Commit) -> Oid:
    store, event = place.store, event_of(commit)
    parents = [tip_at(store, oid) for oid in commit.parents]
    if len(parents) == 2:
        ours, theirs = parents
        return merged_tree(store, ours.tree, theirs.tree, merge_states(store, ours, theirs).merge)
    before = parents[0].tree if parents else store.edit_tree(None, {})
    reader = TreeReader(store, before)
    return store.edit_tree(before, encode(fold.apply(reader, event, fold.version_of(reader)[0])))


def _close_to_others(layout: Layout, repaired: Repaired) -> None:
    opened = list(open_to_others(layout))
    with refusals(layout.root):
        for path in opened:
            mode = FOLDER_MODE if path.is_dir() else FILE_MODE | (path.stat().st_mode & stat.S_IXUSR)
            path.chmod(mode)
    if opened:
        repaired.done.append(f"{len(opened)} files and folders were closed to others")
