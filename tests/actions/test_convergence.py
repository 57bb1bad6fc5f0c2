"""Convergence: ledgers that exchange by plain git, in whatever order, all come to the fold of all events."""

from __future__ import annotations

import random
import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from tests.actions.git import Git

from ledger.actions.append import Draft
from ledger.actions.bring import bring
from ledger.actions.join import events_of
from ledger.actions.session import Session
from ledger.actions.task import complete_task, create_task, start_task
from ledger.actions.verify import verify
from ledger.api import Ledger, Sources, create_ledger, open_ledger
from ledger.core.clock import DAY, micros
from ledger.core.fold import fold
from ledger.errors import NotFoundError, RefusedError
from ledger.storage.layout import MAIN
from ledger.storage.memory import MemoryStore
from ledger.storage.store import Oid
from ledger.storage.tree import encode

REPLICAS = 5
START = micros("2026-11-22T15:13:04.000000Z")
KEYS = 3


@dataclass
class Hour:
    """One clock for all, which each reads with an error of its own."""

    now: int = START


@dataclass
class Replica:
    """One clone, with a clock that is up to two days off, and the session that writes there."""

    ledger: Ledger
    me: Session
    git: Git
    hour: Hour
    skew: int = 0

    def tip(self) -> Oid:
        return str(self.ledger.place.store.ref(MAIN))

    def now(self) -> int:
        return self.hour.now + self.skew

    def bring(self, name: str, other: Replica) -> None:
        self.git("fetch", "-q", str(other.git.git_dir), f"+{MAIN}:refs/remotes/{name}/main")
        bring(self.ledger.place, self.me.author, self.git("rev-parse", f"refs/remotes/{name}/main"))


class Network:
    """Clones of one ledger that write and bring at random."""

    def __init__(self, folder: Path, seed: int, stack: ExitStack, replicas: int = REPLICAS, start: int = START) -> None:
        self.chance = random.Random(seed)
        self.hour = Hour(start)
        random62 = partial(self.chance.getrandbits, 62)
        first = Sources(lambda: self.hour.now, random62, "ann", "desk")
        create_ledger(folder / "0", sources=first)[0].close()
        for number in range(1, replicas):
            shutil.copytree(folder / "0", folder / str(number))
        self.replicas: list[Replica] = []
        for number in range(replicas):
            ledger = stack.enter_context(
                open_ledger(
                    folder / str(number),
                    durability="none",
                    sources=Sources(partial(self._now, number), random62, "ann", f"host{number}"),
                )
            )
            me = ledger.session("agent", f"run-{number}")
            self.replicas.append(Replica(ledger, me, Git(ledger.layout.git_dir), self.hour))

    def _now(self, number: int) -> int:
        return self.replicas[number].now() if number < len(self.replicas) else self.hour.now

    def step(self) -> None:
        self.hour.now += self.chance.randrange(1, 900_000_000)
        one, other = self.chance.sample(range(REPLICAS), 2)
        replica = self.replicas[one]
        dice = self.chance.random()
        if dice < 0.25:
            replica.bring(f"r{other}", self.replicas[other])
        elif dice < 0.30:
            self._criss_cross(one, other)
        elif dice < 0.35:
            replica.skew = self.chance.randrange(-2 * DAY, 2 * DAY) * 1000
        else:
            self._write(replica)

    def exchange(self) -> None:
        """Around in a ring, twice: everybody has everything."""
        for one in [*range(REPLICAS), *range(REPLICAS)]:
            other = (one + 1) % REPLICAS
            self.replicas[other].bring(f"r{one}", self.replicas[one])

    def _criss_cross(self, one: int, other: int) -> None:
        """Each brings what the other had, before either has the other's merge."""
        left, right = self.replicas[one], self.replicas[other]
        theirs = left.tip()
        left.bring(f"r{other}", right)
        right.git("fetch", "-q", str(left.git.git_dir), f"+{MAIN}:refs/remotes/r{one}/main")
        bring(right.ledger.place, right.me.author, theirs)

    def _write(self, replica: Replica) -> None:
        me, place, chance = replica.me, replica.ledger.place, self.chance
        n, key = chance.randrange(20), f"k{chance.randrange(KEYS)}"
        scope = chance.choice(["shared", "shared", "session"])
        writes = [
            lambda: me.set(f"{key}/lww", n, scope=scope),
            lambda: me.increment(f"{key}/count", n - 9, scope=scope),
            lambda: me.add(f"{key}/tags", n % 5, policy="set", scope=scope),
            lambda: me.remove(f"{key}/tags", n % 5, scope=scope),
            lambda: me.set(f"{key}/map", {f"f{n % 3}": n}, policy="map", scope=scope),
            lambda: me.add(f"{key}/log", n, policy="log", scope=scope),
            lambda: me.set(f"{key}/text", "".join(f"{(n if i == n % 4 else i)}\n" for i in range(4)), policy="text"),
            lambda: me.set(f"{key}/max", n, policy="max", scope=scope),
            lambda: me.set(f"{key}/min", n, policy="min", scope=scope),
            lambda: me.set(key, n, policy=chance.choice(["lww", "max", "map"]) if n > 15 else None),
            lambda: me.delete(f"{key}/{chance.choice(['lww', 'count', 'tags'])}"),
            lambda: me.decide(f"{key}/decision", f"d{n}"),
            lambda: me.note(f"n{n}"),
            lambda: me.record([Draft("note.added", {"text": "of its own"})] * (1 + n % 3)),
            lambda: me.record([Draft("context.set", {"key": f"{key}/lww", "policy": "lww", "value": -n})]),
            lambda: me.acquire(f"src/{n % 3}", ttl=60 * (1 + n)),
            lambda: me.release(f"src/{n % 3}"),
            lambda: create_task(place, me, f"Do {n}", name=f"t{n % 4}"),
            lambda: start_task(place, me, f"t{n % 4}"),
            lambda: complete_task(me, f"t{n % 4}"),
            lambda: me.end("done"),
            me.start,
        ]
        with suppress(RefusedError, NotFoundError):  # what makes no sense just now is not written
            chance.choice(writes)()


def require_convergence(network: Network) -> None:
    """All ends have one state tree, which is that of the fold of the union of all events."""
    trees = {replica.ledger.place.store.commit(replica.tip()).tree for replica in network.replicas}
    store = network.replicas[0].ledger.place.store
    events = events_of(store.walk([network.replicas[0].tip()]))
    state = fold(events)
    assert {event.session for event in events} > {replica.me.id for replica in network.replicas}
    assert trees == {MemoryStore().edit_tree(None, encode(dict(state.documents)))}


def run(folder: Path, seed: int, steps: int) -> None:
    with ExitStack() as stack:
        network = Network(folder, seed, stack)
        for _ in range(steps):
            network.step()
        for replica in network.replicas:
            replica.me.publish()
        network.exchange()
        require_convergence(network)
        for replica in network.replicas:
            assert verify(replica.ledger.place, full=True).problems == ()


def test_ledgers_that_exchange_by_plain_git_come_to_the_fold_of_all_events(tmp_path: Path) -> None:
    run(tmp_path, seed=1, steps=60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_they_do_so_after_five_hundred_steps(tmp_path: Path, seed: int) -> None:
    run(tmp_path, seed, steps=500)
