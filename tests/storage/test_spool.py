"""What is in the spool is whole, stays, and is told as it was captured."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.errors import InvalidError, StorageError
from ledger.storage import spool
from ledger.storage.files import write_file
from ledger.storage.layout import Layout
from ledger.storage.spool import Fired

PLACE = uuid.uuid4().hex
RAW = b'{"session_id": "s", "text": "caf\xc3\xa9"}\n\0\xff'


@pytest.fixture
def temporary(tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, and in it where this ledger's payloads go if they cannot be spooled in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    write_file(layout.place_id, f"{PLACE}\n".encode(), durable=False)
    return folder / f"ledger-{os.geteuid()}" / PLACE


def unwritable(layout: Layout) -> None:
    """Root may write anywhere, so a file stands where the folder should be."""
    (layout.spool / "tmp").rmdir()
    (layout.spool / "tmp").write_bytes(b"")


def test_a_payload_is_kept_byte_for_byte_with_whose_it_is_and_when(layout: Layout) -> None:
    before = time.time_ns() // 1000
    captured = spool.put(layout, "claude-code", "PostToolUse", 4711, RAW)
    assert (captured.agent, captured.event, captured.pid) == ("claude-code", "PostToolUse", 4711)
    assert captured.path.name == f"claude-code~PostToolUse~4711~{captured.id}"
    assert before - 10_000 <= captured.time <= time.time_ns() // 1000
    assert spool.waiting(layout) == [captured]
    assert spool.read(captured) == RAW
    assert spool.read(captured, 5) == RAW[:5]
    assert captured.path.stat().st_mode & 0o777 == 0o600


def test_what_waits_is_told_oldest_first_and_by_name_where_times_are_equal(layout: Layout) -> None:
    put = [spool.put(layout, "codex", event, 1, b"{}") for event in ("B", "A", "C")]
    for captured, moment in zip(put, (5, 5, 1), strict=True):
        os.utime(captured.path, ns=(0, moment * 10**9))
    assert [one.event for one in spool.waiting(layout)] == ["C", "A", "B"]


def test_what_is_done_waits_no_longer(layout: Layout) -> None:
    captured = spool.put(layout, "codex", "Stop", 1, b"{}")
    spool.done(captured)
    spool.done(captured)
    assert spool.waiting(layout) == []


def test_what_is_rejected_is_kept_with_its_reason_and_without_its_secrets(layout: Layout) -> None:
    captured = spool.put(layout, "codex", "Stop", 1, b"secret")
    spool.reject(layout, captured, b"[redacted]", "it is no JSON")
    (kept,) = spool.rejected(layout)
    assert (kept.agent, kept.event, kept.reason) == ("codex", "Stop", "it is no JSON")
    assert kept.path.read_bytes() == b"[redacted]"
    assert {path.stat().st_mode & 0o777 for path in (layout.spool / "rejected").iterdir()} == {0o600}
    assert spool.waiting(layout) == []


def test_every_run_of_a_hook_is_counted_by_what_became_of_it(layout: Layout) -> None:
    for mark in ("x", "x", "o", "p", "x"):
        spool.count(layout, "codex", "Stop", mark)
    spool.count(layout, "git", "post-commit", "x")
    assert spool.fired(layout) == {("codex", "Stop"): Fired(3, 1, 1), ("git", "post-commit"): Fired(1)}


def test_foreign_files_are_left_alone_and_named(layout: Layout) -> None:
    new = layout.spool / "new"
    (new / "notes.txt").write_bytes(b"mine")
    (new / "codex~Stop~1~folder").mkdir()
    (new / "codex~Stop~1~link").symlink_to("/etc/passwd")
    assert spool.waiting(layout) == []
    assert {path.name for path in spool.strangers(layout)} == {
        "notes.txt",
        "codex~Stop~1~folder",
        "codex~Stop~1~link",
    }


def test_where_the_ledger_cannot_be_written_payloads_wait_elsewhere_and_are_found(
    layout: Layout, temporary: Path
) -> None:
    unwritable(layout)
    captured = spool.put(layout, "codex", "Stop", 1, RAW)
    assert captured.path.parent == temporary / "new"
    assert spool.waiting(layout) == [captured]
    assert spool.read(captured) == RAW
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in (temporary.parent, temporary, temporary / "new"))


def test_a_folder_for_temporary_files_that_others_may_write_is_not_trusted(layout: Layout, temporary: Path) -> None:
    temporary.mkdir(parents=True)
    temporary.chmod(0o777)
    unwritable(layout)
    with pytest.raises(StorageError):
        spool.put(layout, "codex", "Stop", 1, RAW)
    assert list(temporary.iterdir()) == []


def test_a_link_in_the_place_of_that_folder_is_not_followed(layout: Layout, temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    temporary.parent.symlink_to(tmp_path / "theirs")
    unwritable(layout)
    with pytest.raises(StorageError):
        spool.put(layout, "codex", "Stop", 1, RAW)
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_spool_that_was_removed_is_made_again(layout: Layout) -> None:
    for folder in ("tmp", "new", "rejected", "fired"):
        (layout.spool / folder).rmdir()
    layout.spool.rmdir()
    captured = spool.put(layout, "codex", "Stop", 1, RAW)
    assert captured.path.parent == layout.spool / "new"


@pytest.mark.parametrize("word", ["", "a/b", "..", "a~b", "é", "x" * 41, "a b", "a\n"])
def test_a_hook_whose_name_cannot_be_part_of_a_files_name_is_refused(layout: Layout, word: str) -> None:
    with pytest.raises(InvalidError) as refused:
        spool.put(layout, word, word, 1, b"{}")
    assert [problem.path for problem in refused.value.problems] == ["agent", "event"]


def test_a_payload_that_was_taken_away_cannot_be_read(layout: Layout) -> None:
    captured = spool.put(layout, "codex", "Stop", 1, b"{}")
    captured.path.unlink()
    with pytest.raises(StorageError):
        spool.read(captured)


@pytest.mark.parametrize(("content", "pid"), [(b"12\n", 12), (b"", None), (b"x", None), (b"\xff", None)])
def test_the_process_that_drains_is_the_one_that_says_so(layout: Layout, content: bytes, pid: int | None) -> None:
    assert spool.draining(layout) is None
    layout.draining.write_bytes(content)
    assert spool.draining(layout) == pid


@pytest.mark.parametrize("named", ["/nonexistent", "relative", ""])
def test_a_folder_for_temporary_files_that_is_none_is_not_used(
    layout: Layout, temporary: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("TMPDIR", named)
    unwritable(layout)
    captured = spool.put(layout, "codex", "Stop", 1, RAW)
    assert captured.path.parents[1] == Path("/tmp", temporary.parent.name, PLACE)
    assert spool.waiting(layout) == [captured]
    shutil.rmtree(captured.path.parents[1])
    with suppress(OSError):  # that of others in it stays
        captured.path.parents[2].rmdir()


def test_what_was_counted_elsewhere_counts(layout: Layout, temporary: Path) -> None:
    unwritable(layout)
    spool.put(layout, "codex", "Stop", 1, RAW)
    shutil.rmtree(layout.spool / "fired")
    spool.count(layout, "codex", "Stop", "x")
    assert (temporary / "fired" / "codex~Stop").read_bytes() == b"x"
    assert spool.fired(layout) == {("codex", "Stop"): Fired(1)}


def test_a_place_without_a_name_has_no_spool_elsewhere(layout: Layout, temporary: Path) -> None:
    layout.place_id.write_text("../../etc\n")
    unwritable(layout)
    with pytest.raises(StorageError):
        spool.put(layout, "codex", "Stop", 1, RAW)


def test_a_draft_that_a_killed_hook_left_is_removed_a_week_later(layout: Layout) -> None:
    old, new = layout.spool / "tmp" / "codex~Stop~1~old", layout.spool / "tmp" / "codex~Stop~1~new"
    for path, days in ((old, 8), (new, 6)):
        path.write_bytes(b"half")
        os.utime(path, times=(0, time.time() - days * 86_400))
    assert spool.sweep_drafts(layout) == 1
    assert list((layout.spool / "tmp").iterdir()) == [new]


def test_a_rejected_payload_whose_reason_was_lost_is_told_all_the_same(layout: Layout) -> None:
    (layout.spool / "rejected" / "codex~Stop~1~a").write_bytes(b"x")
    (kept,) = spool.rejected(layout)
    assert kept.reason == "the reason was not kept"


def test_a_spool_that_cannot_be_read_is_no_empty_one(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.put(layout, "codex", "Stop", 1, RAW)
    (layout.spool / "new").rename(layout.root / "aside")
    (layout.spool / "new").symlink_to("new")  # a link to itself: even root cannot read it
    with pytest.raises(StorageError):
        spool.waiting(layout)


def test_what_came_to_something_is_counted_once_however_often_it_is_met(layout: Layout) -> None:
    hook = ("codex", "Stop")
    for _ in range(3):
        spool.count(layout, *hook, "x")
    first, second, _ = (spool.put(layout, *hook, 1, b"{}") for _ in range(3))
    assert spool.came_to_something(layout) == {}
    raw = spool.read(first)
    spool.done(first)
    assert spool.came_to_something(layout) == {hook: 1}
    first.path.write_bytes(raw)  # who was killed before it was gone meets it again
    spool.done(first)
    spool.discard(second)
    assert spool.came_to_something(layout) == {hook: 1}


def test_a_hook_that_fired_before_anybody_counted_begins_with_what_it_has(layout: Layout) -> None:
    hook = ("codex", "Stop")
    for _ in range(10):
        spool.count(layout, *hook, "x")
    spool.done(spool.put(layout, *hook, 1, b"{}"))
    assert spool.came_to_something(layout) == {hook: 10}


def test_a_long_tally_is_made_short_and_says_the_same(layout: Layout) -> None:
    hook = ("codex", "Stop")
    waits = spool.put(layout, *hook, 1, b"{}")
    for number in range(1_000):
        spool.count(layout, *hook, "x")
        spool.done(waits._replace(path=waits.path.with_name(f"gone-{number}"), id=f"id-{number:010}-{'x' * 20}"))
    assert spool.came_to_something(layout) == {hook: 1_000}
    assert (layout.spool / "done" / "codex~Stop").stat().st_size < 20_000
