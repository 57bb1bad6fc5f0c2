"""After an unclean stop every acknowledged event is back, and the history is sound."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
from tests.actions.git import Git
from tests.actions.writing import write_until_killed

from ledger.actions.append import Draft
from ledger.actions.join import events_of
from ledger.actions.session import Session
from ledger.actions.soundness import needs_restoring
from ledger.actions.verify import verify
from ledger.api import Ledger, open_ledger
from ledger.core.event import Event
from ledger.errors import StorageError
from ledger.storage.journal import sync_file_system
from ledger.storage.layout import MAIN, Layout, session_ref
from ledger.storage.maintenance import gc
from ledger.storage.store import EventStore, Oid

NOTE = Draft("note.added", {"text": "seen"})


def write_history(root: Path, chance: random.Random, steps: int) -> list[str]:
    """Writes of several sessions, shared and private, with merges and large batches; the acknowledged ids."""
    acked = []
    with open_ledger(root) as ledger:
        sessions = [ledger.session("writer", f"{n}") for n in range(4)]
        for number in range(steps):
            me = chance.choice(sessions)
            acked += [event.id for event in write_something(me, chance, number)]
        if chance.random() < 0.3:
            acked += [event.id for event in sessions[0].record([NOTE] * 70).events]
    return acked


def write_something(me: Session, chance: random.Random, number: int) -> tuple[Event, ...]:
    kinds = {
        "value": lambda: me.set(f"k/{number % 5}", number),
        "counter": lambda: me.increment("count"),
        "set": lambda: me.add("tags", f"t{number % 7}"),
        "private": lambda: me.record([NOTE] * chance.randrange(1, 4)),
        "own": lambda: me.set("mine", number, scope="session"),
        "note": lambda: me.note("x"),
    }
    return kinds[chance.choice(sorted(kinds))]().events


def cut_power(root: Path, chance: random.Random, since: int = 0) -> int:
    """What a power cut takes: files written after `since` (ns) are gone, empty or cut short; the machine restarts."""
    git_dir = root / "ledger.git"
    files = [*(git_dir / "objects").glob("??/*"), *(p for p in (git_dir / "refs").rglob("*") if p.is_file())]
    files = [path for path in files if path.stat().st_mtime_ns >= since] + [git_dir / "HEAD", git_dir / "config"]
    share = chance.random()
    taken = [path for path in files if chance.random() < share]
    for path in taken:
        path.chmod(0o600)
        keep = chance.choice([None, 0, chance.randrange(path.stat().st_size + 1)])
        path.unlink() if keep is None else os.truncate(path, keep)
    restart(root)
    return len(taken)


def restart(root: Path) -> None:
    """Make it look as if the machine had started anew."""
    Layout(root).boot.write_text("another boot")


def reachable(ledger: Ledger) -> list[str]:
    tips = list(ledger.place.store.refs().values())
    return [event.id for event in events_of(ledger.place.store.walk(tips, order="oldest"))]


def require_whole(root: Path, acked: list[str]) -> None:
    """Every acknowledged event is there once, the law holds, and git has nothing to say."""
    with open_ledger(root) as ledger:
        assert ledger.unrestored is None
        found = reachable(ledger)
        assert set(acked) <= set(found)
        assert len(found) == len(set(found))
        assert verify(ledger.place, full=True).problems == ()
    assert complaints(root) == []


def complaints(root: Path) -> list[str]:
    lines = Git(root / "ledger.git")("fsck", "--strict", "--no-dangling").splitlines()
    return [line for line in lines if not line.startswith("notice")]


@pytest.mark.parametrize("seed", range(12))
def test_after_a_power_cut_every_acknowledged_event_is_back(root: Path, seed: int) -> None:
    _cut_power_and_check(root, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_after_any_power_cut_every_acknowledged_event_is_back(root: Path, seed: int) -> None:
    _cut_power_and_check(root, seed)


def _cut_power_and_check(root: Path, seed: int) -> None:
    chance = random.Random(seed)
    acked = write_history(root, chance, chance.randrange(5, 40))
    since = 0
    if chance.random() < 0.4:
        gc(Layout(root))
        sync_file_system(root)
        since = time.time_ns()
        acked += write_history(root, chance, chance.randrange(5, 30))
    cut_power(root, chance, since)
    require_whole(root, acked)


def test_everything_the_journal_holds_comes_back_from_nothing_else(root: Path) -> None:
    chance = random.Random(1)
    acked = write_history(root, chance, 30)
    git_dir = root / "ledger.git"
    before = Git(git_dir)("rev-parse", MAIN)
    for path in [*(git_dir / "objects").glob("??/*"), *(p for p in (git_dir / "refs").rglob("*") if p.is_file())]:
        path.unlink()
    (git_dir / "HEAD").write_bytes(b"")
    require_whole(root, acked)
    assert Git(git_dir)("rev-parse", MAIN) == before


def test_what_was_done_is_told_and_the_next_opening_has_nothing_to_do(root: Path) -> None:
    with open_ledger(root) as ledger:
        oid = ledger.session("agent", "1").set("k", 1).commits[0]
    path = root / "ledger.git" / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    os.truncate(path, 10)
    (root / "ledger.git" / MAIN).write_bytes(b"")
    with open_ledger(root) as ledger:
        assert ledger.restored is not None
        assert ledger.restored.commits >= 1
        assert ledger.restored.refs == [MAIN]
        assert {aside.name.split("-")[-1] for aside in ledger.restored.quarantined} == {path.name, "main"}
        assert ledger.get("k").entry.cell.value == 1
    with open_ledger(root) as ledger:
        assert ledger.restored is None


def test_a_truncated_head_and_config_are_written_again(root: Path) -> None:
    for name in ("HEAD", "config"):
        path = root / "payloads.git" / name
        os.truncate(path, path.stat().st_size // 2)
    with open_ledger(root) as ledger:
        assert ledger.restored is not None
        assert {path.name for path in ledger.restored.rewritten} == {"HEAD", "config"}
    Git(root / "payloads.git")("fsck")


def test_a_published_line_is_back_on_main_and_not_on_its_own_branch(root: Path) -> None:
    with open_ledger(root) as ledger:
        me = ledger.session("agent", "1")
        me.start()
        tip = me.record([NOTE]).commits[0]
        me.publish()
    (root / "ledger.git" / MAIN).unlink()
    restart(root)
    with open_ledger(root) as ledger:
        assert ledger.place.store.refs() == {MAIN: tip}


def test_a_private_line_is_back_on_its_own_branch_and_not_on_main(root: Path) -> None:
    with open_ledger(root) as ledger:
        me = ledger.session("agent", "1")
        me.start()
        main, tip = ledger.place.store.ref(MAIN), me.record([NOTE]).commits[0]
    (root / "ledger.git" / session_ref(me.id)).unlink()
    restart(root)
    with open_ledger(root) as ledger:
        assert ledger.place.store.refs() == {MAIN: main, session_ref(me.id): tip}


def test_an_event_that_stands_on_ground_that_nobody_kept_is_carried_by_another_commit(root: Path) -> None:
    """Durability is each writer's own: what one wrote with none may vanish below what another had acknowledged."""
    with open_ledger(root) as ledger:
        ledger.session("agent", "1").set("before", 1)
    with open_ledger(root, durability="none") as careless:
        lost = careless.session("agent", "2").set("careless", 1)
    with open_ledger(root) as ledger:
        kept = ledger.session("agent", "1").set("after", 2)
    for oid in lost.commits + kept.commits:
        (root / "ledger.git" / "objects" / oid[:2] / oid[2:]).unlink()
    restart(root)
    with open_ledger(root) as ledger:
        assert ledger.restored is not None
        assert (ledger.restored.recommitted, ledger.restored.lost) == (1, [])
        assert kept.events[0].id in reachable(ledger)
        assert ledger.get("after").entry.cell.value == 2
        problems = verify(ledger.place, full=True).problems
    # The head that was seen is gone for good, and verify says so; all else is sound.
    assert {problem.kind for problem in problems} <= {"history-rewritten"}


@pytest.mark.parametrize("packed", [False, True], ids=["gone", "turned-back"])
def test_a_lost_main_is_noticed_at_once(root: Path, packed: bool) -> None:
    """No restart is needed to see it; an older value among the packed refs does not pass for the ref."""
    with open_ledger(root) as ledger:
        me = ledger.session("agent", "1")
        me.set("k", 1)
        if packed:
            Git(root / "ledger.git")("pack-refs", "--all")
        tip = me.set("k", 2).commits[0]
    (root / "ledger.git" / MAIN).unlink()
    with open_ledger(root) as ledger:
        assert ledger.place.store.ref(MAIN) == tip
        assert ledger.restored is not None
        assert ledger.restored.refs == [MAIN]


def test_a_lost_private_branch_is_noticed_at_once(root: Path) -> None:
    with open_ledger(root) as ledger:
        me = ledger.session("agent", "1")
        me.start()
        tip = me.record([NOTE]).commits[0]
    (root / "ledger.git" / session_ref(me.id)).unlink()
    with open_ledger(root) as ledger:
        assert ledger.place.store.ref(session_ref(me.id)) == tip


def test_main_is_back_from_the_remembered_head_where_the_journals_were_cut(root: Path) -> None:
    with open_ledger(root) as ledger:
        tip = ledger.session("agent", "1").set("k", 1).commits[0]
    gc(Layout(root))
    for path in (root / "ledger.git" / MAIN, root / "ledger.git" / "packed-refs"):
        path.unlink(missing_ok=True)
    with open_ledger(root) as ledger:
        assert ledger.place.store.ref(MAIN) == tip


def test_a_sound_ledger_is_not_restored_and_asking_does_not_write(root: Path) -> None:
    write_history(root, random.Random(2), 10)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert not needs_restoring(Layout(root))
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_write_that_failed_does_not_come_back(root: Path) -> None:
    """What was refused was not acknowledged; its journal record says so."""
    with open_ledger(root) as ledger:
        me = ledger.session("agent", "1")
        me.start()
        before = reachable(ledger)
        place = ledger.place
        kept, place.store = place.store, Refusing(place.store)  # type: ignore[assignment]
        with pytest.raises(StorageError):
            me.set("k", "refused")
        place.store = kept
    restart(root)
    with open_ledger(root) as ledger:
        assert reachable(ledger) == before


class Refusing:
    """A store on a disk that takes no more refs."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def move_ref(self, name: str, new: Oid | None, old: Oid | None) -> bool:
        """Refused."""
        raise StorageError(f"{name}: no space left on device")


def test_the_lock_of_a_killed_writer_holds_nobody_up_for_long(root: Path) -> None:
    """git's lock file stays where its owner was killed; nobody has to remove it by hand."""
    with open_ledger(root) as ledger:
        lock = root / "ledger.git" / f"{MAIN}.lock"
        lock.touch()
        ledger.session("agent", "1").set("k", 1)
        assert not lock.exists()
        assert ledger.get("k").entry.cell.value == 1


@pytest.mark.parametrize("seed", range(3))
def test_writers_that_are_killed_at_any_moment_lose_nothing_that_they_acknowledged(root: Path, seed: int) -> None:
    chance = random.Random(seed)
    spawn = multiprocessing.get_context("spawn")
    acks = [root.parent / f"acked-{n}" for n in range(3)]
    writers = [spawn.Process(target=write_until_killed, args=(str(root), f"{n}", str(acks[n]))) for n in range(3)]
    for writer in writers:
        writer.start()
    while not all(path.exists() and path.stat().st_size > 400 for path in acks):
        assert all(writer.is_alive() for writer in writers)
        time.sleep(0.01)
    for writer in writers:
        time.sleep(chance.random() / 20)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
    acked = [line for path in acks for line in path.read_text().split("\n")[:-1]]
    if seed:
        restart(root)
    require_whole(root, acked)
    with open_ledger(root) as ledger:
        ledger.session("agent", "next").set("k", "goes on")
