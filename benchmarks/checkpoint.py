"""What a checkpoint of a working tree takes, in seconds and bytes: the first, one where little changed, one where
nothing did; and putting one back. Against `git add -A` and `git write-tree` with an index of their own.

On a clone of this project, and on 20,000 files of 1.4 KB in 1,400 folders. What git does is less: it searches for no
secrets, folds and syncs nothing, and writes no event.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import _measure

from ledger.actions.checkpoint import Checkpoint, checkpoint, checkpoint_if_changed
from ledger.actions.put_back import put_back
from ledger.api import Ledger, create_ledger, open_ledger

ROOT = Path(__file__).resolve().parent.parent
FILES = _measure.scaled(20_000)


def git(project: Path, *arguments: str, index: Path | None = None) -> str:
    environment = os.environ | ({} if index is None else {"GIT_INDEX_FILE": str(index)})
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def this_project(folder: Path) -> Path:
    git(folder, "clone", "-q", str(ROOT), "project")
    return folder / "project"


def many_files(folder: Path) -> Path:
    project, chance = folder / "many", random.Random(1)
    git(folder, "init", "-q", "many")
    for number in range(FILES):
        path = project / f"d{number // 100}" / f"e{number % 7}" / f"f{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"value_{n} = {chance.randrange(10**9)}\n" for n in range(60)))
    git(project, "add", "-A")
    git(project, "-c", "user.name=x", "-c", "user.email=x@example.invalid", "commit", "-q", "-m", "x")
    return project


class Subject:
    """One project with a ledger of its own."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.files = git(project, "ls-files", "-z").split("\0")[:-1]
        create_ledger(project / ".git" / "ledger")[0].close()
        self.index = project / ".git" / "other-index"
        self.round = 0

    def open(self) -> Ledger:
        return open_ledger(self.project / ".git" / "ledger")

    def change(self, count: int) -> None:
        """Add a line to some files, other ones each time."""
        for _ in range(count):
            self.round += 1
            with (self.project / self.files[self.round * 37 % len(self.files)]).open("a") as file:
                file.write(f"# changed {self.round}\n")

    def by_git(self) -> None:
        git(self.project, "add", "-A", index=self.index)
        git(self.project, "write-tree", index=self.index)

    def taken(self) -> int:
        payloads = self.project / ".git" / "ledger" / "payloads.git"
        return sum(path.stat().st_size for path in (payloads / "objects").rglob("*") if path.is_file())


def measure(subject: Subject) -> None:
    with subject.open() as ledger:
        author = ledger.person().author

        def make() -> Checkpoint:
            return checkpoint(ledger.place, author, "bench", subject.project)

        before = subject.taken()
        first = _measure.seconds(make)
        print(f"first: {first:.2f} s, {subject.taken() - before:,} bytes")
        print(f"first, by git: {_measure.seconds(subject.by_git):.2f} s")
        for count in (0, 1, 10):
            rounds(subject, make, count)
        unchanged = [_measure.seconds(lambda: looked(ledger, subject)) for _ in range(_measure.ROUNDS)]
        print(f"end of a turn that changed nothing: {statistics.median(unchanged) * 1e3:.0f} ms")
        back(ledger, subject, make)


def looked(ledger: Ledger, subject: Subject) -> None:
    if checkpoint_if_changed(ledger.place, ledger.person().author, "turn", subject.project) is not None:
        raise AssertionError("nothing had changed")


def rounds(subject: Subject, make: Callable[[], Checkpoint], count: int) -> None:
    series: dict[str, list[float]] = {"git add, git write-tree": [], "checkpoint": []}
    grown = []
    for _ in range(_measure.ROUNDS):
        subject.change(count)
        before = subject.taken()
        series["checkpoint"].append(_measure.seconds(make))
        grown.append(subject.taken() - before)
        series["git add, git write-tree"].append(_measure.seconds(subject.by_git))
    _measure.table(f"{count} files changed", series)
    print(f"bytes for a checkpoint: {statistics.median(grown):,.0f}")


def back(ledger: Ledger, subject: Subject, make: Callable[[], Checkpoint]) -> None:
    saved = make()
    subject.change(100)
    took = _measure.seconds(lambda: put_back(ledger.place, ledger.person().author, saved))
    print(f"put back, 100 files changed: {took:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "copy"
        took = _measure.seconds(lambda: put_back(ledger.place, ledger.person().author, saved, to=to))
        print(f"put back into an empty folder, all {saved.files:,} files: {took:.2f} s")


def main() -> None:
    _measure.machine()
    with tempfile.TemporaryDirectory() as folder:
        for name, made in (("this project", this_project), ("many files", many_files)):
            subject = Subject(made(Path(folder)))
            print(f"\n{name}: {len(subject.files):,} files")
            measure(subject)


if __name__ == "__main__":
    main()
