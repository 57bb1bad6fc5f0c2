"""How many bytes an event takes on disk: as written, after `ledger gc`, and after a full one.

The sample's messages are as long, and compress as well, as those of real transcripts.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import _measure
from _sample import KEYS, fill

from ledger.api import Ledger, create_ledger
from ledger.storage.maintenance import figures, gc

EVENTS = _measure.scaled(100_000)


def told(ledger: Ledger) -> str:
    found = figures(ledger.layout.git_dir)
    return f"{found.bytes / EVENTS:8,.0f} bytes an event in {found.packs:,} packs and {found.loose:,} loose objects"


def stored(git_dir: Path) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """How many objects of each kind there are, their bytes on disk, and their bytes as they are read."""
    form = "--batch-check=%(objecttype) %(objectsize:disk) %(objectsize)"
    command = ["git", f"--git-dir={git_dir}", "cat-file", "--batch-all-objects", form]
    done = subprocess.run(command, env=_measure.git_environment(), check=True, capture_output=True, text=True)
    count, disk, size = Counter[str](), Counter[str](), Counter[str]()
    for line in done.stdout.splitlines():
        kind, packed, whole = line.split()
        count[kind] += 1
        disk[kind] += int(packed)
        size[kind] += int(whole)
    return count, disk, size


def _told(count: int, disk: int, size: int) -> str:
    return f"{disk / EVENTS:8,.0f} bytes an event; {count:,} of them, {size / max(count, 1):,.0f} each"


def main() -> None:
    _measure.machine()
    with _measure.folder() as folder:
        ledger, _ = create_ledger(folder / "ledger")
        with ledger:
            took = _measure.seconds(lambda: fill(ledger, EVENTS))
            rows = [("as written", told(ledger))]
            took_gc = _measure.seconds(lambda: gc(ledger.layout))
            rows.append(("after gc", told(ledger)))
            took_full = _measure.seconds(lambda: gc(ledger.layout, is_full=True))
            rows.append(("after a full gc", told(ledger)))
            count, disk, size = stored(ledger.layout.git_dir)
    _measure.facts(f"{EVENTS:,} events, {KEYS} keys", rows)
    kinds = [(kind, _told(count[kind], disk[kind], size[kind])) for kind in ("commit", "tree", "blob")]
    _measure.facts("of which, after the full gc", kinds)
    print(f"\nwritten in {took:.1f} s, gc {took_gc:.1f} s, full gc {took_full:.1f} s")


if __name__ == "__main__":
    main()
