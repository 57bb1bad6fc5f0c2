"""Verify: hold every commit to the law, and the refs to what was seen of them before."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from ledger.actions.epoch import takes_place_of
from ledger.actions.examine import Problem
from ledger.actions.find import find_commit, main_tip
from ledger.actions.join import epoch_state, events_of
from ledger.actions.law import ObjectStore
from ledger.actions.lineage import Lineage, sound_commit
from ledger.actions.objects import object_problems
from ledger.actions.sweep import Progress, damage, sweep
from ledger.core.fold import fold, version_of
from ledger.core.state import State, is_same
from ledger.errors import DamageError, NotFoundError, StorageError
from ledger.storage.codec import is_oid
from ledger.storage.files import files_below, write_file
from ledger.storage.layout import MAIN, is_ref_name
from ledger.storage.place import Place
from ledger.storage.refs import bad_refs
from ledger.storage.store import HEADS, Oid
from ledger.storage.tree import TreeReader

# Up to here a full run also folds all events of each tip at once, without a merge: about 0.1 ms an event.
NAIVE_UP_TO = 20_000


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: how many `commits` and `events` there are, how many commits were `checked` this time.

    `since` names the heads up to which an earlier run had found everything in order (none: all was checked);
    `witnesses` what was there to tell a history that was rewritten lawfully: "heads", or nothing.
    """

    ok: bool
    commits: int
    events: int
    checked: int
    problems: tuple[Problem, ...]
    seconds: float
    since: tuple[Oid, ...] = ()
    witnesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What an earlier run found in order: some heads, and how much they reach."""

    heads: tuple[Oid, ...] = ()
    commits: int = 0
    events: int = 0


def verify(place: Place, *, full: bool = False, since: str | None = None, progress: Progress | None = None) -> Report:
    """Recompute what every commit must hold from its verified parents and its event; the history is not touched.

    Not `full`: only what came after the heads that the last run found in order (or after the REV `since`).
    `progress` is told how many commits of how many are done. Damage is never raised: it is in the report.
    Raises NotALedgerError where no first event was written.
    """
    started = time.perf_counter()
    known = _known(place, full, since)
    problems = [*_ref_problems(place), *_rewritten(place, known)]
    heads = _tips(place)
    if not heads and not problems:
        main_tip(place)  # there is nothing to prove: no first event was ever written
    lineage = Lineage(_objects(place))
    known, order = _ordered(lineage, heads, known)
    ids = _Ids(order, lineage)
    problems += _commit_problems(lineage, order, ids, progress)
    problems += object_problems(place.layout) if full and place.layout is not None else ()
    if full and not problems and len(order) <= NAIVE_UP_TO:
        problems += _naive_problems(place, heads)
    commits, events = known.commits + len(order), known.events + len(ids)
    witnesses = ("heads",) if place.heads is not None and place.heads.all() else ()
    if not problems and since is None:
        _remember(place, _Known(tuple(heads), commits, events))
    return Report(
        ok=not problems,
        commits=commits,
        events=events,
        checked=len(order),
        problems=tuple(problems),
        seconds=time.perf_counter() - started,
        since=known.heads,
        witnesses=witnesses,
    )


def _objects(place: Place) -> ObjectStore:
    store = place.store
    if not hasattr(store, "read_object"):
        raise TypeError(f"{type(store).__name__} cannot be verified: it gives no objects by their ids")
    return cast("ObjectStore", store)


def _ordered(lineage: Lineage, heads: Sequence[Oid], known: _Known) -> tuple[_Known, list[bytes]]:
    if known.heads:
        try:
            return known, lineage.order_since(heads, known.heads)
        except (DamageError, NotFoundError):
            # Then everything is looked at, and the damage is named where it is.
            return _Known(), lineage.order(heads)
    return known, lineage.order(heads)


def _commit_problems(
    lineage: Lineage, order: Sequence[bytes], ids: _Ids, progress: Progress | None
) -> Iterator[Problem]:
    yield from (damage(oid, error) for oid, error in lineage.damaged.items())
    for swept in sweep(lineage, order, progress):
        yield from swept.problems
        for digest in swept.ids:
            yield from ids.add(digest)


class _Ids:
    """The event ids met so far, each with the number of the commit that carries it."""

    def __init__(self, order: Sequence[bytes], lineage: Lineage) -> None:
        self._order, self._lineage = order, lineage
        self._met: dict[bytes, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._met)

    def add(self, digest: bytes | None) -> Iterator[Problem]:
        """Note the next commit's event; one may be carried twice, but one id never has two bodies."""
        number, self._next = self._next, self._next + 1
        first = number if digest is None else self._met.setdefault(digest, number)
        if first != number and self._body(first) != self._body(number):
            earlier, oid = self._order[first].hex(), self._order[number].hex()
            yield Problem(
                "id-reused", oid, None, f"commit {earlier} carries an event with the same id and another body"
            )

    def _body(self, number: int) -> bytes:
        raw = sound_commit(self._lineage.store, self._order[number].hex())
        return raw.partition(b"\n\n")[2].partition(b"\n\n")[2]


def _ref_problems(place: Place) -> Iterator[Problem]:
    if place.layout is None:
        return
    for path, reason in bad_refs(place.layout.git_dir):
        yield Problem("bad-ref", None, str(path.relative_to(place.layout.git_dir)), reason)


def _tips(place: Place) -> list[Oid]:
    """Every tip that can be read; main first."""
    found = {name: oid for name in _ref_names(place) if (oid := _read_ref(place, name)) is not None}
    first = [found[MAIN]] if MAIN in found else []
    return list(dict.fromkeys([*first, *found.values()]))


def _ref_names(place: Place) -> Iterable[str]:
    try:
        return place.store.refs()
    except DamageError:
        if place.layout is None:
            raise
    # One ref that cannot be read must not hide the others.
    git_dir = place.layout.git_dir
    files = [str(path.relative_to(git_dir)) for path in files_below(git_dir / HEADS)]
    remembered = place.heads.all() if place.heads is not None else {}
    return sorted(name for name in {*files, *remembered} if is_ref_name(name))


def _read_ref(place: Place, name: str) -> Oid | None:
    try:
        return place.store.ref(name)
    except DamageError:
        return None


def _rewritten(place: Place, known: _Known) -> Iterator[Problem]:
    """The heads that were seen before, and that what is there now no longer reaches."""
    if place.heads is not None and not place.heads.is_intact():
        yield Problem("heads-damaged", None, "heads", "the file of remembered heads is not as it was written")
    # Before the refs: one that a writer moves in between goes on from there. The other way round it would seem to be
    # behind what was remembered of it, and a history that somebody writes to would be called a rewritten one.
    remembered = place.heads.all() if place.heads is not None else {}
    main, tips = _read_ref(place, MAIN), _tips(place)
    for ref, oid in remembered.items():
        here = [main] if ref == MAIN and main is not None else [] if ref == MAIN else tips
        if not _reaches(place, here, oid) and not _is_superseded(place, main, oid):
            now = f"is now at {main}" if ref == MAIN and main is not None else "is gone"
            yield Problem(
                "history-rewritten", oid, ref, f"{ref} was seen at {oid}; it {now}, which does not come after it"
            )
    for oid in known.heads:
        is_known = oid in remembered.values() or _reaches(place, tips, oid) or _is_superseded(place, main, oid)
        if not is_known:
            yield Problem("history-rewritten", oid, None, f"{oid} was verified earlier; no ref reaches it now")


def _reaches(place: Place, tips: Sequence[Oid], oid: Oid) -> bool:
    for tip in tips:
        try:
            if tip == oid or place.store.is_ancestor(oid, tip):
                return True
        except (DamageError, NotFoundError):
            continue  # named as damage where the history is walked
    return False


def _is_superseded(place: Place, main: Oid | None, oid: Oid) -> bool:
    """Whether main is in a later epoch that names it: the only way in which a ref may leave its line."""
    try:
        return main is not None and takes_place_of(place.store, main, oid)
    except (DamageError, NotFoundError):
        return False  # named as damage where the history is walked


def _naive_problems(place: Place, heads: Sequence[Oid]) -> Iterator[Problem]:
    """The law at its word, without parents, merges or increments: fold every event that a tip can reach."""
    for oid in heads:
        reader = TreeReader(place.store, place.store.commit(oid).tree)
        events = events_of(place.store.walk([oid], order="oldest"))
        start = epoch_state(place.store, oid)
        wanted = fold(events, start, version_of(reader)[0])
        stored = State(dict(reader.under("")))
        for path in sorted(wanted.documents.keys() | stored.documents.keys()):
            if not is_same(wanted.get(path), stored.get(path)):
                yield Problem("tree", oid, path, "is not what all events together fold into")


def _known(place: Place, full: bool, since: str | None) -> _Known:
    if since is not None:
        return _Known((find_commit(place, since),))
    if full or place.layout is None:
        return _Known()
    try:
        kept = json.loads((place.layout.index / "verified").read_bytes())
        heads = tuple(oid for oid in kept["heads"] if is_oid(oid))
        return _Known(heads, int(kept["commits"]), int(kept["events"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _Known()  # a projection: where it cannot be read, everything is verified again


def _remember(place: Place, known: _Known) -> None:
    if place.layout is None or not known.heads:
        return
    kept = {"heads": known.heads, "commits": known.commits, "events": known.events}
    # Where the disk is full or read-only the next run has more to do, and the answer is the same.
    with suppress(OSError, StorageError):
        write_file(place.layout.index / "verified", json.dumps(kept).encode(), durable=False)
        main = place.store.ref(MAIN)
        if place.heads is not None and main is not None and not place.heads.all():
            place.heads.remember(MAIN, main)
