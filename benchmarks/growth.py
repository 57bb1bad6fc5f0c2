"""What grows with the history, and what must not: writing, reading and replaying at 10^3, 10^4 and 10^5 events.

Copies of one ledger at each size take turns; then 10 sessions that have ended with 1,000 of them. In memory,
where that is possible: ext4 flushes a file that is replaced by renaming, as a ref is, and takes 1 to 3 ms for it
by its own lights, whatever the history; `append.py` shows what that adds.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import _measure
from _sample import AGENT, Words, fill

from ledger.actions.append import Draft
from ledger.actions.replay import replay
from ledger.actions.session import Session
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.storage.maintenance import gc

SIZES = tuple(_measure.scaled(count) for count in (1_000, 10_000, 100_000))
SESSIONS = (10, 1_000)
SINCE_CHECKPOINT = 50
CALLS = 20
_WORDS = Words(1)
TEXTS = [_WORDS.text(120, 400) for _ in range(997)]


class Subject:
    """One open ledger that takes turns with others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger: Ledger = open_ledger(folder, durability="none")
        self.session: Session = self.ledger.session(AGENT, "bench")
        self._number = 0

    def prepare(self) -> None:
        """A session that has just crashed: a checkpoint, and some work after it."""
        self.session.start()
        tree = self.ledger.place.store.commit(self.ledger.place.store.ref("refs/heads/main") or "").tree
        self.session.write([Draft("checkpoint.created", {"reason": "bench", "tree": tree})])
        self.append(SINCE_CHECKPOINT)

    def append(self, count: int = CALLS) -> None:
        for _ in range(count):
            self._number += 1
            self.session.set(f"bench/topic-{self._number % 20}", TEXTS[self._number % len(TEXTS)])

    def get(self) -> None:
        for number in range(CALLS):
            self.ledger.get(f"bench/topic-{number % 20}")

    def open_and_get(self) -> None:
        with open_ledger(self.folder) as ledger:
            ledger.get("bench/topic-1")

    def replay(self) -> None:
        done = replay(self.ledger.place, self.session.id)
        if not done.ok or done.checkpoint is None:
            raise AssertionError("the replay did not start from the checkpoint, or found a difference")

    def verify(self) -> float:
        """Events a second."""
        report = verify(self.ledger.place, full=True)
        if not report.ok:
            raise AssertionError(f"this ledger breaks the law: {report.problems[:3]}")
        return report.checked / report.seconds


@contextmanager
def subjects(folders: dict[str, Path]) -> Iterator[dict[str, Subject]]:
    with ExitStack() as stack:
        found = {name: Subject(folder) for name, folder in folders.items()}
        for subject in found.values():
            stack.enter_context(subject.ledger)
            subject.prepare()
        yield found


def grown(folder: Path) -> dict[str, Path]:
    """Copies of a ledger at each size."""
    growing = folder / "growing"
    ledger, _ = create_ledger(growing)
    copies: dict[str, Path] = {}
    with ledger:
        done, number = 0, 0
        for size in SIZES:
            number = fill(ledger, size - done, first=number)
            done = size
            gc(ledger.layout)
            copies[f"{size:,} events"] = folder / str(size)
            shutil.copytree(growing, folder / str(size))
    return copies


def with_sessions(folder: Path) -> dict[str, Path]:
    """Ledgers of the same size, with few and with many sessions in their past."""
    made: dict[str, Path] = {}
    for count in SESSIONS:
        ledger, _ = create_ledger(folder / f"sessions-{count}")
        with ledger:
            fill(ledger, SIZES[1], per_session=SIZES[1] // count)
            gc(ledger.layout)
        made[f"{count:,} ended sessions"] = folder / f"sessions-{count}"
    return made


VERBS: dict[str, tuple[Callable[[Subject], object], int, str]] = {
    f"replay of {SINCE_CHECKPOINT} events from a checkpoint": (Subject.replay, 1, "ms"),
    "append": (Subject.append, CALLS, "ms"),
    "get": (Subject.get, CALLS, "us"),
    "open and get": (Subject.open_and_get, 1, "ms"),
}


def compare(folders: dict[str, Path]) -> None:
    with subjects(folders) as found:
        for verb, (work, per, unit) in VERBS.items():
            turns = {name: lambda subject=subject, work=work: work(subject) for name, subject in found.items()}
            _measure.table(verb, _measure.race(turns, per=per), unit=unit)


def rates(folders: dict[str, Path]) -> None:
    """How many events a whole verification gets through in a second; the largest ledger is verified once only."""
    rows = []
    with subjects(folders) as found:
        for (name, subject), size in zip(found.items(), SIZES, strict=True):
            rounds = _measure.ROUNDS if size <= SIZES[0] else 1
            per_second = [subject.verify() for _ in range(rounds)]
            rows.append((name, f"{statistics.median(per_second):,.0f} events/s (best {max(per_second):,.0f})"))
    _measure.facts("verify --full", rows)


def main() -> None:
    _measure.machine()
    on, place = list(_measure.disks())[-1]
    print(f"on: {on}")
    with _measure.folder(place) as folder:
        copies = grown(folder)
        compare(copies)
        rates(copies)
    with _measure.folder(place) as folder:
        compare(with_sessions(folder))


if __name__ == "__main__":
    main()
