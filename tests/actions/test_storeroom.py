"""The store: each thing that can be wrong with it is provoked, named as itself, and repaired as far as it can be."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.actions.git import Git

from ledger.actions.backup import back_up
from ledger.actions.doctor import Check
from ledger.actions.repair import Repaired, repair
from ledger.actions.storeroom import CHECKS, storeroom
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.errors import DamageError, NotFoundError, RefusedError
from ledger.storage import turning
from ledger.storage.layout import MAIN, Layout
from ledger.storage.maintenance import gc
from ledger.storage.switches import ALL, Switch, turn_off

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
HOUR = 3600


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    opened, _ = create_ledger(tmp_path / "ledger")
    me = opened.session("agent", "one")
    me.start()
    for number in range(10):
        me.set(f"key/{number}", f"value {number}")
    gc(opened.layout)  # the journals are cut: what is damaged now is in no journal
    me.set("key/last", "loose")
    return opened


def named(ledger: Ledger) -> list[str]:
    """What is wrong with the store, by name."""
    return [name for name, (wrong, _) in storeroom(ledger.place, ledger.layout) if wrong]


def old(path: Path) -> None:
    then = time.time() - HOUR
    os.utime(path, (then, then))


def blob_of(ledger: Ledger, path: str) -> Path:
    """The file of the object that holds a state file."""
    git = Git(ledger.layout.git_dir)
    oid = git("rev-parse", f"main:{path}")
    return ledger.layout.git_dir / "objects" / oid[:2] / oid[2:]


def pack(ledger: Ledger, suffix: str) -> Path:
    (found,) = (ledger.layout.git_dir / "objects" / "pack").glob(f"pack-*{suffix}")
    found.chmod(0o600)
    return found


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))


def test_a_sound_store_has_nothing_wrong_with_it_and_nothing_to_repair(ledger: Ledger) -> None:
    assert named(ledger) == []
    assert repair(ledger.place) == Repaired()


def open_to_all(ledger: Ledger) -> None:
    (ledger.layout.git_dir / "config").chmod(0o644)


def leave_lock(ledger: Ledger) -> None:
    lock = ledger.layout.git_dir / "refs" / "heads" / "main.lock"
    lock.write_bytes(b"")
    lock.chmod(0o600)
    old(lock)


def cut_ref(ledger: Ledger) -> None:
    ref = ledger.layout.git_dir / MAIN
    ref.write_bytes(b"")


def cut_object(ledger: Ledger) -> None:
    blob_of(ledger, "context/key/last.yaml").write_bytes(b"")


def delete_object(ledger: Ledger) -> None:
    blob_of(ledger, "context/key/last.yaml").unlink()


def damage_index(ledger: Ledger) -> None:
    flip(pack(ledger, ".idx"), -30)


@pytest.mark.parametrize(
    ("harm", "names"),
    [
        (open_to_all, {"modes"}),
        (leave_lock, {"locks"}),
        (cut_ref, {"refs"}),
        (cut_object, {"objects", "links"}),
        (delete_object, {"links"}),
        (damage_index, {"objects"}),
    ],
)
def test_what_is_wrong_is_named_and_repaired(ledger: Ledger, harm: Callable[[Ledger], None], names: set[str]) -> None:
    harm(ledger)
    assert names <= set(named(ledger))
    done = repair(ledger.place)
    assert done.left == ()
    assert done.done or done.quarantined
    assert named(ledger) == []
    assert ledger.get("key/last").entry.cell.value == "loose"
    assert repair(ledger.place) == Repaired()


def test_of_a_damaged_pack_all_is_kept_that_can_be_read_and_the_rest_comes_from_a_backup(
    ledger: Ledger, tmp_path: Path
) -> None:
    back_up(ledger.place, tmp_path / "backup")
    whole = pack(ledger, ".pack")
    flip(whole, whole.stat().st_size // 2)
    ledger.place.store.close()
    assert "objects" in named(ledger)
    done = repair(ledger.place, tmp_path / "backup")
    assert done.left == ()
    assert any("quarantine" in path for path in done.quarantined)
    assert verify(ledger.place, full=True).ok
    assert [ledger.get(f"key/{number}").entry.cell.value for number in range(10)] == [f"value {n}" for n in range(10)]


def test_what_nobody_has_stays_lost_and_is_named(ledger: Ledger) -> None:
    whole = pack(ledger, ".pack")
    flip(whole, whole.stat().st_size // 2)
    ledger.place.store.close()
    done = repair(ledger.place)
    assert done.left != () or verify(ledger.place, full=True).ok
    assert {problem.kind for problem in done.left} <= {
        *("missing-object", "damaged-object", "unverifiable", "history-rewritten", "tree", "unknown-file", "bad-ref")
    }


def test_missing_objects_are_fetched_from_a_remote(ledger: Ledger, tmp_path: Path) -> None:
    clone = tmp_path / "clone.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(ledger.layout.git_dir), str(clone)], check=True)
    Git(ledger.layout.git_dir)("remote", "add", "origin", str(clone))
    tip = Git(ledger.layout.git_dir)("rev-parse", "main~3")
    whole = pack(ledger, ".pack")
    shutil.move(whole, tmp_path / whole.name)
    ledger.place.store.close()
    assert "links" in named(ledger)
    done = repair(ledger.place)
    assert "objects were fetched from origin" in done.done
    assert done.left == ()
    assert ledger.place.store.commit(tip).oid == tip
    assert Git(ledger.layout.git_dir)("for-each-ref", "refs/repair") == ""


def test_main_off_its_line_is_named_and_is_for_a_person_to_judge(ledger: Ledger) -> None:
    git = Git(ledger.layout.git_dir)
    tree = git("rev-parse", "main^{tree}")
    stray = git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit-tree", "-m", "stray", tree)
    git("update-ref", "refs/heads/main", stray)
    assert "history" in named(ledger)


def test_a_clock_that_jumped_is_named(ledger: Ledger) -> None:
    now = ledger.place.now
    ledger.place.now = lambda: now() - 30 * 86_400_000_000
    assert named(ledger) == ["clock"]


def test_an_epoch_that_was_cut_short_is_named_and_carried_out(ledger: Ledger) -> None:
    turning.begin_unless_begun(ledger.layout)
    assert named(ledger) == ["epoch"]
    assert repair(ledger.place).done == ["a change to a new epoch was brought to its end"]
    assert named(ledger) == []


def test_nothing_is_repaired_while_writing_is_off(ledger: Ledger) -> None:
    turn_off(ledger.layout, Switch(ALL))
    with pytest.raises(RefusedError):
        repair(ledger.place)


def test_what_is_no_backup_is_refused_before_anything_is_touched(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is no backup"):
        repair(ledger.place, tmp_path)
    (tmp_path / "file").write_bytes(b"no bundle")
    with pytest.raises(DamageError):
        repair(ledger.place, tmp_path / "file")


def test_every_finding_has_a_page_and_every_page_a_finding() -> None:
    of_recording = [
        *("recording", "launcher", "codex settings", "codex hooks", "codex trust", "git hooks", "spool", "rejected"),
        *("strangers", "codex events"),
    ]
    wanted = {Check(name, True, "").runbook for name in (*of_recording, *CHECKS)}
    assert {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"} == wanted


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        create_ledger(place / "ledger")[0].close()
        with open_ledger(place / "ledger") as ledger:
            subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
            found = dict(storeroom(ledger.place, Layout(place / "ledger")))
            assert "Read-only" in found["disk"][0]
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
