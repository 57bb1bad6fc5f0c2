"""Indexing: bring the index of the events up to date, and ask it something.

It is a projection: whatever is wrong with it, it is thrown away and built again from the commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from ledger.actions.find import open_tips
from ledger.actions.lineage import Lineage
from ledger.actions.pieces import in_pieces
from ledger.core.columns import files_of, keys_of, row_of, words_of
from ledger.core.event import Event, from_message
from ledger.errors import DamageError, InvalidError, NotFoundError
from ledger.storage.event_index import BrokenIndexError, Entry, EventIndex, discard, stored
from ledger.storage.git import GitStore
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock
from ledger.storage.place import Place
from ledger.storage.program import require_git
from ledger.storage.store import Commit, Oid

if TYPE_CHECKING:
    from ledger.actions.law import ObjectStore

Answer = TypeVar("Answer")
Progress = Callable[[int, int], None]

_PATIENCE = 30.0  # seconds that a process waits while another one extends the index
_BATCH = 10  # pieces in one transaction: 10,000 events, about a second


class _Read(NamedTuple):
    """A commit as the index wants it: its parents, and what is kept of its event; None where it carries none."""

    oid: Oid
    parents: tuple[Oid, ...]
    entry: Entry | None


def ask(place: Place, question: Callable[[EventIndex], Answer], progress: Progress | None = None) -> Answer:
    """What `question` finds in the index of the events, which holds all that main and every open line hold.

    Private sessions are not in it. Raises BusyError where another process extends it for too long, StorageError where
    the disk refuses, DamageError where the history cannot be read.
    """
    if place.layout is None:
        return _asked(place, EventIndex.in_memory(), question, progress)
    try:
        return _ask_on_disk(place, place.layout, question, progress)
    except BrokenIndexError:
        discard(place.layout)
        return _ask_on_disk(place, place.layout, question, progress)


def _ask_on_disk(
    place: Place, layout: Layout, question: Callable[[EventIndex], Answer], progress: Progress | None
) -> Answer:
    with Lock(layout.index_lock).hold(_PATIENCE, shared=True):
        return _asked(place, EventIndex(layout.events_index / "events.sqlite"), question, progress)


def _asked(
    place: Place, index: EventIndex, question: Callable[[EventIndex], Answer], progress: Progress | None
) -> Answer:
    try:
        extend(place, index, progress)
        return question(index)
    finally:
        index.close()


def extend(place: Place, index: EventIndex, progress: Progress | None = None) -> int:
    """Add what the index lacks, in transactions of some thousand events; how many events that were.

    Raises BrokenIndexError where it holds what is no longer in the history, as after an epoch.
    """
    tips = open_tips(place)
    if set(index.heads()) == set(tips):
        return 0
    with ExitStack() as stack:
        if place.layout is not None:
            stack.enter_context(Lock(place.layout.indexing_lock).hold(_PATIENCE))
        heads = index.heads()  # while we waited, another process may have added it
        _require_continuity(place, heads, tips)
        return _extend(place, index, heads, _missing(place, tips, heads), progress)


def _require_continuity(place: Place, heads: Sequence[Oid], tips: Sequence[Oid]) -> None:
    try:
        for head in set(heads).difference(tips):
            if not any(place.store.is_ancestor(head, tip) for tip in tips):
                raise BrokenIndexError(f"the index holds {head}, which is not in the history")
    except NotFoundError as error:
        raise BrokenIndexError(f"the index holds a commit that is not there: {error.message}") from error


def _missing(place: Place, tips: Sequence[Oid], heads: Sequence[Oid]) -> list[bytes]:
    """The commits that the index lacks, parents first."""
    if heads or not isinstance(place.store, GitStore):
        try:
            return Lineage(cast("ObjectStore", place.store)).order_since(tips, heads)
        except NotFoundError as error:
            raise DamageError(
                f"a ref or a parent names no commit: {error.message}", hint="`ledger verify` names all that is wrong"
            ) from error
    # Of a million commits git lists the ids in 5 s, and we in 60.
    listed = require_git(place.store.path, ["rev-list", "--topo-order", "--reverse", *tips])
    return [bytes.fromhex(line) for line in listed.decode("ascii").split()]


def _extend(
    place: Place, index: EventIndex, heads: Iterable[Oid], missing: Sequence[bytes], progress: Progress | None
) -> int:
    open_ends, added, batch = set(heads), 0, list[Entry]()
    for number, (piece, found) in enumerate(
        in_pieces(Lineage(cast("ObjectStore", place.store)), missing, _read), start=1
    ):
        for one in found:
            open_ends.difference_update(one.parents)
            open_ends.add(one.oid)
        batch += [one.entry for one in found if one.entry is not None]
        if number % _BATCH == 0 or piece.stop == len(missing):
            index.add(batch, open_ends)
            added, batch = added + len(batch), []
        if progress is not None:
            progress(piece.stop, len(missing))
    if not missing:  # lines were merged, and nothing is new
        index.add([], open_ends)
    return added


def entry_of(event: Event, commit: Commit) -> Entry:
    """What the index keeps of an event."""
    row = row_of(event, commit.oid, commit.author.name, commit.committer.email)
    return Entry(stored(row), tuple(keys_of(event)), tuple(files_of(event)), words_of(event))


def _read(lineage: Lineage, piece: Sequence[bytes]) -> list[_Read]:
    return [_read_one(lineage.store.commit(oid.hex())) for oid in piece]


def _read_one(commit: Commit) -> _Read:
    try:
        event = from_message(commit.message, is_proven=True)
    except InvalidError:  # whoever put it there, no figure is made of it; `verify` names it
        return _Read(commit.oid, commit.parents, None)
    return _Read(commit.oid, commit.parents, entry_of(event, commit))
