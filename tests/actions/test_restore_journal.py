"""After an unclean stop every acknowledged event is back, and the history is sound."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import threading
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
from ledger.errors import DamageError, StorageError
from ledger.storage import journal
from ledger.storage.journal import sync_file_system
from ledger.storage.layout import MAIN, PRIVATE, Layout, private_ref, session_ref
from ledger.storage.maintenance import gc
from ledger.storage.queue import Queue
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


@pytest.mark.parametrize("case", ["below", "file-below", "main-too", "on-top-too"])
def test_of_a_gap_below_an_acknowledged_event_nothing_else_falls_into_it(root: Path, case: str) -> None:
    """A careless writer's events may go one by one; those that are left of them, above the gap too, are kept."""
    with open_ledger(root) as ledger:
        ledger.session("agent", "1").set("before", 1)
    with open_ledger(root, durability="none") as careless:
        lax = [careless.session("agent", "2").increment("careless").commits[0] for _ in range(4)]
        blob = Git(root / "ledger.git")("rev-parse", f"{lax[1]}:context/careless.yaml")
    with open_ledger(root) as ledger:
        kept = ledger.session("agent", "1").set("after", 2)
    forget(root, blob if case == "file-below" else lax[1])
    if case == "main-too":
        (root / "ledger.git" / MAIN).unlink()
    if case == "on-top-too":
        forget(root, kept.commits[0])
    restart(root)
    with open_ledger(root) as ledger:
        assert ledger.restored is not None
        assert ledger.restored.lost == []
        assert kept.events[0].id in reachable(ledger)
        assert (ledger.get("before").entry.cell.value, ledger.get("after").entry.cell.value) == (1, 2)
        assert ledger.get("careless").entry.cell.value == (4 if case == "file-below" else 3)
        problems = verify(ledger.place, full=True).problems
    assert {problem.kind for problem in problems} <= {"history-rewritten"}
    with open_ledger(root) as ledger:
        assert (ledger.restored, ledger.unrestored) == (None, None)


def forget(root: Path, *oids: str) -> None:
    """What a power cut takes of what nobody synced."""
    for oid in oids:
        (root / "ledger.git" / "objects" / oid[:2] / oid[2:]).unlink()


@pytest.mark.parametrize("seed", range(8))
def test_beside_careless_writers_a_power_cut_takes_nothing_that_was_acknowledged(root: Path, seed: int) -> None:
    chance = random.Random(seed)
    acked, secret = write_beside_careless_ones(root, chance)
    cut_power(root, chance)
    with open_ledger(root) as ledger:
        assert ledger.unrestored is None
        found = reachable(ledger)
        assert set(acked) <= set(found)
        assert len(found) == len(set(found))
        assert secret.isdisjoint(event.session for event in shared(ledger))
        problems = verify(ledger.place, full=True).problems
    assert {problem.kind for problem in problems} <= {"history-rewritten"}


def write_beside_careless_ones(root: Path, chance: random.Random) -> tuple[list[str], set[str]]:
    """Writes of sessions of full and of no durability, on one main; what was acknowledged, and who is private."""
    acked = []
    with open_ledger(root) as ledger, open_ledger(root, durability="none") as lax:
        careful = [ledger.session("writer", f"careful {number}") for number in range(3)]
        careless = [lax.session("writer", f"careless {number}") for number in range(3)]
        careful.append(ledger.session("writer", "hidden", private=True))
        careless.append(lax.session("writer", "hidden too", private=True))
        for number in range(chance.randrange(5, 40)):
            if chance.random() < 0.5:
                write_something(chance.choice(careless), chance, number)
            else:
                acked += [event.id for event in write_something(chance.choice(careful), chance, number)]
            if chance.random() < 0.03:
                acked += [event.id for event in careful[0].record([NOTE] * 70).events]
        return acked, {careful[-1].id, careless[-1].id}


def shared(ledger: Ledger) -> list[Event]:
    """The events on every line but the private ones."""
    tips = [oid for ref, oid in ledger.place.store.refs().items() if not ref.startswith(PRIVATE)]
    return events_of(ledger.place.store.walk(tips, order="oldest"))


def test_what_comes_back_of_a_private_batch_stays_private(root: Path) -> None:
    """Its branch and its ground are gone, and of a batch only the last record names the branch."""
    with open_ledger(root, durability="none") as careless:
        before = careless.place.store.ref(MAIN)
        lost = careless.session("agent", "2").set("careless", 1)
    with open_ledger(root) as ledger:
        me = ledger.session("agent", "1", private=True)
        acked = me.record([NOTE] * 3).events
    forget(root, *lost.commits)
    (root / "ledger.git" / MAIN).write_text(f"{before}\n")
    (root / "ledger.git" / private_ref(me.id)).unlink()
    restart(root)
    with open_ledger(root) as ledger:
        assert {event.id for event in acked} <= set(reachable(ledger))
        assert [event for event in shared(ledger) if event.session == me.id] == []


def test_a_private_session_of_which_nothing_is_left_stays_private(root: Path) -> None:
    with open_ledger(root, durability="none") as careless:
        apart, open_ = careless.session("agent", "1", private=True), careless.session("agent", "2")
        forgotten = apart.note("x").commits + open_.record([NOTE]).commits
    forget(root, *forgotten)
    restart(root)
    with open_ledger(root) as ledger:
        assert sorted(ledger.place.store.refs()) == [MAIN, private_ref(apart.id)]
        apart, open_ = ledger.session("agent", "1"), ledger.session("agent", "2")
        apart.note("y")
        open_.note("y")
        assert {event.session for event in shared(ledger)} >= {open_.id}
        assert apart.id not in {event.session for event in shared(ledger)}


def test_the_journal_of_an_event_that_cannot_be_put_anywhere_is_kept(root: Path) -> None:
    with open_ledger(root, durability="none") as careless:
        lost = careless.session("agent", "2").set("careless", 1)
    with open_ledger(root) as ledger:
        (kept,) = ledger.session("agent", "1").set("k", 2).events
    for path in (root / "heads", Layout(root).journal_of(ledger.person().id)):
        path.unlink()
    forget(root, *lost.commits)
    restart(root)
    with open_ledger(root) as ledger:
        assert ledger.restored is not None
        assert any(kept.id in told for told in ledger.restored.lost)
    quarantined = [journal.read(path) for path in Layout(root).quarantine.glob("*.journal")]
    assert any(kept.id.encode() in record.raw for reading in quarantined for record in reading.records)


def test_a_session_that_begins_while_restoration_waits_is_left_alone(root: Path) -> None:
    """Its journal is not held, hence neither read nor cut: its writer may be between two steps."""
    layout = Layout(root)
    with open_ledger(root) as ledger:
        me = ledger.session("agent", "1")
        with Queue(layout.queue_lock).hold(0):
            restart(root)
            opening = threading.Thread(target=lambda: open_ledger(root).close())
            opening.start()
            while not any(layout.locks.glob("queue.line/0*")):
                time.sleep(0.002)
            acked = me.record([NOTE]).commits
        opening.join()
        assert [record.oid for record in journal.read(layout.journal_of(me.id)).records][-1:] == [*acked]


def test_of_many_that_open_a_ledger_at_once_one_restores_it(root: Path) -> None:
    layout = Layout(root)
    with open_ledger(root) as ledger:
        ledger.session("agent", "1").set("k", 1)
    restart(root)
    opened: list[Ledger] = []
    openings = [threading.Thread(target=lambda: opened.append(open_ledger(root))) for _ in range(4)]
    with Queue(layout.queue_lock).hold(0):
        for opening in openings:
            opening.start()
        time.sleep(0.3)  # long enough to find that it is due; who is late finds that it is not
    for opening in openings:
        opening.join()
    assert sorted(one.restored is not None for one in opened) == [False, False, False, True]
    assert [one.unrestored for one in opened] == [None] * 4
    for one in opened:
        one.close()


def test_more_sessions_than_a_process_may_open_files_come_back(root: Path) -> None:
    for number in range(60):
        with open_ledger(root) as ledger:
            ledger.session("agent", f"{number}").note("x")
    restart(root)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len([*Path("/dev/fd").iterdir()]) + 30, hard))
    try:
        with open_ledger(root) as ledger:
            assert ledger.unrestored is None
            assert ledger.restored is not None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


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


def test_a_ledger_with_damage_that_no_journal_mends_is_opened_and_says_so(root: Path) -> None:
    with open_ledger(root) as ledger:
        ledger.session("agent", "1").set("k", 1)
    gc(Layout(root))
    (pack,) = (root / "ledger.git" / "objects" / "pack").glob("*.pack")
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:12] + bytes(pack.stat().st_size - 12))
    restart(root)
    with open_ledger(root) as ledger:
        assert isinstance(ledger.unrestored, DamageError)
