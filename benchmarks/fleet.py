"""What do teams ask of a git server? A simulation, with the rule by which a ledger is really due for an exchange.

Each developer works through a day: sessions of turns, turns of events, with pauses. Each machine exchanges by
`ledger.actions.exchange.is_due`; an exchange takes a moment, in which somebody else may push first, and then it begins
anew. Told: pushes a minute at the server, how many tries were in vain, and how long an event takes to the server and to
the other machines. Nothing is run but the rule; what an event weighs is measured on a real ledger.
"""

from __future__ import annotations

import heapq
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import _measure
from _sample import fill

from ledger.actions.exchange import is_due
from ledger.api import create_ledger
from ledger.storage.exchanged import Exchanged
from ledger.storage.maintenance import gc

SECOND = 1_000_000
DAY = 8 * 3600
TEAMS = (1, 5, 20, 100)
SESSIONS, TURNS, EVENTS = 6, 20, 12  # a developer's day, a session, a turn
LOOK = 2.0  # seconds, as the process beside living sessions looks
TRIP = (0.4, 1.5)  # seconds of an exchange with a hosted server, from its fetch to its push
DAYS_A_YEAR = 230


class Met(NamedTuple):
    """How a simulated day went; times in seconds."""

    pushes: list[float]
    in_vain: list[float]
    to_server: list[float]
    to_others: list[float]


class Fresh(NamedTuple):
    """The last event of a push: when it was written and by whom, and the state of the server that has it."""

    moment: float
    owner: int
    version: int


@dataclass
class Machine:
    """One machine: its events by the second, how many are written and given, and what it remembers of the server."""

    events: list[float]
    written: int = 0
    given: int = 0
    version: int = 0
    is_crowded: bool = False
    state: Exchanged = field(default_factory=Exchanged)

    def write(self, now: float) -> None:
        """Write what is due by now."""
        while self.written < len(self.events) and self.events[self.written] <= now:
            self.written += 1

    @property
    def tip(self) -> str:
        """What stands for main's head: it moves with each event, and with what comes."""
        return f"{self.written}-{self.version}"


def day(chance: random.Random) -> list[float]:
    """The seconds at which a developer's agents write, over a working day."""
    moments: list[float] = []
    for _ in range(SESSIONS):
        now = chance.uniform(0, DAY * 0.9)
        for _ in range(TURNS):
            for _ in range(EVENTS):
                now += chance.expovariate(1 / 5)
                moments.append(now)
            now += chance.expovariate(1 / 45)
    return sorted(moments)


class Team:
    """A day of so many machines and one server."""

    def __init__(self, size: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.machines = [Machine(day(self.chance)) for _ in range(size)]
        self.met = Met([], [], [], [])
        self.version = 0
        self.fresh: list[Fresh] = []
        # What happens next: a look, or the end of a trip that began at a state of the server.
        self.next: list[tuple[float, int, int | None]] = []
        for number in range(size):
            heapq.heappush(self.next, (self.chance.uniform(0, LOOK), number, None))

    def run(self) -> Met:
        """Let the day go by."""
        while self.next and self.next[0][0] < DAY * 1.2:
            now, number, began_at = heapq.heappop(self.next)
            machine = self.machines[number]
            machine.write(now)
            if began_at is None:
                is_off = is_due(machine.tip, machine.state, round(now * SECOND))
                self._wait(now, number) if not is_off else self._set_out(now, number)
            elif began_at != self.version and machine.written > machine.given:
                self.met.in_vain.append(now)
                machine.is_crowded = True
                self._set_out(now, number)
            else:
                self._arrive(now, number, machine)
        return self.met

    def _wait(self, now: float, number: int) -> None:
        heapq.heappush(self.next, (now + LOOK, number, None))

    def _set_out(self, now: float, number: int) -> None:
        heapq.heappush(self.next, (now + self.chance.uniform(*TRIP), number, self.version))

    def _arrive(self, now: float, number: int, machine: Machine) -> None:
        came = [one for one in self.fresh if one.owner != number and one.version > machine.version]
        self.met.to_others.extend(now - one.moment for one in came)
        new = machine.events[machine.given : machine.written]
        if new:
            self.version += 1
            self.met.pushes.append(now)
            self.met.to_server.extend(now - moment for moment in new)
            self.fresh.append(Fresh(new[-1], number, self.version))
            machine.given = machine.written
        machine.version = self.version
        machine.state = machine.state.after(machine.tip, round(now * SECOND), is_crowded=machine.is_crowded)
        machine.is_crowded = False
        oldest = min(one.version for one in self.machines)
        self.fresh = [one for one in self.fresh if one.version > oldest]
        self._wait(now, number)


def tail(figures: list[float], at: int) -> str:
    """A percentile in seconds, or a dash."""
    return f"{statistics.quantiles(figures, n=100)[at - 1]:.0f} s" if len(figures) > 1 else "-"


def busiest(pushes: list[float]) -> int:
    """The most pushes within one minute."""
    minutes = [int(moment // 60) for moment in pushes]
    return max(map(minutes.count, set(minutes)), default=0)


def weight() -> float:
    """The bytes of an event after `ledger gc`, on a real ledger."""
    count = _measure.scaled(10_000)
    with _measure.folder() as folder:
        with create_ledger(folder / "ledger")[0] as ledger:
            fill(ledger, count)
            layout = ledger.layout
        gc(layout)
        size = sum(file.stat().st_size for file in layout.git_dir.rglob("*") if file.is_file())
    return size / count


def rows() -> Iterator[tuple[str, ...]]:
    """One row a team."""
    yield (
        "team",
        "events a day",
        "pushes",
        "a minute",
        "busiest",
        "in vain",
        "to server p50",
        "p99",
        "to others p50",
        "p99",
    )
    for team in TEAMS:
        met = Team(team, 1).run()
        events = team * SESSIONS * TURNS * EVENTS
        share = len(met.in_vain) / max(1, len(met.in_vain) + len(met.pushes))
        yield (
            str(team),
            f"{events:,}",
            f"{len(met.pushes):,}",
            f"{len(met.pushes) / (DAY / 60):.1f}",
            str(busiest(met.pushes)),
            f"{share:.0%}",
            tail(met.to_server, 50),
            tail(met.to_server, 99),
            tail(met.to_others, 50),
            tail(met.to_others, 99),
        )


def main() -> None:
    _measure.machine()
    for row in rows():
        print("  ".join(f"{cell:>13}" for cell in row))
    each = weight()
    a_year = SESSIONS * TURNS * EVENTS * DAYS_A_YEAR
    print(f"\nbytes an event after gc: {each:,.0f}")
    print(f"a developer and year: {a_year:,} events, {a_year * each / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
