"""Whatever befalls a ledger, in whatever order, it holds what a model of a few lines says that it holds.

Two clones of one ledger are written, killed, repacked, rolled back, truncated, brought together. The model knows of
each clone which writes it has, by the ids of their events; it knows nothing of folds, merges, files or git.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.actions.git import Git

from ledger.actions.append import Appended
from ledger.actions.bring import bring
from ledger.actions.epoch import dated, epoch_of
from ledger.actions.find import tips
from ledger.actions.forget import forget, wanted
from ledger.actions.recover import recover
from ledger.actions.rollback import plan_rollback, rollback_drafts
from ledger.actions.session import Session
from ledger.actions.tip import event_of
from ledger.actions.truncate import truncate
from ledger.actions.verify import verify
from ledger.api import Ledger, Sources, create_ledger, open_ledger, system_sources
from ledger.errors import RefusedError
from ledger.storage.layout import MAIN
from ledger.storage.maintenance import gc

DAY = 86_400_000_000  # microseconds
VALUES = {"value/a", "value/b", "value/c"}

values = st.sampled_from(sorted(VALUES))
clones = st.integers(0, 1)
numbers = st.integers(0, 50)


class Write(NamedTuple):
    """What one event does to one key; `kind` is set, delete, count or add."""

    id: str
    key: str
    kind: str
    number: int


State = dict[str, Any]


def fold(writes: Sequence[Write]) -> State:
    """What stands at the keys after these writes: the later id wins, counters add up, sets unite."""
    state: State = {}
    for _, key, kind, number in sorted(writes):
        if kind == "set":
            state[key] = number
        elif kind == "delete":
            state.pop(key, None)
        elif kind == "count":
            state[key] = state.get(key, 0) + number
        else:
            state[key] = state.get(key, frozenset()) | {number}
    return state


def do(me: Session, kind: str, key: str, number: int) -> Appended:
    """Make one write for real."""
    if kind == "set":
        return me.set(key, number)
    if kind == "delete":
        return me.delete(key)
    return me.increment(key, number) if kind == "count" else me.add(key, number, policy="set")


@dataclass
class Clone:
    """One clone: the ledger that is open, and what the model knows of it."""

    path: Path
    name: str
    ledger: Ledger
    writes: dict[tuple[str, str], Write] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    points: list[tuple[str, State]] = field(default_factory=list)
    skew: int = 0

    @property
    def me(self) -> Session:
        return self.ledger.session("agent", self.name)

    @property
    def expected(self) -> State:
        return fold(list(self.writes.values()))

    def found(self) -> State:
        standing = ((str(one.key), one.entry) for one in self.ledger.keys("") if not one.entry.deleted)
        return {k: frozenset(e.cell.value) if isinstance(e.cell.value, list) else e.cell.value for k, e in standing}

    def know(self, *writes: Write) -> None:
        self.writes |= {(one.id, one.key): one for one in writes}
        if writes:
            self.points.append((writes[-1].id, self.expected))

    def ids(self) -> Iterator[tuple[str, str]]:
        place = self.ledger.place
        for commit in place.store.walk(tips(place)):
            event = event_of(commit)
            yield event.id, event.type

    def main(self) -> str:
        return str(self.ledger.place.store.ref(MAIN))

    def epoch(self) -> int:
        return epoch_of(self.ledger.place.store, self.main())

    def lose(self, forgotten: set[tuple[str, str]]) -> None:
        self.writes = {which: write for which, write in self.writes.items() if which not in forgotten}

    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = opened(self)


def opened(clone: Clone) -> Ledger:
    told = system_sources()
    return open_ledger(clone.path, sources=Sources(lambda: told.now() + clone.skew, told.random62, "ann", clone.name))


class Machine(RuleBasedStateMachine):
    """The operations, and what must be so after each."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-machine-"))
        self.clones: list[Clone] = []
        self.cut = ""
        self.forgotten: set[tuple[str, str]] = set()

    @initialize()
    def begin(self) -> None:
        first = self.folder / "0"
        create_ledger(first)[0].close()
        shutil.copytree(first, self.folder / "1")
        for number in range(2):
            path = self.folder / str(number)
            self.clones.append(Clone(path, f"host{number}", open_ledger(path)))

    @rule(at=clones, key=values, number=numbers)
    def set(self, at: int, key: str, number: int) -> None:
        self._write(self.clones[at], "set", key, number)

    @rule(at=clones, key=values)
    def delete(self, at: int, key: str) -> None:
        if key in self.clones[at].expected:
            self._write(self.clones[at], "delete", key, 0)

    @rule(at=clones, number=st.integers(-5, 5).filter(bool))
    def count(self, at: int, number: int) -> None:
        self._write(self.clones[at], "count", "count", number)

    @rule(at=clones, number=numbers)
    def add(self, at: int, number: int) -> None:
        self._write(self.clones[at], "add", "tags", number)

    @rule(at=clones)
    def note(self, at: int) -> None:
        done = self.clones[at].me.note("a remark")
        self.clones[at].notes |= {event.id for event in done.events}

    @rule(at=clones, back=st.integers(0, 30))
    def roll_back(self, at: int, back: int) -> None:
        clone = self.clones[at]
        if back >= len(clone.points):
            return
        rev, then = clone.points[-1 - back]
        now, place = clone.expected, clone.ledger.place
        keys = sorted(VALUES & (now.keys() | then.keys()))
        planned = plan_rollback(place, rev, keys) if keys else []
        done = clone.me.write(rollback_drafts(place, rev, planned)) if planned else Appended()
        changed = [key for key in VALUES if now.get(key) != then.get(key)]
        assert bool(done.events) == bool(changed)
        for event in done.events:
            clone.know(*(Write(event.id, k, "set" if k in then else "delete", then.get(k, 0)) for k in changed))

    @rule(
        at=clones, writes=st.lists(numbers, min_size=1, max_size=12), acks=st.integers(0, 12), late=st.integers(0, 30)
    )
    def kill(self, at: int, writes: list[int], acks: int, late: int) -> None:
        """A process writes and is killed, `late` times 0.1 ms after so many acknowledgements."""
        clone = self.clones[at]
        told = _run_and_kill(clone, writes, min(acks, len(writes)), late / 10_000)
        clone.reopen()
        clone.know(*(Write(i, "value/a", "set", number) for i, number in zip(told, writes, strict=False)))
        # What it was killed over may be there, or not; nothing else may.
        known = {i for i, _ in clone.writes} | clone.notes
        more = [i for i, type_ in clone.ids() if type_ == "context.set" and i not in known]
        assert len(more) <= (1 if len(told) < len(writes) else 0), more
        clone.know(*(Write(i, "value/a", "set", writes[len(told)]) for i in more))

    @rule(at=clones)
    def bring(self, at: int) -> None:
        clone, other = self.clones[at], self.clones[1 - at]
        git = Git(clone.ledger.layout.git_dir)
        git("fetch", "-q", str(other.ledger.layout.git_dir), f"+{MAIN}:refs/remotes/other/main")
        tip = git("rev-parse", "refs/remotes/other/main")
        if other.epoch() < clone.epoch():
            with pytest.raises(RefusedError, match="of epoch"):
                bring(clone.ledger.place, clone.me.author, tip)
            return
        self._bring(clone, other, git, tip)
        clone.writes |= other.writes
        clone.notes |= other.notes
        clone.lose(self.forgotten)
        # Main may be on the other's line from here on, where what this one wrote came later.
        clone.points.clear()

    @rule(share=st.floats(0, 1))
    def truncate(self, share: float) -> None:
        """Whoever looks after the ledger cuts off a share of it; the other clone is at most this epoch behind."""
        first, second = self.clones
        if first.epoch() != second.epoch():
            self.bring(1)
        own = [i for i, _ in second.writes.keys() - first.writes.keys()]
        events = [one.id for one in dated(first.ledger.place.store, [first.main()])][1:]
        older = [i for i in events if all(i < other for other in [*own, *(second.notes - first.notes)])]
        if older:
            self.cut = older[int(share * (len(older) - 1))]
            truncate(first.ledger.place, first.me.author, self.cut)
            first.points.clear()

    @rule(key=values)
    def forget(self, key: str) -> None:
        """A key is forgotten once both clones know the same of it; what the other writes to it later stands."""
        first = self.clones[0]
        for at in (1, 0, 1):
            self.bring(at)
        if not any(k == key for _, k in first.writes):
            return
        forget(first.ledger.place, first.me.author, wanted(first.ledger.place, "a machine's whim", [key]))
        self.forgotten |= {(i, k) for i, k in first.writes if k == key}
        first.lose(self.forgotten)
        first.points.clear()

    @rule(at=clones)
    def recover(self, at: int) -> None:
        recover(self.clones[at].ledger.place)

    @rule(at=clones, full=st.booleans())
    def collect(self, at: int, full: bool) -> None:
        gc(self.clones[at].ledger.layout, is_full=full)

    @rule(at=clones, hours=st.integers(-24, 24))
    def set_the_clock(self, at: int, hours: int) -> None:
        self.clones[at].skew = hours * 3_600_000_000

    @rule(at=clones)
    def restart(self, at: int) -> None:
        self.clones[at].reopen()

    @precondition(lambda self: self.clones)
    @invariant()
    def holds_what_the_model_says(self) -> None:
        for clone in self.clones:
            assert clone.found() == clone.expected

    def teardown(self) -> None:
        try:
            for at in (1, 0, 1) if self.clones else ():
                self.bring(at)
            self.holds_what_the_model_says()
            assert len({self._tree(clone) for clone in self.clones}) < 2
            for clone in self.clones:
                self._require_whole(clone)
        finally:
            for clone in self.clones:
                clone.ledger.close()
            shutil.rmtree(self.folder)

    def _bring(self, clone: Clone, other: Clone, git: Git, tip: str) -> None:
        try:
            bring(clone.ledger.place, clone.me.author, tip)
        except RefusedError as error:
            if "cannot be told" not in str(error):
                raise
            # A clock that goes back gave an event an id from before the cut.
            for number, bundle in enumerate(other.ledger.layout.archive.glob("*.bundle")):
                git("fetch", "-q", str(bundle), f"+{MAIN}:refs/old/{number}")
            bring(clone.ledger.place, clone.me.author, tip)

    def _write(self, clone: Clone, kind: str, key: str, number: int) -> None:
        done = do(clone.me, kind, key, number)
        clone.know(*(Write(event.id, key, kind, number) for event in done.events))

    def _require_whole(self, clone: Clone) -> None:
        ids = [i for i, type_ in clone.ids() if type_.startswith(("context.", "note."))]
        assert len(ids) == len(set(ids))
        known = {i for i, _ in clone.writes} | clone.notes
        assert set(ids) <= known
        assert {i for i in known if i > self.cut} <= set(ids)
        assert verify(clone.ledger.place, full=True).problems == ()

    def _tree(self, clone: Clone) -> str:
        store = clone.ledger.place.store
        return store.commit(str(store.ref(MAIN))).tree


def _run_and_kill(clone: Clone, writes: list[int], acks: int, late: float) -> list[str]:
    """The ids that a process acknowledged before it was killed."""
    out, inside = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_killed(clone, writes, inside)
    os.close(inside)
    told = b""
    while told.count(b"\n") < acks and (more := os.read(out, 4096)):
        told += more
    time.sleep(late)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while more := os.read(out, 4096):
        told += more
    os.close(out)
    return told.decode().splitlines()


def _be_killed(clone: Clone, writes: list[int], inside: int) -> None:
    try:
        with opened(clone) as ledger:
            me = ledger.session("agent", f"{clone.name}-killed")
            for number in writes:
                for event in me.set("value/a", number).events:
                    os.write(inside, f"{event.id}\n".encode())
            signal.pause()
    finally:
        os._exit(1)


def run(examples: int, steps: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    # A kill hits another moment the next time: a failure is told as it came, and not made smaller.
    few = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=checks,
        phases=[Phase.generate],
    )
    run_state_machine_as_test(Machine, settings=few)


def test_a_ledger_holds_what_a_model_says_whatever_befalls_it() -> None:
    run(examples=5, steps=20)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_it_does_so_over_ten_thousand_steps() -> None:
    run(examples=100, steps=100)
