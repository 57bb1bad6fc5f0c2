"""Replicas that write, merge and adopt at random: a model of commits, small enough to be trusted.

A history is a list of steps, each a tuple of small numbers, so that Hypothesis can shrink it. A commit is its
parents, its event and its state; which commits reach which is a set of bits.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from tests.core.strategies import NOON, SESSIONS, TASKS

from ledger.core.clock import DAY, next_id, stamp
from ledger.core.entry import siblings
from ledger.core.event import Event, Prev
from ledger.core.events import find_kind
from ledger.core.fold import apply, fold
from ledger.core.ids import EventId
from ledger.core.merge import Base, Merge, merge
from ledger.core.policies import BUILT_IN, policy
from ledger.core.policies.policy import EMPTY, Cell, Op
from ledger.core.state import State, conflicts_path, context_path, read_unit, unit_paths
from ledger.errors import InvalidError

Data = dict[str, Any]
Step = tuple[int, int, int, int, int]

KEYS = ("k", "a/b")
VALUES: dict[str, tuple[Any, ...]] = {
    "lww": ("x", 1, 1.0, True, {"a": [1]}, ["x"]),
    "counter": (1, 5, -3, 2**63 - 1),
    "set": (["a"], ["b", 1], ["a", "b", True], []),
    "map": ({"f": 1}, {"g": 2, "f": 1.0}, {}, {"f": 3, "h": [1]}),
    "log": (["p"], ["q", "q"], []),
    "text": ("a\nb\nc\n", "a\nB\nc\n", "a\nb\nc\nd\n", "", "0\na\nb\nc\n"),
    "max": (3, 3.0, "m", -1, -0.0),
    "min": (3, 3.0, "m", -1, 0.0),
}


@dataclass(frozen=True)
class Commit:
    number: int
    parents: tuple[int, ...]
    event: Event
    state: State
    reach: int
    """The commits that this one reaches, itself among them, as bits."""


class Histories:
    """Some replicas of one ledger, from one root on."""

    def __init__(self, replicas: int, start: State | None = None) -> None:
        self.start = start or State()
        self.commits: list[Commit] = []
        self.skew = [(0, 0)] * replicas
        self.now = NOON
        self.leases: list[str] = []
        root = self._event("note.added", {"text": "root"}, SESSIONS[0], None, None, 0)
        self.heads = [self._commit((), root, State(self.start.documents))] * replicas

    # What one can ask

    def head(self, replica: int) -> Commit:
        return self.commits[self.heads[replica]]

    def events(self, reach: int) -> list[Event]:
        return [commit.event for commit in self._among(reach)]

    def refolded(self, commit: Commit) -> State:
        return fold(reversed(self.events(commit.reach)), self.start)

    # What a replica can do

    def step(self, step: Step) -> None:
        who, what, a, b, c = step
        replica = who % len(self.heads)
        self.now += 1 + a % 3
        if what < 60:
            self._merge_heads(replica, b % len(self.heads))
        elif what < 70:
            self._adopt(replica, b)
        elif what < 76:
            self.skew[replica] = ((a - 128) * DAY // 30, b % 4)
        else:
            self._write(replica, what, a, b, c)

    def exchange(self) -> None:
        """Let every replica see everything, around in a ring."""
        for _ in range(2):
            for replica in range(len(self.heads)):
                self._merge_heads((replica + 1) % len(self.heads), replica)

    def merged(self, ours: Commit, theirs: Commit) -> tuple[State, Merge]:
        """The state of a merge, as an honest caller makes it."""
        both = ours.reach | theirs.reach
        bases = [
            Base(self.commits[number].state, self.events(both & ~self.commits[number].reach))
            for number in self.bases(ours, theirs)
        ]
        found = merge(
            ours.state,
            self.events(ours.reach & ~theirs.reach),
            self.events(theirs.reach & ~ours.reach),
            bases,
            lambda: self.events(both),
            self.start,
        )
        return taken(ours.state, theirs.state, found), found

    # How it is done

    def _merge_heads(self, one: int, other: int) -> None:
        ours, theirs = self.head(one), self.head(other)
        if theirs.reach & ~ours.reach == 0:
            return
        if ours.reach & ~theirs.reach == 0:
            self.heads[one] = theirs.number
            return
        state, _ = self.merged(ours, theirs)
        data = {"ours": f"{ours.number:040x}", "theirs": f"{theirs.number:040x}"}
        after = max(self._greatest(ours), self._greatest(theirs))
        event = self._event("sync.merged", data, SESSIONS[one % 4], None, after, one)
        self.heads[one] = self._commit((ours.number, theirs.number), event, state)

    def _adopt(self, replica: int, choice: int) -> None:
        """Commit an event once more that another replica has committed already."""
        head = self.head(replica)
        known = {event.id for event in self.events(head.reach)}
        found = [c.event for c in self.commits if c.event.id > self._greatest(head) and c.event.id not in known]
        if found:
            self._append(replica, found[choice % len(found)])

    def _write(self, replica: int, what: int, a: int, b: int, c: int) -> None:
        head = self.head(replica)
        name, data = self._draft(head.state, replica, what, a, b)
        kind = find_kind(name)
        assert kind is not None
        prev = self._prev(head, data, str(self._session(replica, a)), c) if kind.changes_state else None
        event = self._event(name, data, self._session(replica, a), prev, self._greatest(head), replica)
        if name == "lease.acquired":
            self.leases.append(event.id)
        self._append(replica, event)

    def _draft(self, state: State, replica: int, what: int, a: int, b: int) -> tuple[str, Data]:
        key = KEYS[a % len(KEYS)]
        scope = {"scope": "session"} if b % 5 == 0 else {}
        if what < 170:
            return self._context(state, replica, key, scope, a, b)
        lease = self.leases[b % len(self.leases)] if self.leases else "01a20320-a205-7000-8000-000000000001"
        drafts: list[tuple[str, Data]] = [
            ("context.deleted", {"key": key, **scope}),
            ("conflict.resolved", {"key": key, "policy": _of(a, BUILT_IN), **_held(_of(a, BUILT_IN), b), **scope}),
            ("conflict.resolved", {"key": key, "deleted": True, **scope}),
            ("context.restored", {"entries": [{"key": k, **_held(p, b), "policy": p} for k, p in _restored(a)]}),
            ("decision.recorded", {"key": key, "decision": f"d{b}", **scope}),
            ("session.started", {"agent": "agent", "key": str(b % 4)}),
            ("session.started", {"agent": "agent", "key": str(b % 4), "title": f"t{b}"}),
            ("session.resumed", {"agent": "agent", "key": str(b % 4)}),
            ("session.ended", {"leases": sorted({lease, *self.leases[:2]})}),
            ("session.crashed", {"reason": "gone"}),
            ("session.recovered", {"events_replayed": 0, "lost": 0}),
            ("checkpoint.created", {"tree": f"{b:040x}"}),
            ("task.created", {"task": _of(a, TASKS), "title": f"t{b}"}),
            ("task.assigned", {"task": _of(a, TASKS), "role": f"r{b}"}),
            ("task.started", {"task": _of(a, TASKS)}),
            ("task.completed", {"task": _of(a, TASKS), "outcome": f"o{b}"}),
            ("task.failed", {"task": _of(a, TASKS)}),
            ("lease.acquired", {"on": ["src/**"], "mode": "shared", "ttl": 1 + b}),
            ("lease.renewed", {"lease": lease, "ttl": 1 + b}),
            ("lease.released", {"lease": lease}),
            ("lease.released", {"lease": lease, "because": "gone"}),
            ("task.assigned", {"task": _of(a, TASKS), "to": str(_of(b, SESSIONS))}),
            ("policy.set", {"pattern": f"{key}/**", "policy": _of(b, BUILT_IN)}),
            ("policy.set", {"pattern": key, "policy": None}),
            ("ledger.created", {"ledger": str(SESSIONS[0]), "format": 1, "fold": 1}),
            ("ledger.upgraded", {"format": 1, "fold": 1 + b % 2}),
            ("note.added", {"text": "n"}),
        ]
        return drafts[what % len(drafts)]

    def _context(self, state: State, replica: int, key: str, scope: Data, a: int, b: int) -> tuple[str, Data]:
        name = BUILT_IN[(a // 7) % len(BUILT_IN)]
        session = str(self._session(replica, a)) if scope else None
        document = state.get(context_path(key, session)) or {}
        cell = (
            Cell(document["value"], document.get("marks", {}))
            if document.get("policy") == name and "value" in document
            else EMPTY
        )
        op = _diff(name, cell, _of(b // 5, VALUES[name]))
        return op.type, {"key": key, "policy": name, **op.fields, **scope}

    def _prev(self, head: Commit, data: Data, session: str, choice: int) -> Prev:
        keys = [data["key"]] if "key" in data else [item["key"] for item in data.get("entries", ())]
        scope = session if data.get("scope") == "session" else None
        found: set[str] = set()
        for key in keys if choice < 200 else ():
            found.update(siblings(head.state.get(context_path(key, scope)), head.state.get(conflicts_path(key, scope))))
        if 170 <= choice < 200:  # a writer that looked a while ago, or saw one of several writes alone
            known = sorted(event.id for event in self.events(head.reach))
            found = {known[choice % len(known)], *sorted(found)[:1]}
        ids = sorted(found)
        return ids if len(ids) > 1 else ids[0] if ids else None

    def _append(self, replica: int, event: Event) -> None:
        head = self.head(replica)
        state = State(head.state.documents)
        state.update(apply(state, event))
        self.heads[replica] = self._commit((head.number,), event, state)

    def _commit(self, parents: tuple[int, ...], event: Event, state: State) -> int:
        number = len(self.commits)
        reach = 1 << number
        for parent in parents:
            reach |= self.commits[parent].reach
        if not parents:
            state.update(apply(state, event))
        self.commits.append(Commit(number, parents, event, state, reach))
        return number

    def _event(self, name: str, data: Data, session: str, prev: Prev, after: EventId | None, replica: int) -> Event:
        skew, drift = self.skew[replica]
        chance = int.from_bytes(hashlib.sha256(f"{len(self.commits)}".encode()).digest()[:8], "big")
        kind = find_kind(name)
        assert kind is not None
        now = self.now + skew + drift * (self.now - NOON)
        seen = [EventId(i) for i in ([prev] if isinstance(prev, str) else prev or [])]
        latest = max([*seen, *([after] if after else [])], default=None)
        return Event(
            id=str(next_id(now, latest, chance)),
            type=name,
            v=1,
            session=str(session),
            time=stamp(now * 1000),
            data=data,
            prev=prev,
            changes_state=kind.changes_state,
        )

    def _session(self, replica: int, a: int) -> str:
        return SESSIONS[replica % 4] if a % 6 else SESSIONS[a % 4]

    def _greatest(self, commit: Commit) -> EventId:
        return EventId(max(event.id for event in self.events(commit.reach)))

    def _among(self, reach: int) -> Iterator[Commit]:
        return (commit for commit in self.commits if reach >> commit.number & 1)

    def bases(self, ours: Commit, theirs: Commit) -> list[int]:
        """The numbers of the merge bases."""
        shared, best = ours.reach & theirs.reach, []
        while shared:
            number = shared.bit_length() - 1
            best.append(number)
            shared &= ~self.commits[number].reach
        return best


def taken(ours: State, theirs: State, found: Merge) -> State:
    """The state that a merge says: ours, with the units that it takes from theirs and the documents it writes."""
    state = State(ours.documents)
    for unit in found.take:
        state.update(dict.fromkeys(unit_paths(unit)))
        state.update(dict(read_unit(theirs, unit).documents))
    state.update(found.changes)
    return state


def _of(number: int, among: tuple[Any, ...]) -> Any:
    return among[number % len(among)]


def _held(name: str, b: int) -> Data:
    return {"deleted": True} if b % 7 == 0 else {"value": _of(b, VALUES[name])}


def _restored(a: int) -> list[tuple[str, str]]:
    return [(key, _of(a + n, BUILT_IN)) for n, key in enumerate(KEYS)][: 1 + a % 2]


def _diff(name: str, cell: Cell, value: Any) -> Op:
    try:
        op = policy(name).diff(cell, value)
    except InvalidError:  # a log that does not go on where it stands
        op = policy(name).diff(cell, [*cell.value, "more"])
    if name == "counter":
        op.fields["by"] = max(-(2**63), min(2**63 - 1, op.fields["by"]))
    return op


def _at_random(seed: int) -> list[Step]:
    chance = random.Random(seed)
    return [tuple(chance.randbytes(5)) for _ in range(chance.randint(10, 50))]  # type: ignore[misc]


# Hypothesis draws short lists and shrinks them well; the long ones, in which much meets, come from a seed.
_byte = st.integers(0, 255)
_short = st.lists(st.tuples(_byte, _byte, _byte, _byte, _byte), min_size=1, max_size=20)
steps = st.one_of(_short, *[st.integers(0, 2**64).map(_at_random)] * 3)
