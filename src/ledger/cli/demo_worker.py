"""A writing session of the demo, as a process of its own: says on standard output what was acknowledged."""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.api import open_ledger

ROUNDS = 40


def work(folder: Path, name: str, rounds: int = ROUNDS) -> None:
    """Write in `rounds` rounds, and print the id of each event only after it was acknowledged."""
    with (
        open_ledger(folder) as ledger,
        ledger.run("demo-agent", name, end=False, title=f"{name} tidies the pond") as me,
    ):
        for number in range(1, rounds + 1):
            for done in (
                me.increment("pond/steps"),
                me.set(f"pond/progress/{name}", f"step {number} of {rounds}"),
                me.add("pond/birds", f"{name} {number % 5}"),
            ):
                sys.stdout.write("".join(f"{event.id}\n" for event in done.events))
                sys.stdout.flush()


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2])
