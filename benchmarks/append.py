"""What one event costs in-process: against the same git objects written by bare pygit2, and by git's commands.

All contestants begin with copies of one ledger. pygit2 and git write, byte for byte, the objects that the
ledger wrote in a rehearsal (blob, three trees, commit, ref), which is checked at the end by their ids.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import _measure
import pygit2
from _sample import AGENT, Words

from ledger.actions.append import Draft
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.storage.layout import MAIN, session_ref
from ledger.storage.store import Commit

EVENTS = _measure.scaled(50)  # a round
GIT_EVENTS = _measure.scaled(5)
ROUNDS = _measure.ROUNDS + 2
KEYS = 20  # that stand there already
_WORDS = Words(1)
TEXTS = [_WORDS.text(120, 400) for _ in range(997)]
WRITES = ("fsync", "fdatasync", "sync_file_range", "syncfs", "sync")


@dataclass(frozen=True)
class Written:
    """What the ledger wrote for one event: its commit, and the file that it changed, if any."""

    commit: Commit
    path: str | None
    data: bytes


def prepared(folder: Path) -> Path:
    """A ledger with some keys, and a session that is on the roster."""
    ledger, _ = create_ledger(folder / "prepared")
    with ledger:
        for key in range(KEYS):
            _set(ledger, key)
    return folder / "prepared"


def _set(ledger: Ledger, number: int) -> None:
    ledger.session(AGENT, "bench").set(f"bench/topic-{number % KEYS}", TEXTS[number % len(TEXTS)])


def _record(ledger: Ledger, number: int) -> None:
    data = {"call": f"call-{number}", "tool": "Bash", "output": TEXTS[number % len(TEXTS)]}
    ledger.session(AGENT, "bench").record([Draft("tool.completed", data)])


def rehearsal(master: Path, write: Callable[[Ledger, int], None], ref: str, count: int) -> list[Written]:
    """What the ledger writes for `count` events, written once to a copy that is thrown away."""
    folder = master.with_name(f"{master.name}-rehearsal")
    shutil.copytree(master, folder)
    with open_ledger(folder, durability="none") as ledger:
        store = ledger.place.store
        before = store.refs()[MAIN]
        for number in range(count):
            write(ledger, number)
        commits = list(store.walk([store.refs()[ref]], [before], order="oldest"))
        written = [_written(ledger, commit) for commit in commits]
    shutil.rmtree(folder)
    return written


def _written(ledger: Ledger, commit: Commit) -> Written:
    store = ledger.place.store
    changed = store.changed_paths(store.commit(commit.parents[0]).tree, commit.tree)
    path = changed[0] if changed else None
    return Written(commit, path, (store.read_file(commit.tree, path) or b"") if path else b"")


class LedgerContestant:
    """The ledger itself, under one durability."""

    def __init__(self, master: Path, name: str, durability: str, write: Callable[[Ledger, int], None]) -> None:
        folder = master.with_name(name)
        shutil.copytree(master, folder)
        self.ledger = open_ledger(folder, durability=durability)
        self._write, self._number = write, 0

    def run(self) -> None:
        for _ in range(EVENTS):
            self._write(self.ledger, self._number)
            self._number += 1


class Pygit2Contestant:
    """The same objects, written with pygit2 and nothing else."""

    def __init__(self, master: Path, name: str, script: list[Written], ref: str, *, syncs: bool = False) -> None:
        self.folder = master.with_name(name)
        shutil.copytree(master / "ledger.git", self.folder)
        self.repository = pygit2.Repository(str(self.folder))
        self._script: Iterator[Written] = iter(script)
        self._log = os.open(self.folder / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND) if syncs else None
        if ref not in self.repository.references:
            self.repository.create_reference(ref, self.repository.references[MAIN].target)
        self._ref = self.repository.references[ref]

    def run(self) -> None:
        for _ in range(EVENTS):
            self.write(next(self._script))

    def write(self, written: Written) -> None:
        repository, commit = self.repository, written.commit
        parent = repository[self._ref.target].peel(pygit2.Commit)
        tree = parent.tree_id
        if written.path is not None:
            tree = self._tree(parent.tree, written.path.split("/"), repository.create_blob(written.data))
        author = pygit2.Signature(commit.author.name, commit.author.email, commit.author.time, 0)
        committer = pygit2.Signature(commit.committer.name, commit.committer.email, commit.committer.time, 0)
        oid = repository.create_commit(None, author, committer, commit.message.decode(), tree, [parent.id])
        if self._log is not None:
            os.write(self._log, commit.message)
            os.fdatasync(self._log)
        self._ref.set_target(oid)

    def _tree(self, tree: pygit2.Tree, path: list[str], blob: pygit2.Oid) -> pygit2.Oid:
        builder = self.repository.TreeBuilder(tree)
        if len(path) == 1:
            builder.insert(path[0], blob, pygit2.enums.FileMode.BLOB)
        else:
            inside = self._tree(self.repository[tree[path[0]].id].peel(pygit2.Tree), path[1:], blob)
            builder.insert(path[0], inside, pygit2.enums.FileMode.TREE)
        return builder.write()


class PlumbingContestant:
    """The same objects, written by git's plumbing: five processes an event, two for one that changes no file."""

    def __init__(self, master: Path, name: str, script: list[Written], ref: str) -> None:
        self.folder = master.with_name(name)
        shutil.copytree(master / "ledger.git", self.folder)
        self._environment = _measure.git_environment() | {"GIT_DIR": str(self.folder)}
        self._script, self._ref = iter(script), ref
        self._git("read-tree", MAIN)

    def run(self) -> None:
        for _ in range(GIT_EVENTS):
            self.write(next(self._script))

    def write(self, written: Written) -> None:
        commit = written.commit
        tree = commit.tree
        if written.path is not None:
            blob = self._git("hash-object", "-w", "--stdin", given=written.data)
            self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},{written.path}")
            tree = self._git("write-tree")
        people = {"AUTHOR": commit.author, "COMMITTER": commit.committer}
        for role, who in people.items():
            told = {"NAME": who.name, "EMAIL": who.email, "DATE": f"{who.time} +0000"}
            self._environment |= {f"GIT_{role}_{field}": text for field, text in told.items()}
        oid = self._git("commit-tree", tree, "-p", commit.parents[0], given=commit.message)
        self._git("update-ref", self._ref, oid)

    def _git(self, *arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], env=self._environment, input=given, check=True, stdout=subprocess.PIPE
        )
        return done.stdout.decode().strip()


class PorcelainContestant:
    """What a script would do: change a file in a work tree, `git add`, `git commit`."""

    def __init__(self, master: Path, name: str, script: list[Written]) -> None:
        self.folder = master.with_name(name)
        self._environment = _measure.git_environment()
        self._git("clone", "--quiet", str(master / "ledger.git"), str(self.folder))
        self._git("-C", str(self.folder), "config", "user.name", "bench")
        self._git("-C", str(self.folder), "config", "user.email", "bench@example.invalid")
        self._script = iter(script)

    def run(self) -> None:
        for _ in range(GIT_EVENTS):
            written = next(self._script)
            (self.folder / str(written.path)).write_bytes(written.data)
            self._git("-C", str(self.folder), "add", str(written.path))
            self._git("-C", str(self.folder), "commit", "--quiet", "-F", "-", given=written.commit.message)

    def _git(self, *arguments: str, given: bytes = b"") -> None:
        subprocess.run(["git", *arguments], env=self._environment, input=given, check=True)


def context_event(on: str, folder: Path) -> None:
    """One event that changes a key."""
    master = prepared(folder)
    script = rehearsal(master, _set, MAIN, EVENTS * (ROUNDS + 1))
    ours = {d: LedgerContestant(master, f"ledger-{d}", d, _set) for d in ("none", "batch", "full")}
    bare = Pygit2Contestant(master, "bare", script, MAIN)
    synced = Pygit2Contestant(master, "synced", script, MAIN, syncs=True)
    plumbing = PlumbingContestant(master, "plumbing", script, MAIN)
    porcelain = PorcelainContestant(master, "porcelain", script)
    series = _measure.race(
        {
            "bare pygit2, same objects": bare.run,
            "ledger, durability none": ours["none"].run,
            "ledger, durability batch": ours["batch"].run,
            "bare pygit2 + one fdatasync": synced.run,
            "ledger, durability full": ours["full"].run,
        },
        ROUNDS,
        EVENTS,
    )
    of_git = {"git hash-object … update-ref": plumbing.run, "git add, git commit": porcelain.run}
    series |= _measure.race(of_git, ROUNDS, GIT_EVENTS)
    _require_same(script[-1], bare, MAIN)
    _measure.table(f"one context event ({on})", series)
    for contestant in ours.values():
        contestant.ledger.close()


def plain_event(on: str, folder: Path) -> None:
    """One event that changes no context: on the session's own line."""
    master = prepared(folder)
    with open_ledger(master) as ledger:
        ref = session_ref(ledger.session(AGENT, "bench").id)
    script = rehearsal(master, _record, ref, EVENTS * (ROUNDS + 1))
    ours = {d: LedgerContestant(master, f"ledger-{d}", d, _record) for d in ("none", "full")}
    bare = Pygit2Contestant(master, "bare", script, ref)
    plumbing = PlumbingContestant(master, "plumbing", script, ref)
    series = _measure.race(
        {
            "bare pygit2, same objects": bare.run,
            "ledger, durability none": ours["none"].run,
            "ledger, durability full": ours["full"].run,
        },
        ROUNDS,
        EVENTS,
    )
    series |= _measure.race({"git commit-tree, update-ref": plumbing.run}, ROUNDS, GIT_EVENTS)
    _require_same(script[-1], bare, ref)
    _measure.table(f"one event without context ({on})", series)
    for contestant in ours.values():
        contestant.ledger.close()


def _require_same(last: Written, bare: Pygit2Contestant, ref: str) -> None:
    found = str(bare.repository.references[ref].target)
    if found != last.commit.oid:
        raise AssertionError(f"pygit2 wrote {found}, the ledger {last.commit.oid}: these were not the same objects")


def calls(on: Path) -> None:
    """How often an event asks the disk to sync, counted by strace; and all its calls of the system."""
    if shutil.which("strace") is None:
        print("\nno strace: calls of the system were not counted")
        return
    rows = []
    for durability in ("none", "batch", "full"):
        counts = [_traced(on, durability, events) for events in (10, 60)]
        per_event = {name: (counts[1].get(name, 0) - counts[0].get(name, 0)) / 50 for name in counts[1]}
        syncs = sum(per_event.get(name, 0) for name in WRITES)
        rows.append((f"durability {durability}", f"{syncs:5.2f} syncs, {sum(per_event.values()):6.1f} calls in all"))
    _measure.facts("calls of the system, an event", rows)


def _traced(on: Path, durability: str, events: int) -> dict[str, int]:
    with _measure.folder(on) as folder:
        master, out = prepared(folder), folder / "trace"
        child = [sys.executable, __file__, "--child", str(master), durability, str(events)]
        subprocess.run(["strace", "-f", "-c", "-U", "name,calls", "-o", str(out), *child], check=True)
        rows = [line.split() for line in out.read_text().splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit() and row[0] != "total"}


def child(folder: str, durability: str, events: str) -> None:
    """Write some events, for strace to look on."""
    with open_ledger(folder, durability=durability) as ledger:
        for number in range(int(events)):
            _set(ledger, number)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return
    _measure.machine()
    for on, place in _measure.disks():
        for measure in (context_event, plain_event):
            with _measure.folder(place) as folder:
                measure(on, folder)
    calls(next(_measure.disks())[1])


if __name__ == "__main__":
    main()
