"""Machines: ledgers that work offline and sync over links that are cut, slow or gone all come to one state."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.actions.git import Git
from tests.actions.test_convergence import Network, Replica, require_convergence
from tests.machines import Link, http_server

from ledger.actions.append import Draft, append_shared
from ledger.actions.sync import sync, syncing_author
from ledger.actions.verify import verify
from ledger.core.clock import micros
from ledger.errors import BusyError
from ledger.storage.layout import MAIN
from ledger.storage.remotes import Remote
from ledger.storage.server import prepare

# So that no clock is ahead of the server's, which is the real one.
START = micros("2026-06-01T12:00:00.000000Z")


class Machines(Network):
    """Clones of one ledger, each with a link of its own to the server that judges what comes."""

    def __init__(self, folder: Path, seed: int, machines: int, stack: ExitStack) -> None:
        super().__init__(folder, seed, stack, machines, START)
        self.server = folder / "served" / "ledger.git"
        prepare(self.server)
        Git(self.server)("config", "http.receivepack", "true")
        url = stack.enter_context(http_server(self.server.parent))
        port = int(url.rpartition(":")[2])
        self.links = [stack.enter_context(Link(port)) for _ in self.replicas]
        self.outcomes = Counter[str]()

    def step(self) -> None:
        self.hour.now += self.chance.randrange(1, 900_000_000)
        number = self.chance.randrange(len(self.replicas))
        if self.chance.random() < 0.6:
            self._write(self.replicas[number])
        else:
            self._sync(number)

    def _sync(self, number: int) -> None:
        """Sync over a link that works, is cut after so many bytes, is slow, or leads nowhere."""
        replica, link = self.replicas[number], self.links[number]
        condition = self.chance.choice(["fine", "fine", "cut", "cut", "slow", "gone", "hangs"])
        link.cut_after = self.chance.choice([0, 50, 300, 700, 1_500, 4_000]) if condition == "cut" else None
        link.delay = 0.005 if condition == "slow" else 0.0
        link.hangs = condition == "hangs"
        port = 1 if condition == "gone" else link.port
        try:
            self.met(replica, port, 0.5 if condition == "hangs" else 60.0)
            self.outcomes["in step"] += 1
        except BusyError:
            self.outcomes[f"failed, {condition}"] += 1
        finally:
            link.cut_after, link.delay, link.hangs = None, 0.0, False

    def met(self, replica: Replica, port: int, seconds: float = 60.0) -> None:
        remote = Remote("origin", f"http://127.0.0.1:{port}/ledger.git")
        sync(replica.ledger.place, remote, seconds=seconds)

    def exchange(self) -> None:
        """Everybody syncs twice over links that work: everybody has everything."""
        for _ in range(2):
            for replica, link in zip(self.replicas, self.links, strict=True):
                self.met(replica, link.port)


def run(folder: Path, seed: int, machines: int, steps: int) -> Counter[str]:
    with ExitStack() as stack:
        network = Machines(folder, seed, machines, stack)
        network.exchange()
        for _ in range(steps):
            network.step()
        for replica in network.replicas:
            append_shared(replica.ledger.place, replica.me.author, [Draft("note.added", {"text": "the last"})])
        network.exchange()
        require_convergence(network)
        assert {replica.tip() for replica in network.replicas} == {Git(network.server)("rev-parse", MAIN)}
        for replica in network.replicas:
            assert verify(replica.ledger.place, full=True).problems == ()
            assert syncing_author(replica.ledger.place).session not in {r.me.id for r in network.replicas}
        return network.outcomes


@pytest.mark.parametrize("machines", [2, 5])
def test_machines_that_work_offline_and_meet_over_bad_links_come_to_one_state(tmp_path: Path, machines: int) -> None:
    outcomes = run(tmp_path, 1, machines, 40)
    assert outcomes["in step"]
    assert any(name.startswith("failed") for name in outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("machines", [2, 5])
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_they_do_so_after_three_hundred_steps(tmp_path: Path, seed: int, machines: int) -> None:
    print(machines, "machines, seed", seed, dict(run(tmp_path, seed, machines, 300)))
