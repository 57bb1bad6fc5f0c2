"""What is wrong with a ledger is said in words, each with what to do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.actions.append import Draft
from ledger.actions.health import Spool, health, hindrances, spool
from ledger.actions.presence import Present, presence
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.core.state import LEDGER
from ledger.storage.layout import MAIN, session_ref
from ledger.storage.spool import put
from ledger.storage.switches import ALL, SYNC, Switch, turn_off, turn_on
from ledger.storage.tree import encode


def wrong(ledger: Ledger) -> list[str]:
    return health(ledger.place, presence(ledger.place))


def test_a_new_ledger_is_in_good_health(ledger: Ledger) -> None:
    assert wrong(ledger) == []
    assert hindrances(ledger.place) == []
    assert spool(ledger.place) == Spool(0, 0)


def test_a_ledger_of_a_newer_program_can_be_read_only(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.core.fold.FOLD", 0)
    (words,) = wrong(ledger)
    assert words.startswith("this ledger has fold 1")
    assert "pip install -U" in words


@pytest.mark.parametrize("days", [-8, 500])
def test_a_clock_that_jumped_is_named(ledger: Ledger, days: int) -> None:
    now = ledger.place.now
    ledger.place.now = lambda: now() + days * 86_400_000_000
    (words,) = wrong(ledger)
    assert words.startswith("the clock says")
    assert "LEDGER_ACCEPT_CLOCK" in words
    ledger.place.accepts_clock = True
    assert wrong(ledger) == []


@pytest.mark.parametrize("name", [ALL, SYNC])
def test_a_switch_that_keeps_main_where_it_is_is_named(disk_ledger: Ledger, name: str) -> None:
    turn_off(disk_ledger.layout, Switch(name, because="drill"))
    (words,) = hindrances(disk_ledger.place)
    assert words.endswith(f" is off: drill; turn it on again: ledger on {name}")
    assert wrong(disk_ledger) == [words]
    turn_on(disk_ledger.layout, name)
    assert hindrances(disk_ledger.place) == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, where the tests may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_full_or_read_only_is_named_with_a_way_out(small: Path) -> None:
    with create_ledger(small / "ledger")[0] as ledger:
        root = ledger.layout.root
        assert wrong(ledger) == []
        with suppress(OSError), (small / "rest").open("wb", buffering=0) as rest:
            while True:
                rest.write(b"\0" * 4096)
        (words,) = hindrances(ledger.place)
        assert words.startswith(f"{root}: No space left on device; the disk is full: free some space")
        assert wrong(ledger) == [words]
        (small / "rest").unlink()
        assert wrong(ledger) == []
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    with open_ledger(root) as ledger:
        (words,) = wrong(ledger)
        assert words.startswith(f"{root}: Read-only file system; the file system is read-only")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_ledger_that_one_may_only_read_is_named(disk_ledger: Ledger) -> None:
    root = disk_ledger.layout.root
    root.chmod(0o500)
    (words,) = wrong(disk_ledger)
    root.chmod(0o700)
    assert words.startswith(f"{root}: Permission denied; you may not write there")


def test_a_main_that_left_its_line_is_named(disk_ledger: Ledger) -> None:
    disk_ledger.person().set("a", "x")
    store = disk_ledger.place.store
    assert store.move_ref(MAIN, _a_commit_beside(disk_ledger), store.ref(MAIN))
    assert any("no longer on the line" in words for words in wrong(disk_ledger))


def test_what_was_moved_aside_or_rejected_is_counted(disk_ledger: Ledger) -> None:
    layout = disk_ledger.layout
    (layout.quarantine / "object").touch()
    (layout.spool / "rejected" / "payload").touch()
    (layout.spool / "rejected" / "payload.reason").touch()
    (layout.spool / "new" / "payload").touch()
    assert spool(disk_ledger.place) == Spool(1, 1)
    first, second = wrong(disk_ledger)
    assert first.startswith("captured payloads that could not be recorded: 1, in ")
    assert second.startswith("damaged files that were moved aside: 1; `ledger verify`")


def test_payloads_that_wait_elsewhere_are_counted_and_named(
    disk_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    layout = disk_ledger.layout
    layout.place_id.write_text("0" * 31 + "1\n")
    (layout.spool / "tmp").rmdir()
    (layout.spool / "tmp").touch()
    kept = put(layout, "codex", "Stop", 1, b"{}")
    assert spool(disk_ledger.place) == Spool(1, 0)
    (words,) = wrong(disk_ledger)
    assert words.startswith(f"captured payloads wait in {kept.path.parent}, as the ledger could not be written")


def test_a_spool_that_is_gone_holds_nothing(disk_ledger: Ledger) -> None:
    (disk_ledger.layout.spool / "new").rmdir()
    assert spool(disk_ledger.place) == Spool(0, 0)


def test_of_many_crashed_sessions_a_few_are_named_and_the_rest_counted(disk_ledger: Ledger) -> None:
    one = Present("0" * 36, "a", "crashed", 1, "", "", why="process 1 is gone")
    found = health(disk_ledger.place, [one] * 7)
    assert (
        found[:5]
        == ["session 00000000 (a) crashed: process 1 is gone; `ledger session resume 00000000`, or `… end 00000000`"]
        * 5
    )
    assert found[5:] == ["2 more sessions crashed: `ledger sessions`"]


def test_a_live_file_that_cannot_be_read_is_named(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=os.getpid())
    (disk_ledger.layout.live / session.id).write_bytes(b"")
    assert wrong(disk_ledger) == [f"session {session.id[:8]} (a) is unreadable: its live file cannot be read"]


def test_a_head_that_cannot_be_read_is_words_too(disk_ledger: Ledger) -> None:
    heads, oid = disk_ledger.place.heads, "ab" * 20
    assert heads is not None
    heads.remember(MAIN, oid)
    damaged = disk_ledger.layout.git_dir / "objects" / oid[:2] / oid[2:]
    damaged.parent.mkdir()
    damaged.write_bytes(b"no object")
    (words,) = wrong(disk_ledger)
    assert "does not inflate" in words


def test_a_session_whose_line_is_damaged_hides_no_other_and_is_named(disk_ledger: Ledger) -> None:
    """Opening the ledger anew mends it where its journal is still there."""
    for key in ("1", "2"):
        disk_ledger.session("a", key).record([Draft("note.added", {"text": key})])
    session = disk_ledger.session("a", "1").id
    (disk_ledger.layout.git_dir / session_ref(session)).write_text("ab" * 20 + "\n")
    assert [one.key for one in presence(disk_ledger.place) if one.agent == "a"] == ["2"]
    (words,) = wrong(disk_ledger)
    assert words.startswith(f"the line of session {session} cannot be read: ")


def _a_commit_beside(ledger: Ledger) -> str:
    store = ledger.place.store
    tip = store.ref(MAIN)
    assert tip is not None
    tree = store.edit_tree(store.commit(tip).tree, encode({LEDGER: None}))
    raw = store.commit_raw(tip).replace(store.commit(tip).tree.encode(), tree.encode())
    return store.write_commit(raw)
