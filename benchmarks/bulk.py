"""How fast history is brought in: against `git fast-import` fed with the very commits that the ledger wrote.

The imports of transcripts read, redact and keep every line as well; their figures are events and megabytes
of transcript a second. That git wrote the same commits is checked by the id of the last one.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import BinaryIO

import _measure
from _sample import AGENT, drafts, session_key, transcript

from ledger.actions.append import Draft
from ledger.actions.import_transcripts import import_transcripts
from ledger.api import create_ledger, open_ledger
from ledger.storage.layout import MAIN

EVENTS = _measure.scaled(4_000)
SESSIONS = 4
TURNS = _measure.scaled(200)


def prepared(folder: Path) -> Path:
    """A ledger whose sessions are on the roster, but have done nothing yet."""
    ledger, _ = create_ledger(folder / "prepared")
    with ledger:
        for number in range(SESSIONS):
            ledger.session(AGENT, session_key(number)).start()
    return folder / "prepared"


def work() -> list[list[Draft]]:
    """What each session does."""
    return [list(drafts(EVENTS // SESSIONS, seed=number)) for number in range(SESSIONS)]


def bring_in(folder: Path, all_drafts: list[list[Draft]], durability: str = "full") -> None:
    """Write each session's work as one batch, and publish it."""
    with open_ledger(folder, durability=durability) as ledger:
        for number, share in enumerate(all_drafts):
            session = ledger.session(AGENT, session_key(number))
            session.record(share)
            session.publish()


def git(
    folder: Path, *arguments: str, stdin: BinaryIO | None = None, stdout: BinaryIO | int | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = ["git", f"--git-dir={folder}", *arguments]
    return subprocess.run(command, env=_measure.git_environment(), check=True, stdin=stdin, stdout=stdout)


def exported(repository: Path, to: Path) -> Path:
    """All that fast-import needs to write the same commits."""
    with to.open("wb") as stream:
        git(repository, "fast-export", "--signed-tags=verbatim", "--all", stdout=stream)
    return to


class Copies:
    """Fresh copies of a folder, made before the clock runs."""

    def __init__(self, master: Path, label: str, count: int) -> None:
        self._copies = [master.with_name(f"{label}-{number}") for number in range(count)]
        for copy in self._copies:
            shutil.copytree(master, copy)
        self.used: list[Path] = []

    def next(self) -> Path:
        self.used.append(self._copies.pop())
        return self.used[-1]


def against_fast_import(on: str, place: Path) -> None:
    """The same commits, by the ledger and by git."""
    all_drafts = work()
    with _measure.folder(place) as folder:
        master = prepared(folder)
        rehearsal = Copies(master, "rehearsal", 1).next()
        bring_in(rehearsal, all_drafts)
        stream = exported(rehearsal / "ledger.git", folder / "stream")
        empty = folder / "empty.git"
        subprocess.run(["git", "init", "--quiet", "--bare", str(empty)], env=_measure.git_environment(), check=True)
        ours, unsynced = (Copies(master, label, _measure.ROUNDS + 1) for label in ("full", "none"))
        theirs = Copies(empty, "git", _measure.ROUNDS + 1)
        series = _measure.race(
            {
                "git fast-import": lambda: fast_import(theirs.next(), stream),
                "ledger, durability full": lambda: bring_in(ours.next(), all_drafts),
                "ledger, durability none": lambda: bring_in(unsynced.next(), all_drafts, "none"),
            },
            per=EVENTS,
        )
        _require_same(rehearsal / "ledger.git", theirs.used[-1])
    _measure.table(f"{EVENTS:,} events in batches, each ({on})", series, unit="us")
    _rates(series, "events", 1)


def fast_import(repository: Path, stream: Path) -> None:
    with stream.open("rb") as file:
        git(repository, "fast-import", "--quiet", stdin=file)


def _require_same(ours: Path, theirs: Path) -> None:
    tips = {git(folder, "rev-parse", MAIN, stdout=subprocess.PIPE).stdout for folder in (ours, theirs)}
    if len(tips) != 1:
        raise AssertionError("fast-import did not write the same commits")


def of_transcripts(on: str, place: Path) -> None:
    """Whole transcripts, redacted, with every line kept."""
    with _measure.folder(place) as folder:
        file = folder / "transcript.jsonl"
        file.write_bytes(b"".join(transcript(session_key(1), TURNS)))
        ledger, _ = create_ledger(folder / "empty")
        ledger.close()
        copies = Copies(folder / "empty", "import", _measure.ROUNDS + 1)
        counts: list[int] = []

        def run() -> None:
            with open_ledger(copies.next()) as opened:
                counts.append(import_transcripts(opened.place, [file]).events)

        series = _measure.race({"import of a transcript": run}, per=1)
        size = file.stat().st_size
    _measure.table(f"{size / 1e6:.1f} MB, {counts[-1]:,} events ({on})", series, unit="ms")
    _rates(series, "events", counts[-1])
    _rates(series, "MB", size / 1e6)


def _rates(series: _measure.Series, what: str, per: float) -> None:
    for name, figures in series.items():
        rates = sorted(per / figure for figure in figures)
        print(f"{name}: {rates[len(rates) // 2]:,.1f} {what}/s (best {rates[-1]:,.1f})")


def main() -> None:
    _measure.machine()
    for on, place in _measure.disks():
        against_fast_import(on, place)
    of_transcripts(*next(_measure.disks()))


if __name__ == "__main__":
    main()
