"""Tree diff: what differs between the code of a checkpoint and that of another one, or as it lies there now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from ledger.actions.checkpoint import Checkpoint
from ledger.actions.put_back import saved_in
from ledger.actions.working_tree import see
from ledger.errors import RefusedError
from ledger.storage.nesting import Entry
from ledger.storage.place import Place
from ledger.storage.program import require_git
from ledger.storage.scratch import scratch_store
from ledger.storage.store import Oid

_DIFF = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")


class FileChange(NamedTuple):
    """One file that differs: by how many lines, None where it holds no text."""

    path: str
    how: Literal["added", "changed", "deleted"]
    added: int | None
    removed: int | None


class TreeDiff(NamedTuple):
    """The files that differ, sorted by path, and the lines as git shows them, if they were asked for."""

    files: tuple[FileChange, ...]
    patch: str | None


def tree_diff(place: Place, found: Checkpoint, other: Checkpoint | None = None, *, patch: bool = False) -> TreeDiff:
    """What became of the files of a checkpoint: in another one, else in the working tree that it was taken from.

    Nothing is written. Raises NotFoundError for a working tree that is not kept, RefusedError where there is none now.
    """
    before = saved_in(place, found)
    with _after(place, found, other) as (git_dir, tree, entries):
        stat = require_git(git_dir, [*_DIFF, "--numstat", "-z", before.tree, tree])
        lines = require_git(git_dir, [*_DIFF, before.tree, tree]) if patch else None
    files = tuple(_change(row, before.entries, entries) for row in stat.split(b"\0") if row)
    return TreeDiff(files, None if lines is None else lines.decode("utf-8", "backslashreplace"))


@contextmanager
def _after(
    place: Place, found: Checkpoint, other: Checkpoint | None
) -> Iterator[tuple[Path, Oid, Mapping[bytes, Entry]]]:
    """The repository in which to compare, and there the tree of files that are compared with."""
    if place.payloads is None:
        raise RefusedError("a ledger in memory keeps no working trees")
    kept = place.payloads.store.path
    if other is not None:
        saved = saved_in(place, other)
        yield kept, saved.tree, saved.entries
        return
    if not found.path:
        raise RefusedError("the checkpoint does not say where its files were")
    with scratch_store(kept) as store:
        with store.bulk():
            now = see(place, Path(found.path), store.write_object)
        yield store.path, now.stats.folders[b""], now.entries


def _change(row: bytes, before: Mapping[bytes, Entry], after: Mapping[bytes, Entry]) -> FileChange:
    added, removed, path = row.split(b"\t", 2)
    how: Literal["added", "changed", "deleted"] = "changed" if path in after else "deleted"
    if path not in before:
        how = "added"
    return FileChange(path.decode("utf-8", "surrogateescape"), how, _number(added), _number(removed))


def _number(told: bytes) -> int | None:
    return None if told == b"-" else int(told)
