"""Retention and forgetting in a ledger of 10^5 events: how long nobody can write, and bytes before and after.

One half is cut off (with a bundle), then a text that stands in one event is forgotten; each time the law, the replay
and the state are held against what was there before. In memory, where that is possible.
"""

from __future__ import annotations

import time

import _measure
from _sample import AGENT, fill

from ledger.actions.epoch import dated
from ledger.actions.forget import forget, wanted
from ledger.actions.replay import replay
from ledger.actions.truncate import truncate
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger
from ledger.storage.layout import MAIN
from ledger.storage.maintenance import figures, gc

EVENTS = _measure.scaled(100_000)
PLANTED = "swordfish-nine-planted"


def state(ledger: Ledger) -> str:
    """The tree of all shared context."""
    store = ledger.place.store
    tree = store.commit(store.ref(MAIN) or "").tree
    return next(entry.oid for entry in store.tree_entries(tree) if entry.name == "context")


def proved(ledger: Ledger) -> tuple[float, float]:
    """The seconds of a full verification, and of a replay from the first event; raises where one finds anything."""
    report, folded = verify(ledger.place, full=True), replay(ledger.place)
    if not (report.ok and folded.ok):
        raise AssertionError(f"{report.problems[:3]} {folded.first_divergence}")
    return report.seconds, folded.seconds


def main() -> None:
    (*_, (_, disk)) = _measure.disks()
    with _measure.folder(disk) as folder, create_ledger(folder / "ledger")[0] as ledger:
        fill(ledger, EVENTS)
        me = ledger.session(AGENT, "bench-forget")
        me.note(f"it is {PLANTED}")
        gc(ledger.layout)
        before, start = figures(ledger.layout.git_dir), state(ledger)
        every = dated(ledger.place.store, [ledger.place.store.ref(MAIN) or ""])
        print(f"{len(every):,} events, {before.bytes / 1e6:.1f} MB after gc")
        began = time.perf_counter()
        forget(ledger.place, me.author, wanted(ledger.place, "a benchmark", texts=(PLANTED,)))
        told("one text forgotten", time.perf_counter() - began, ledger, start)
        began = time.perf_counter()
        done = truncate(ledger.place, me.author, every[len(every) // 2].id)
        told("one half cut off", time.perf_counter() - began, ledger, start)
        print(f"  bundle of the old history: {(done.bundle or folder).stat().st_size / 1e6:.1f} MB")


def told(what: str, seconds: float, ledger: Ledger, start: str) -> None:
    if state(ledger) != start:
        raise AssertionError("the state is not what it was")
    verified, replayed = proved(ledger)
    after = figures(ledger.layout.git_dir)
    print(
        f"{what}: {seconds:.1f} s; {after.bytes / 1e6:.1f} MB; verify {verified:.1f} s, replay {replayed:.1f} s: sound"
    )


if __name__ == "__main__":
    main()
