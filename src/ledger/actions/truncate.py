"""Truncate: let go of old events. What they came to stays, as the state that a new epoch begins with.

The cut is an id: all events up to it go, all later ones are committed again. As the fold goes by ids, the state after
it is what it was before, whatever lines the events came by.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.actions.epoch import Beginning, Dated, Root, dated, root_of, start_epoch
from ledger.actions.find import find_commit, main_tip
from ledger.actions.join import epoch_state
from ledger.actions.tip import Author, event_of
from ledger.core.fold import fold, version_of
from ledger.errors import UsageError
from ledger.storage.bundle import require_sound_bundle, write_bundle
from ledger.storage.files import make_folder, refusals, sync_folder
from ledger.storage.layout import Layout
from ledger.storage.maintenance import figures
from ledger.storage.place import Place
from ledger.storage.store import Oid
from ledger.storage.switches import ALL, require_on
from ledger.storage.tree import TreeReader, encode


@dataclass(frozen=True, slots=True)
class Cut:
    """What a truncation lets go of: all events up to the one with the id `through`, and how many stay."""

    through: str
    time: str
    events: int
    kept: int


@dataclass(frozen=True, slots=True)
class Truncated:
    """A truncation that was done: the cut, the new epoch's number and root, where the old history lies now.

    `before` and `after` are the sizes of `ledger.git` in bytes.
    """

    cut: Cut
    epoch: int
    root: Oid
    bundle: Path | None
    before: int
    after: int
    seconds: float


def plan_cut(place: Place, rev: str) -> Cut:
    """What truncating at a REV would let go of: that event, and all that come before it in the order of the fold.

    Raises UsageError where nothing comes before, and as `find_commit` does.
    """
    main = main_tip(place)
    root = root_of(place.store, main)
    upto = place.store.commit(find_commit(place, rev))
    through = event_of(upto)
    going, staying = _split(dated(place.store, [main]), through.id)
    cut = [event for event in going if event.oid != root.oid]
    if not cut:
        raise UsageError(f"nothing comes before {rev!r} that could be cut", hint="`ledger log` shows what there is")
    return Cut(str(through.id), through.time, len(cut), len(staying))


def truncate(place: Place, author: Author, rev: str, *, because: str = "", bundled: bool = True) -> Truncated:
    """Begin a new epoch behind a REV; the old history goes into a bundle in `archive/`, unless not `bundled`.

    Nobody can write meanwhile. Raises RefusedError where writing is off, BusyError, StorageError, and as `plan_cut`
    does, with nothing changed.
    """
    began = time.perf_counter()
    layout = place.layout
    if layout is None:
        raise UsageError("a ledger in memory has one epoch alone")
    require_on(layout, ALL)
    cut = plan_cut(place, rev)
    before = figures(layout.git_dir).bytes
    bundle: list[Path] = []

    def begin(root: Root) -> Beginning:
        if bundled:
            bundle.append(archive(layout, root.number))
        return _beginning(place, root, cut.through, because)

    root = start_epoch(place, author, begin)
    after = figures(layout.git_dir).bytes
    seconds = time.perf_counter() - began
    return Truncated(cut, root.number, root.oid, bundle[0] if bundle else None, before, after, seconds)


def archive(layout: Layout, number: int) -> Path:
    """Keep all that the present epoch holds in a bundle, which `git clone` and `ledger restore` read; its path."""
    file = layout.archive / f"epoch-{number}.bundle"
    draft = layout.archive / ".draft"
    with refusals(file):
        make_folder(layout.archive)
        shutil.rmtree(draft, ignore_errors=True)  # of one who was killed; git's lock beside it would stay for ever
        make_folder(draft)
        write_bundle(layout.git_dir, draft / file.name)
        require_sound_bundle(layout.git_dir, draft / file.name)
        (draft / file.name).replace(file)
        shutil.rmtree(draft)
        sync_folder(layout.archive)
    return file


def _beginning(place: Place, root: Root, through: str, because: str) -> Beginning:
    """Once more, now that nobody writes: what came meanwhile stays."""
    main = main_tip(place)
    going, staying = _split(dated(place.store, [main]), through)
    cut = [event for event in going if event.oid != root.oid]
    told: dict[str, object] = {
        "through": through,
        "cut": {"events": len(cut), "digest": _digest(place, cut)},
        **({"because": because} if because else {}),
        **({"forgotten": sorted(root.forgotten)} if root.forgotten else {}),
    }
    return Beginning(_state_after(place, main, going), staying, told, going[-1].oid)


def _split(events: Sequence[Dated], through: str) -> tuple[list[Dated], list[Dated]]:
    going = [event for event in events if event.id <= through]
    return going, list(events[len(going) :])


def _state_after(place: Place, main: Oid, going: Sequence[Dated]) -> Oid:
    """The tree of the state that these events fold into: the last one's own, unless others came by another line."""
    store = place.store
    last = store.commit(going[-1].oid)
    if len(dated(store, [last.oid])) == len(going):
        return last.tree
    reader = TreeReader(store, store.commit(main).tree)
    events = (event_of(store.commit(event.oid)) for event in going)
    state = fold(events, epoch_state(store, main), version_of(reader)[0])
    return store.edit_tree(None, encode(dict(state.documents)))


def _digest(place: Place, events: Iterable[Dated]) -> str:
    """The SHA-256 over the bodies of events, in the order of the fold."""
    whole = hashlib.sha256()
    for event in events:
        whole.update(place.store.commit(event.oid).message.partition(b"\n\n")[2])
    return whole.hexdigest()
