"""A hundred sessions at work, thousands that have ended: what a sync, a start and a listing cost.

A hundred active sessions, one of them weeks old, write of their own and sync in turns: what is looked at and how
long it takes, beside ten sessions. Then ledgers with no ended session, a thousand and ten thousand take turns:
the first write of a new session, the roster, the listing of sessions. In memory where that is possible.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import _measure
from _sample import AGENT, fill
from sync import opened

from ledger.actions.append import Draft
from ledger.actions.presence import presence
from ledger.actions.roster import all_sessions
from ledger.actions.session import Session
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.storage.maintenance import gc

ACTIVE = (10, 100)
SYNCS = _measure.scaled(200)
BEFORE = _measure.scaled(10_000)  # events that main gains while one sleeps
ENDED = tuple(_measure.scaled(count) for count in (1_000, 10_000))
FROM_ITSELF = 5  # events that a session writes of its own between two syncs


def syncs(folder: Path, count: int) -> tuple[str, str]:
    """So many sessions, one of which slept through BEFORE events; they write and sync in a random order."""
    create_ledger(folder)[0].close()
    with open_ledger(folder, durability="none") as ledger:
        sleeper = ledger.session(AGENT, "run 0")
        work(sleeper, 0)
        fill(ledger, BEFORE)
        gc(ledger.layout)
    ledger, store, queue = opened(folder)
    chance, seconds = random.Random(1), itertools.count(ledger.place.now(), 1_000_000)
    # People's and agents' seconds: in a burst all would lie within one, which is as far as git can tell times apart.
    ledger.place.now = lambda: next(seconds)
    with ledger:
        sessions = [ledger.session(AGENT, f"run {number}") for number in range(count)]
        for number, session in enumerate(sessions[1:]):
            session.start()
            work(session, number)
        took, looks = [], []
        for number in range(SYNCS):
            session = sessions[0] if number == SYNCS // 2 else chance.choice(sessions[1:])
            work(session, number)
            store.looks = 0
            took.append(_measure.seconds(session.publish))
            looks.append(store.looks)
        if not verify(ledger.place).ok:
            raise AssertionError("this ledger breaks the law")
    held = [seconds for seconds, _ in queue.turns[-SYNCS:]]
    own = looks.pop(SYNCS // 2), took.pop(SYNCS // 2)
    return f"{count} sessions", (
        f"looks p50 {_at(looks, 0.5):.0f}, p99 {_at(looks, 0.99):.0f}; ms p50 {_at(took, 0.5) * 1e3:.1f}, "
        f"p99 {_at(took, 0.99) * 1e3:.1f}; queue held p50 {_at(held, 0.5) * 1e3:.1f}, p99 {_at(held, 0.99) * 1e3:.1f}, "
        f"max {max(held) * 1e3:.1f}; the one that slept: {own[0]:,} looks, {own[1] * 1e3:.0f} ms"
    )


def work(session: Session, number: int) -> None:
    """A little of its own, and one value that others may write too."""
    value = {"key": f"area/topic-{number % 50}", "policy": "lww", "value": number}
    session.record([*[Draft("note.added", {"text": f"{number}"})] * (FROM_ITSELF - 1), Draft("context.set", value)])


def _at(figures: list[float] | list[int], share: float) -> float:
    return sorted(figures)[round((len(figures) - 1) * share)]


class Subject:
    """A ledger with some sessions in its past, and how many new ones have begun in it."""

    def __init__(self, folder: Path, ended: int) -> None:
        create_ledger(folder)[0].close()
        self.ledger: Ledger = open_ledger(folder, durability="none")
        fill(self.ledger, 3 * ended, per_session=3)
        gc(self.ledger.layout)
        self._numbers = itertools.count()

    def first_write(self) -> None:
        """A session that nobody has seen before."""
        self.ledger.session(AGENT, f"new {next(self._numbers)}").note("here")

    def start_and_end(self) -> None:
        session = self.ledger.session(AGENT, f"short {next(self._numbers)}")
        session.start()
        session.end()

    def roster(self) -> None:
        all_sessions(self.ledger.place)

    def listing(self) -> None:
        """What `ledger sessions` shows."""
        presence(self.ledger.place)


VERBS: dict[str, Callable[[Subject], None]] = {
    "a new session's first write": Subject.first_write,
    "session start and end": Subject.start_and_end,
    "roster": Subject.roster,
    "sessions": Subject.listing,
}


def compare(folder: Path) -> None:
    with ExitStack() as stack:
        subjects = {f"{ended:,} ended": Subject(folder / f"{ended}", ended) for ended in (0, *ENDED)}
        for subject in subjects.values():
            stack.enter_context(subject.ledger)
        for verb, work_ in VERBS.items():
            turns = {name: lambda subject=subject, work_=work_: work_(subject) for name, subject in subjects.items()}
            _measure.table(verb, _measure.race(turns, rounds=max(20, _measure.ROUNDS)))


def main() -> None:
    _measure.machine()
    on, place = list(_measure.disks())[-1]
    start = time.perf_counter()
    with _measure.folder(place) as folder:
        rows = [syncs(folder / f"{count}", count) for count in ACTIVE]
    _measure.facts(f"{SYNCS} syncs, {FROM_ITSELF} events each ({on})", rows)
    with _measure.folder(place) as folder:
        compare(folder)
    print(f"\n{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
