"""Health: what is wrong with a ledger, in words, as far as can be seen in a moment; `verify` looks at everything."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ledger.actions.exchanging import has_remote
from ledger.actions.presence import Present
from ledger.actions.read import reader_at
from ledger.actions.soundness import is_rewritten
from ledger.actions.tip import event_id, newest_id
from ledger.core import fold
from ledger.core.breaker import OPENS_AFTER
from ledger.core.clock import refuse_jump
from ledger.errors import LedgerError
from ledger.storage.exchanged import exchanged
from ledger.storage.files import storage_error
from ledger.storage.layout import MAIN, SESSIONS, Layout, session_of
from ledger.storage.place import Place
from ledger.storage.pressure import LOW, require_room, room
from ledger.storage.remotes import list_remotes
from ledger.storage.spool import REASON, waiting
from ledger.storage.switches import ALL, HOOKS, NAMES, STOPPED, SYNC, switches

_NAMED = 5
_CROWDED = 0.8


class Spool(NamedTuple):
    """How many captured payloads wait to be recorded, and how many could not be."""

    waiting: int
    rejected: int


def spool(place: Place) -> Spool:
    """What lies in the spool."""
    if place.layout is None:
        return Spool(0, 0)
    here = _count(place.layout.spool / "new")
    return Spool(here + len(_elsewhere(place.layout)), _count(place.layout.spool / "rejected"))


def health(place: Place, present: Sequence[Present]) -> list[str]:
    """Everything that is wrong, each with what to do; empty for a ledger in good health."""
    return [
        *_switched_off(place, NAMES),
        *_unwritable(place),
        *_pressed(place),
        *_rewritten(place),
        *_lines(place),
        *_left_behind(place),
        *_crowded(place),
        *_unreached(place),
        *_sessions(present),
    ]


def hindrances(place: Place) -> list[str]:
    """Why nothing can be written to main at this moment; empty where it can."""
    return [*_switched_off(place, (SYNC, ALL)), *_unwritable(place)]


def _switched_off(place: Place, names: Sequence[str]) -> Iterator[str]:
    for one in () if place.layout is None else switches(place.layout):
        if one.name in names:
            way_back = "ledger unpause" if one.name == HOOKS else f"ledger on {one.name}"
            yield f"{STOPPED[one.name]} is {one.words()}; turn it on again: {way_back}"


def _unwritable(place: Place) -> Iterator[str]:
    for refuse in (_refuse_newer, _refuse_jump, _refuse_disk):
        try:
            refuse(place)
        except LedgerError as error:
            yield _in_words(error)


def _refuse_newer(place: Place) -> None:
    fold.refuse_newer(reader_at(place))


def _refuse_jump(place: Place) -> None:
    tip = place.store.ref(MAIN)
    if tip is not None and not place.accepts_clock:
        refuse_jump(place.now() // 1000, newest_id(reader_at(place), event_id(place.store.commit(tip))))


def _refuse_disk(place: Place) -> None:
    fault = None if place.layout is None else refusal(place.layout)
    if fault is not None and place.layout is not None:
        raise storage_error(OSError(fault, os.strerror(fault)), place.layout.root)


def refusal(layout: Layout) -> int | None:
    """How the disk would refuse a write, as far as can be seen without one; None where it would not."""
    found = room(layout)
    if found.fault == errno.EROFS:
        return found.fault
    if not all(os.access(folder, os.W_OK | os.X_OK) for folder in (layout.root, layout.git_dir)):
        return errno.EACCES
    return found.fault


def _pressed(place: Place) -> Iterator[str]:
    if place.layout is None:
        return
    if room(place.layout).level == "low":
        yield LOW
    try:
        require_room(place.layout)
    except LedgerError as error:
        yield _in_words(error)


def _rewritten(place: Place) -> Iterator[str]:
    try:
        if place.heads is not None and is_rewritten(place.store, place.heads.last(MAIN)):
            yield "main is no longer on the line where it was last seen: `ledger verify` names what is missing"
    except LedgerError as error:
        yield _in_words(error)


def _lines(place: Place) -> Iterator[str]:
    for ref, tip in place.store.refs(SESSIONS).items():
        try:
            event_id(place.store.commit(tip))
        except LedgerError as error:
            yield f"the line of session {session_of(ref)} cannot be read: {error.message}; `ledger verify` says more"


def _elsewhere(layout: Layout) -> list[Path]:
    """The payloads that the ledger's own folder could not take."""
    return [one.path for one in waiting(layout) if not one.path.is_relative_to(layout.root)]


def _left_behind(place: Place) -> Iterator[str]:
    if place.layout is None:
        return
    for folder in sorted({path.parent for path in _elsewhere(place.layout)}):
        yield f"captured payloads wait in {folder}, as the ledger could not be written; `ledger doctor` says more"
    rejected, moved = spool(place).rejected, _count(place.layout.quarantine)
    if rejected:
        yield f"captured payloads that could not be recorded: {rejected}, in {place.layout.spool / 'rejected'}"
    if moved:
        yield f"damaged files that were moved aside: {moved}; `ledger verify` says whether anything is missing"


def _crowded(place: Place) -> Iterator[str]:
    """The working trees of checkpoints, where they take nearly all that they may."""
    if place.layout is None or not place.layout.checkpoints_size.exists():
        return
    from ledger.actions.working_tree import room  # with it comes what captures, which only few need

    taken, most = room(place, place.layout)
    if taken > most * _CROWDED:
        yield (
            f"the working trees of checkpoints take {taken:,} bytes of {most:,}: once it is all, those of ended "
            "sessions are let go; `checkpoints.max_bytes` in config.toml gives them more"
        )


def _sessions(present: Sequence[Present]) -> Iterator[str]:
    crashed = [one for one in present if one.state == "crashed"]
    for one in crashed[:_NAMED]:
        name = one.id[:8]
        why = f": {one.why}" if one.why else ""
        yield f"session {name} ({one.agent}) crashed{why}; `ledger session resume {name}`, or `… end {name}`"
    if len(crashed) > _NAMED:
        yield f"{len(crashed) - _NAMED} more sessions crashed: `ledger sessions`"
    for one in present:
        if one.verdict in ("frozen", "unreadable"):
            yield f"session {one.id[:8]} ({one.agent}) is {one.verdict}: {one.why}"


def _unreached(place: Place) -> Iterator[str]:
    """Remotes that fail again and again: what is written here reaches nobody elsewhere."""
    if place.layout is None or not has_remote(place.layout):
        return
    for remote in list_remotes(place.layout.git_dir):
        state = exchanged(place.layout, remote.name)
        if state.breaker.failures >= OPENS_AFTER:
            words = state.error.removeprefix(f"{remote.name} ({remote.shown}) ")
            yield f"remote {remote.name} failed {state.breaker.failures} times: {words}; `ledger sync {remote.name}`"


def _in_words(error: LedgerError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _count(folder: Path) -> int:
    """The files in a folder, without those that say why another is there."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sum(1 for entry in entries if not entry.name.startswith(".") and not entry.name.endswith(REASON))
    return 0
