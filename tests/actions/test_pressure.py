"""A disk that fills up: attachments are left out first, then recording stops, reading goes on, and all resumes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.actions.payloads import Claude, events, types

from ledger.actions.checkpoint import checkpoint
from ledger.actions.drain import drain
from ledger.actions.health import health
from ledger.actions.tip import Author
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.errors import StorageError
from ledger.storage import spool
from ledger.storage.pressure import LOW, Level, room

SAMPLE = Path(__file__).parent.parent / "recording" / "data" / "claude-code.jsonl"
KEY = "5e551011-0000-4000-8000-000000000001"
SIZE = 64  # MiB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(ledger: Ledger, left: float) -> None:
    """Leave so many MiB of the disk free."""
    root = ledger.layout.root
    filler = root.parent / "filler"
    filler.unlink(missing_ok=True)
    free = os.statvfs(root).f_bavail * os.statvfs(root).f_frsize
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - int(left * 1024 * 1024))


def level(ledger: Ledger) -> Level:
    return room(ledger.layout).level


def test_attachments_are_left_out_first_then_recording_and_both_resume_by_themselves(
    disk: Path, tmp_path: Path
) -> None:
    create_ledger(disk / "ledger")[0].close()
    transcript = str(shutil.copy(SAMPLE, tmp_path / "transcript.jsonl"))
    with open_ledger(disk / "ledger") as ledger:
        claude = Claude(ledger.layout, key=KEY, transcript=transcript)
        claude.start()
        drain(ledger.place)
        assert level(ledger) == "none"

        fill(ledger, 2.0)
        assert level(ledger) == "low"
        claude.ask()
        claude.stop()
        assert drain(ledger.place).waiting == 1  # the payload that names the transcript
        assert "prompt.submitted" in types(ledger, claude.session)
        assert "transcript.appended" not in types(ledger, claude.session)
        assert LOW in health(ledger.place, ())

        fill(ledger, 0.5)
        assert level(ledger) == "critical"
        claude.use()
        with pytest.raises(StorageError, match="recording has stopped"):
            drain(ledger.place)
        with pytest.raises(StorageError, match=r"0\.5 MB are free") as told:
            ledger.person().set("k", 1)
        assert told.value.exit_code == 7
        assert ledger.agents()  # reading goes on
        assert len(spool.waiting(ledger.layout)) == 2

        (disk / "filler").unlink()
        assert level(ledger) == "none"
        assert drain(ledger.place).waiting == 0
        found = events(ledger, claude.session)
        assert {"tool.completed", "transcript.appended"} <= {event.type for event in found}
        assert len({event.id for event in found}) == len(found)
        refs = [event.origin["ref"] for event in found if event.origin]
        assert len(set(refs)) == len(refs)


def test_a_working_tree_is_left_out_and_the_checkpoint_says_so(disk: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    (project / "a.txt").write_text("a\n")
    with create_ledger(disk / "ledger")[0] as ledger:
        fill(ledger, 2.0)
        done = checkpoint(ledger.place, Author.person(ledger.place), "by hand", worktree=project)
        assert (done.worktree, done.missing) == (None, LOW)
        (disk / "filler").unlink()
        assert checkpoint(ledger.place, Author.person(ledger.place), "by hand", worktree=project).worktree is not None


def test_a_disk_without_inodes_to_spare_keeps_no_attachments(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=2000", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with create_ledger(place / "ledger")[0] as ledger:
            (place / "many").mkdir()
            for number in range(os.statvfs(place).f_ffree - 20):
                (place / "many" / str(number)).touch()
            assert level(ledger) == "low"
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
