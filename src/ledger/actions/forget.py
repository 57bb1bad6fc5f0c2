"""Forget: content out of the whole ledger, by a new epoch without it.

All events of the present epoch are committed again without what is to be forgotten, attachments are written anew, and
what nothing reaches then is dropped from the disk. What lies beside the repositories (refused payloads, quarantine,
logs, bundles of earlier epochs) goes before anything is decided, so that a second run finishes what was cut short.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.actions.beside import cleaned, file_holds, files_beside, holds, remove
from ledger.actions.epoch import Beginning, Root, dated, root_of, start_epoch
from ledger.actions.find import find_commit, main_tip, tips
from ledger.actions.tip import Author, event_of
from ledger.core import canonical
from ledger.core.event import Event
from ledger.core.forgetting import MARK, Forgetting
from ledger.core.ids import EventId, is_prefix
from ledger.core.key import key_problems
from ledger.errors import BusyError, InvalidError, NotFoundError, Problem, UsageError
from ledger.storage import spool
from ledger.storage.checkpoints import Checkpoints
from ledger.storage.event_index import discard
from ledger.storage.layout import Layout
from ledger.storage.payloads import attachment_of
from ledger.storage.place import Place
from ledger.storage.program import run_git
from ledger.storage.store import Oid
from ledger.storage.switches import ALL, require_on
from ledger.storage.tree import TreeReader
from ledger.storage.turning import Move

AT_MOST = 1_000  # events in one go: the root names each, and an event has room for 64 KiB


@dataclass(frozen=True, slots=True)
class Planned:
    """What forgetting would change: events, attachments, captured working trees, files beside the repositories."""

    events: tuple[Event, ...]
    attachments: tuple[Oid, ...]
    captures: tuple[Oid, ...]
    files: tuple[Path, ...]
    remotes: tuple[str, ...]
    outside: tuple[Path, ...]

    @property
    def by_type(self) -> dict[str, int]:
        """How many events of each type."""
        return dict(sorted(Counter(event.type for event in self.events).items()))


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten, in which epoch, from which root on."""

    planned: Planned
    epoch: int
    root: Oid
    seconds: float


def wanted(
    place: Place, because: str, targets: Sequence[str] = (), texts: Sequence[str] = (), patterns: Sequence[str] = ()
) -> Forgetting:
    """What the words of a user mean: each target a key, or an event by its id or the start of it.

    Raises InvalidError with all that is wrong, NotFoundError, AmbiguousError.
    """
    broken: list[Problem] = []
    if not (targets or texts or patterns):
        raise UsageError("nothing is named that should be forgotten", hint="ledger forget EVENT|KEY, or --text TEXT")
    if not because.strip():
        broken.append(Problem("because", "is empty: say why, for those who find a mark instead"))
    found = list(_compiled(texts, patterns, broken))
    broken += [Problem("because", "holds what is to be forgotten") for one in found if one.search(because)]
    if broken:
        raise InvalidError("this cannot be forgotten:", broken)
    ids, keys = set[str](), set[str]()
    for target in targets:
        event = _event(place, target)
        keys.update(() if event else {_key(target)})
        ids.update({event} if event else ())
    return Forgetting(because, frozenset(ids), frozenset(keys), tuple(found))


def plan_forgetting(place: Place, what: Forgetting, backups: Path | None = None) -> Planned:
    """What forgetting would change, without changing anything; `backups` is a folder of backups that go too.

    Raises NotFoundError where nothing holds it, UsageError where too many events do.
    """
    layout = _layout_of(place)
    events = tuple(_holding(place, what))
    attachments = tuple(sorted({*_released(place, events, what), *(oid for oid, _ in _blobs(place, what))}))
    captures = tuple(sorted(_captures(place, what, attachments)))
    files = tuple(files_beside(layout, what, backups))
    if not (events or attachments or captures or files or _state_holds(place, what)):
        raise NotFoundError(
            "nothing in this ledger holds that", hint="`ledger log` and `ledger keys` show what there is"
        )
    if len(events) > AT_MOST:
        raise UsageError(
            f"{len(events):,} events hold that; at most {AT_MOST:,} are forgotten in one go",
            hint="name less at once; or let all that is old go: ledger gc --truncate REV",
        )
    return Planned(events, attachments, captures, files, tuple(_remotes(layout)), tuple(_outside(layout, what)))


def forget(place: Place, author: Author, what: Forgetting, backups: Path | None = None) -> Forgotten:
    """Begin an epoch without that content, and drop all that held it.

    Raises RefusedError for an event that would be none without it or while writing is off, BusyError where a writer
    does not come to an end or payloads that hold it are not recorded yet, and as `plan_forgetting` does; then nothing
    has changed.
    """
    began = time.perf_counter()
    layout = _layout_of(place)
    require_on(layout, ALL)
    _refuse_waiting(layout, what)
    planned = plan_forgetting(place, what, backups)
    what = replace(what, attachments=_rewritten_attachments(place, what))

    def begin(root: Root) -> Beginning:
        remove(planned.files, what)
        return _beginning(place, root, what)

    root = start_epoch(place, author, begin, what.event, lambda: _payload_moves(place, what, planned))
    discard(layout)
    for path in layout.index.glob("worktree-*"):  # they name files, and are made anew
        path.unlink(missing_ok=True)
    return Forgotten(planned, root.number, root.oid, time.perf_counter() - began)


def _compiled(texts: Sequence[str], patterns: Sequence[str], broken: list[Problem]) -> Iterator[re.Pattern[str]]:
    for number, text in enumerate(texts):
        if len(text) < 3:
            broken.append(Problem(f"text.{number}", "has fewer than 3 characters: it would be found everywhere"))
        else:
            yield re.compile(re.escape(text))
    for number, pattern in enumerate(patterns):
        try:
            found = re.compile(pattern)
        except re.error as error:
            broken.append(Problem(f"pattern.{number}", f"is no regular expression: {error}"))
            continue
        if found.search("") or found.search(MARK):
            broken.append(Problem(f"pattern.{number}", "fits the empty text, or the mark that stands for what is gone"))
        else:
            yield found


def _event(place: Place, target: str) -> str | None:
    """The id of the event that a target names; None where it can only be a key."""
    if not is_prefix(target) or len(target) < 8:
        return None
    try:
        return event_of(place.store.commit(find_commit(place, target))).id
    except NotFoundError:
        return str(EventId(target)) if EventId.form.fullmatch(target) else None


def _key(target: str) -> str:
    broken = key_problems(target)
    if broken:
        raise InvalidError(f"{target!r} is neither an event nor a key:", broken)
    return target


def _holding(place: Place, what: Forgetting) -> Iterator[Event]:
    root = root_of(place.store, main_tip(place))
    for one in dated(place.store, tips(place)):
        event = event_of(place.store.commit(one.oid))
        if one.oid != root.oid and what.event(event) is not event:
            yield event


def _beginning(place: Place, root: Root, what: Forgetting) -> Beginning:
    kept = [event for event in dated(place.store, [main_tip(place)]) if event.oid != root.oid]
    forgotten = {event.id for event in _holding(place, what)} | what.ids
    told: dict[str, object] = {
        "because": what.because,
        "forgotten": sorted(forgotten | root.forgotten)[:AT_MOST],
        **{name: root.data[name] for name in ("through", "cut") if name in root.data},
    }
    return Beginning(_clean_state(place, root, what), kept, told, root.oid)


def _clean_state(place: Place, root: Root, what: Forgetting) -> Oid:
    """The state that the present epoch began with, without it."""
    tree = place.store.commit(root.oid).tree
    changes: dict[str, bytes | None] = {}
    for path, document in TreeReader(place.store, tree).under(""):
        left = what.document(path, document)
        if left != (path, document):
            changes[path] = None
            if left is not None:
                changes[left[0]] = canonical.dumps(left[1]).encode()
    return place.store.edit_tree(tree, changes) if changes else tree


def _state_holds(place: Place, what: Forgetting) -> bool:
    root = root_of(place.store, main_tip(place))
    return _clean_state(place, root, what) != place.store.commit(root.oid).tree


def _released(place: Place, events: Sequence[Event], what: Forgetting) -> set[Oid]:
    """The attachments that no event names any more, once these are forgotten."""
    gone = {event.id: event.data["attachment"]["id"] for event in events if "attachment" in event.data}
    gone = {event.id: gone[event.id] for event in events if event.id in gone and what.event(event).type != event.type}
    if not gone:
        return set()
    others = (event_of(place.store.commit(one.oid)) for one in dated(place.store, tips(place)) if one.id not in gone)
    return set(gone.values()) - {event.data["attachment"]["id"] for event in others if "attachment" in event.data}


def _blobs(place: Place, what: Forgetting) -> Iterator[tuple[Oid, bytes]]:
    """Every attachment that holds one of the texts, with its bytes."""
    if not what.texts or place.payloads is None:
        return
    for oid in _every_blob(place.payloads.store.path):
        data = place.payloads.store.read_object("blob", oid)
        if holds(data, what):
            yield oid, data


def _every_blob(git_dir: Path) -> list[Oid]:
    ran = run_git(git_dir, ["cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)"])
    return [line[5:] for line in ran.out.decode("ascii").splitlines() if line.startswith("blob ")]


def _rewritten_attachments(place: Place, what: Forgetting) -> dict[str, dict[str, object]]:
    """What stands in the place of each attachment that holds one of the texts."""
    return {oid: attachment_of(cleaned(data, what))._asdict() for oid, data in _blobs(place, what)}


def _captures(place: Place, what: Forgetting, blobs: Collection[Oid]) -> set[Oid]:
    """The captured working trees that hold it: one that is changed would be no proof, so they go as they are."""
    if place.payloads is None or not (what.texts or blobs):
        return set()
    return Checkpoints(place.payloads.store, _layout_of(place)).holding(blobs, lambda name: holds(name, what))


def _payload_moves(place: Place, what: Forgetting, planned: Planned) -> list[Move]:
    payloads = place.payloads
    if payloads is None:
        return []
    changes: dict[Oid, bytes | None] = dict.fromkeys(planned.attachments)
    changes |= {oid: cleaned(payloads.store.read_object("blob", oid), what) for oid in what.attachments}
    attachments = payloads.rewritten(changes) if changes else []
    captures = Checkpoints(payloads.store, _layout_of(place)).without(planned.captures)
    return [Move(*move) for move in [*attachments, *captures]]


def _remotes(layout: Layout) -> list[str]:
    ran = run_git(layout.git_dir, ["remote"])
    return ran.out.decode("utf-8", "replace").split()


def _outside(layout: Layout, what: Forgetting) -> Iterator[Path]:
    """Files of the user's own in the ledger's folder: they are named, not touched."""
    for path in (layout.config, layout.installed):
        if what.texts and path.exists() and file_holds(path, what):
            yield path


def _refuse_waiting(layout: Layout, what: Forgetting) -> None:
    if what.texts and any(file_holds(one.path, what) for one in spool.waiting(layout)):
        raise BusyError(
            "captured payloads that hold it are not recorded yet", hint="`ledger status` says why; then again"
        )


def _layout_of(place: Place) -> Layout:
    if place.layout is None:
        raise UsageError("a ledger in memory ends with its process: there is nothing to forget")
    return place.layout
