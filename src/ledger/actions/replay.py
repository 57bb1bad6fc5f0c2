"""Replay: fold again from a checkpoint to the head, and compare with what is stored, commit by commit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from ledger.actions.find import find_commit, main_tip
from ledger.actions.law import Law, ObjectStore
from ledger.actions.tip import event_id, event_of, own_tip, tip_at
from ledger.core.clock import micros
from ledger.core.ids import EventId
from ledger.core.state import Document, session_path
from ledger.errors import DamageError, NotFoundError
from ledger.storage.place import Place
from ledger.storage.store import Commit, Oid
from ledger.storage.tree import TreeReader

_CHECKPOINT = b"checkpoint.created"


class Divergence(NamedTuple):
    """The first commit whose stored tree is not what its events fold into, and the files that differ."""

    commit: Oid
    event: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What was folded, and whether it is what is stored.

    `checkpoint` is the event id that the replay started from, None from the first event on; `start` and
    `end` the commits; `state_tree` the tree that was folded, `expected_tree` the one stored at `end`;
    `state` the folded documents by path, if asked for.
    """

    ok: bool
    session: str | None
    checkpoint: str | None
    start: Oid | None
    end: Oid
    events_replayed: int
    state_tree: Oid | None
    expected_tree: Oid
    first_divergence: Divergence | None
    state: dict[str, Document] | None
    seconds: float

    def document(self) -> dict[str, object]:
        """The replay as the plain values that a program reads, by their public names."""
        found = self.first_divergence
        return {
            "ok": self.ok,
            "session": self.session,
            "checkpoint": self.checkpoint,
            "from": self.start,
            "to": self.end,
            "events_replayed": self.events_replayed,
            "state_tree": self.state_tree,
            "expected_tree": self.expected_tree,
            "first_divergence": None if found is None else {**found._asdict(), "paths": list(found.paths)},
            "state": self.state,
            "seconds": self.seconds,
        }


def replay(
    place: Place,
    session: str | None = None,
    *,
    to: str | None = None,
    from_: str | None = None,
    state: bool = False,
) -> Replay:
    """Fold from the session's last good checkpoint (else its start, else the first event) to the head.

    The head is the session's own line if it has one, else main, or the REV `to`; `from_` names another start.
    Without a session everything is folded, from the first event. The tree at the start is taken as stored;
    `verify` is what proves it. Raises NotFoundError for a REV or session that is not there, DamageError where
    a commit in between cannot be read.
    """
    started = time.perf_counter()
    store = place.store
    end = store.commit(_end(place, session, to))
    checkpoint, start = _start(place, session, from_, end)
    line = list(store.walk([end.oid], [] if start is None else [start.oid], order="oldest"))
    law = Law(cast("ObjectStore", store))
    folded, divergence = _fold_along(law, line, start)
    tree = folded.get(end.oid, end.tree)
    return Replay(
        ok=divergence is None and tree == end.tree,
        session=session,
        checkpoint=checkpoint,
        start=None if start is None else start.oid,
        end=end.oid,
        events_replayed=len(line),
        state_tree=tree,
        expected_tree=end.tree,
        first_divergence=divergence,
        state=dict(law.documents(tree, "")) if state and tree is not None else None,
        seconds=time.perf_counter() - started,
    )


def _fold_along(
    law: Law, line: Sequence[Commit], start: Commit | None
) -> tuple[dict[Oid, Oid | None], Divergence | None]:
    """The tree that each commit should have, each folded from those before it and not from what is stored."""
    folded: dict[Oid, Oid | None] = {} if start is None else {start.oid: start.tree}
    first: Divergence | None = None

    def tree_of(oid: Oid) -> Oid:
        tree = folded.get(oid)
        return law.store.commit(oid).tree if tree is None else tree

    for commit in line:
        event = event_of(commit)
        if not commit.parents and event.type == "epoch.started":
            folded[commit.oid] = commit.tree
            continue
        parents = [tip_at(law.store, parent)._replace(tree=tree_of(parent)) for parent in commit.parents]
        folded[commit.oid], _ = law.tree_after(event, parents, tree_of)
        if first is None and folded[commit.oid] != commit.tree:
            paths = law.differing(folded[commit.oid], commit.tree)
            first = Divergence(commit.oid, event.id, tuple(paths))
    return folded, first


def _end(place: Place, session: str | None, to: str | None) -> Oid:
    if to is not None:
        return find_commit(place, to)
    own = None if session is None else own_tip(place.store, session)
    return own or main_tip(place)


def _start(place: Place, session: str | None, from_: str | None, end: Commit) -> tuple[str | None, Commit | None]:
    if from_ is not None:
        start = place.store.commit(find_commit(place, from_))
        if not place.store.is_ancestor(start.oid, end.oid):
            raise NotFoundError(f"{from_!r} does not come before the end of the replay")
        return str(event_id(start)), start
    if session is None:
        return None, None
    roster = TreeReader(place.store, end.tree).get(session_path(session))
    good = None if roster is None or "checkpoint" not in roster else _last_good(place, end, session, roster)
    return _first_of(place, session, end) if good is None else (str(event_id(good)), good)


def _last_good(place: Place, end: Commit, session: str, roster: Document) -> Commit | None:
    """The session's last checkpoint that pins what is there; None where none of them does."""
    wanted, since = EventId(roster["checkpoint"]), micros(roster["started"]) // 1_000_000
    found = False
    for commit in place.store.walk([end.oid], order="newest"):
        if commit.author.email == session and commit.message.startswith(_CHECKPOINT):
            found = True
            if _is_good(place, commit):
                return commit
        # Ids grow along every line, and a commit's time is its id's: what is older need not be looked at.
        if commit.committer.time < (since - 1 if found else wanted.millis // 1000):
            break
    if not found:
        raise DamageError(
            f"the checkpoint {wanted} is on the roster, but not in the history", hint="run: ledger verify"
        )
    return None


def _is_good(place: Place, commit: Commit) -> bool:
    """Whether a checkpoint pins the state that it was written on, and its own can be read."""
    try:
        pinned = event_of(commit).data["tree"]
        trees = {commit.tree, *(place.store.commit(parent).tree for parent in commit.parents)}
        place.store.tree_entries(commit.tree, "")
    except (DamageError, NotFoundError):
        return False
    return pinned in trees


def _first_of(place: Place, session: str, end: Commit) -> tuple[str | None, Commit | None]:
    roster = TreeReader(place.store, end.tree).get(session_path(session)) or {}
    since = micros(roster["started"]) // 1_000_000 if "started" in roster else 0
    first = None
    for commit in place.store.walk([end.oid], order="newest"):
        # A start is written when it happened or later, never before: what is older holds nothing of the session.
        if first is not None and commit.committer.time < since - 1:
            break
        if commit.author.email == session:
            first = commit
    if first is None:
        raise NotFoundError(
            f"no event of session {session} leads to {end.oid}", hint="`ledger log` names the session of each event"
        )
    parents = first.parents
    return None, (place.store.commit(parents[0]) if len(parents) == 1 else None)
