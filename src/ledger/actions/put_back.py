"""Put back: the code as a checkpoint holds it, with a checkpoint of what is there before anything changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from ledger.actions.checkpoint import Append, Checkpoint, checkpointing, pin
from ledger.actions.tip import Author
from ledger.actions.working_tree import Progress, Saved, load, see
from ledger.errors import InvalidError, NotFoundError, Problem, RefusedError
from ledger.storage import putting_back
from ledger.storage.capture import Skipped
from ledger.storage.files import refusals
from ledger.storage.listing import ignored_by
from ledger.storage.nesting import LINK, Entry
from ledger.storage.place import Place
from ledger.storage.putting_back import Blocked, Files, Plan
from ledger.storage.store import Oid

BEFORE = "before restore"


class PutBack(NamedTuple):
    """What was done: by which plan, the checkpoint made `before`, and what had changed meanwhile and was left."""

    plan: Plan
    before: Checkpoint | None
    left: tuple[Blocked, ...]


def saved_in(place: Place, found: Checkpoint) -> Saved:
    """The working tree of a checkpoint; raises NotFoundError where it has none, or it is not kept any longer."""
    if found.worktree is None:
        why = found.missing or "none was asked for"
        raise NotFoundError(f"the checkpoint {found.event} has no working tree: {why}")
    return load(place, found.worktree)


def plan_putting_back(place: Place, found: Checkpoint, paths: Sequence[str] = (), to: Path | None = None) -> Plan:
    """What it takes to have the files of a checkpoint again, where they were taken from or in the folder `to`.

    `paths` are seen from the top of the working tree; with some only those count, and what lies below. Changes nothing.
    Raises NotFoundError for a working tree that is not kept, and for paths at which there is nothing; RefusedError
    where it cannot be told what is there now.
    """
    saved = saved_in(place, found)
    if to is not None:
        return _plan(place, to, saved, Files({}, frozenset()), paths)
    there = see(place, _top(found))
    now = Files(there.entries, _paths(there.skipped))
    return _plan(place, _top(found), saved, now, paths)


def put_back(
    place: Place,
    author: Author,
    found: Checkpoint,
    paths: Sequence[str] = (),
    to: Path | None = None,
    append: Append | None = None,
    progress: Progress | None = None,
) -> PutBack:
    """Do it; what is there now is kept by a checkpoint of its own first, of which `append` writes the event.

    `progress` is told how many files were read or written, of how many.

    Neither index, HEAD, stash nor refs of the project are touched. Raises InvalidError, and changes nothing, where the
    present content of a file is not saved by that checkpoint; else as `plan_putting_back` and `checkpoint` do.
    """
    with checkpointing(place):
        todo = plan_putting_back(place, found, paths, to)
        _require_free(todo)
        if not (todo.write or todo.delete):
            return PutBack(todo, None, ())
        before = None
        if to is None:
            before = pin(place, author, BEFORE, todo.top, title=found.event, append=append, progress=progress)
            there = saved_in(place, before)
            now = Files(there.entries, _paths(there.skipped))
            todo = _plan(place, todo.top, saved_in(place, found), now, paths)
            _require_free(todo)
        else:
            with refusals(to):
                to.mkdir(parents=True, exist_ok=True)
        return PutBack(todo, before, tuple(putting_back.put_back(todo, _telling(place, progress, len(todo.write)))))


def _plan(place: Place, top: Path, saved: Saved, now: Files, paths: Sequence[str]) -> Plan:
    among = [b"" if path == "." else _raw(path.rstrip("/")) for path in paths]
    known = [*saved.entries, *now.entries]
    missing = [path for path in among if not any(path in (b"", one) or one.startswith(path + b"/") for one in known)]
    if missing:
        names = ", ".join(path.decode("utf-8", "replace") for path in missing)
        raise NotFoundError(f"neither the checkpoint nor the working tree has {names}")
    left_out = _paths(saved.skipped) | _ignored_then(place, top, saved, now.entries)
    return putting_back.plan(top, Files(saved.entries, left_out), now, among)


def _paths(skipped: Iterable[Skipped]) -> frozenset[bytes]:
    return frozenset(_raw(one.path) for one in skipped)


def _ignored_then(place: Place, top: Path, saved: Saved, now: Mapping[bytes, Entry]) -> set[bytes]:
    """What the rules of ignoring passed over then, though they do not now: it may have been there."""
    then = {path: entry for path, entry in saved.entries.items() if _is_rules(path, entry)}
    if then == {path: entry for path, entry in now.items() if _is_rules(path, entry)}:
        return set()
    rules = {path: _blob(place, entry.oid) for path, entry in then.items()}
    return ignored_by(top, rules, [path for path in now if path not in saved.entries])


def _is_rules(path: bytes, entry: Entry) -> bool:
    return path.rpartition(b"/")[2] == b".gitignore" and entry.mode != LINK


def _top(found: Checkpoint) -> Path:
    if not found.path:
        raise RefusedError("the checkpoint does not say where its files were", hint="`--to DIR` says where they go")
    return Path(found.path)


def _require_free(todo: Plan) -> None:
    if todo.blocked:
        problems = [Problem(path.decode("utf-8", "replace"), reason) for path, reason in todo.blocked]
        raise InvalidError(
            "some files would be overwritten for good:",
            problems,
            hint="move them away, or name the PATHs that you want back without them",
        )


def _telling(place: Place, progress: Progress | None, total: int) -> putting_back.Read:
    written = count(1)

    def read(oid: Oid) -> bytes:
        if progress is not None:
            progress(next(written), total)
        return _blob(place, oid)

    return read


def _blob(place: Place, oid: Oid) -> bytes:
    if place.payloads is None:
        raise NotFoundError(f"there is no object {oid}")
    return place.payloads.store.read_object("blob", oid)


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
