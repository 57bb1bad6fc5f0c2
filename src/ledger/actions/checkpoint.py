"""Checkpoint: pin a verified, durable point of a session, with the code's working tree where one is named.

What was written since the session's last checkpoint is folded again and compared before the event is written. The
working tree lies synced in the sibling repository, on a branch of its own, before the event names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.actions.append import Appended, Draft, Writer, append_shared
from ledger.actions.find import find_commit
from ledger.actions.log import list_events
from ledger.actions.replay import replay
from ledger.actions.tip import Author, event_of
from ledger.actions.working_tree import Kept, Progress, keep, remember
from ledger.core.event import Event
from ledger.core.state import Reader
from ledger.errors import DamageError, NotFoundError
from ledger.storage.locks import Lock
from ledger.storage.place import Place
from ledger.storage.store import Commit, Oid
from ledger.storage.switches import ALL, require_on
from ledger.storage.tree import TreeReader

TYPE = "checkpoint.created"
BY_HAND = "by hand"
LOCK_SECONDS = 60.0

Append = Callable[[Writer], Appended]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint as its event tells it; `worktree` is the tree that holds the code, None where there is none.

    `events` is how many were folded to verify it, `path` the top of the working tree, `head` the commit checked out,
    `bytes` what was read anew, `missing` why a working tree that was asked for is not there; "" where not told.
    """

    event: str
    session: str
    time: str
    tree: Oid
    reason: str = ""
    title: str = ""
    events: int = 0
    worktree: Oid | None = None
    path: str = ""
    head: str = ""
    files: int = 0
    skipped: int = 0
    bytes: int = 0
    missing: str = ""


def checkpoint(
    place: Place,
    author: Author,
    reason: str,
    worktree: Path | None = None,
    *,
    title: str = "",
    append: Append | None = None,
    progress: Progress | None = None,
) -> Checkpoint:
    """Pin where a session stands, with the working tree whose top is `worktree` if one is named.

    A working tree that cannot be kept is no error: `missing` says why. `append` writes the event, in place of a plain
    shared write; `progress` is told how many files were read, of how many. Raises DamageError, and writes nothing,
    where what is stored is not what the events say; RefusedError while writing is turned off, BusyError while somebody
    else captures one, StorageError.
    """
    with checkpointing(place) if worktree is not None else nullcontext():
        return pin(place, author, reason, worktree, title=title, append=append, progress=progress)


def pin(
    place: Place,
    author: Author,
    reason: str,
    worktree: Path | None,
    *,
    title: str = "",
    append: Append | None = None,
    progress: Progress | None = None,
) -> Checkpoint:
    """The same for who holds `checkpointing` already, where a working tree is named."""
    require_on(place.layout, ALL)
    words = place.redactor.text(f"{reason}: {title}") if title else reason
    kept = None if worktree is None else keep(place, author.session, worktree, words, progress)
    return _pinned(place, author, {"reason": reason, "title": title}, worktree, kept, append)


def checkpoint_if_changed(place: Place, author: Author, reason: str, worktree: Path) -> Checkpoint | None:
    """The same where the working tree is not as the session's last checkpoint holds it, else None."""
    with checkpointing(place):
        kept = keep(place, author.session, worktree, reason)
        return _pinned(place, author, {"reason": reason}, worktree, kept, None) if kept.is_new else None


def checkpointing(place: Place) -> AbstractContextManager[None]:
    """Hold the ledger's working trees for a block; raises RefusedError while writing is turned off, BusyError."""
    require_on(place.layout, ALL)
    return nullcontext() if place.layout is None else Lock(place.layout.checkpoint_lock).hold(LOCK_SECONDS)


def list_checkpoints(place: Place, session: str | None = None) -> Iterator[Checkpoint]:
    """Every checkpoint, or those of one session, the newest first, as a stream."""

    def is_one(commit: Commit) -> bool:
        return commit.message.startswith(TYPE.encode()) and session in (None, commit.author.email)

    for logged in list_events(place, keep_commit=is_one, session=session):
        if logged.event.type == TYPE:
            yield checkpoint_of(logged.event)


def find_checkpoint(place: Place, rev: str) -> Checkpoint:
    """The checkpoint that a REV names; raises NotFoundError for another event, and as `find_commit` does."""
    event = event_of(place.store.commit(find_commit(place, rev)))
    if event.type != TYPE:
        raise NotFoundError(f"{rev!r} is no checkpoint, but {event.type}", hint="`ledger checkpoint list` lists them")
    return checkpoint_of(event)


def checkpoint_of(event: Event) -> Checkpoint:
    """The checkpoint that an event tells of."""
    told = {name: value for name, value in event.data.items() if name in Checkpoint.__slots__}
    return Checkpoint(event.id, event.session, event.time, **told)


def _pinned(
    place: Place,
    author: Author,
    told: dict[str, Any],
    worktree: Path | None,
    kept: Kept | None,
    append: Append | None,
) -> Checkpoint:
    data = _data(told, worktree, kept) | {"events": _verified(place, author.session)}

    def write(reader: Reader) -> Draft:
        return Draft(TYPE, {"tree": reader.tree if isinstance(reader, TreeReader) else "", **data})

    done = append(write) if append is not None else append_shared(place, author, [write])
    if kept is not None:
        remember(place, worktree, kept)
    return checkpoint_of(done.events[-1])


def _verified(place: Place, session: str) -> int:
    """How many events were folded again, and found to give what is stored."""
    try:
        done = replay(place, session)
    except NotFoundError:  # it has written nothing yet
        return 0
    if not done.ok:
        at = "" if done.first_divergence is None else f", first at {done.first_divergence.commit[:10]}"
        raise DamageError(f"what is stored is not what the events say{at}", hint="run: ledger verify")
    return done.events_replayed


def _data(told: dict[str, Any], worktree: Path | None, kept: Kept | None) -> dict[str, Any]:
    data = dict(told)
    if kept is not None:
        data |= {"path": _path(worktree), "worktree": kept.tree, "head": kept.head, "missing": kept.missing}
    if kept is not None and kept.tree is not None:
        data |= {"files": kept.files, "skipped": kept.skipped, "bytes": kept.bytes}
    return {name: value for name, value in data.items() if value not in (None, "")}


def _path(worktree: Path | None) -> str:
    # A folder whose name is no text cannot stand in an event.
    path = str(worktree)
    return path if path.isprintable() else ""
