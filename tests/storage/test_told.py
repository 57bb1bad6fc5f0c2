"""What a session was told is remembered by small files that may be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.core.ids import SessionId
from ledger.storage import told
from ledger.storage.layout import Layout
from ledger.storage.told import Told

ME, OTHER = str(SessionId.of("a", "me")), str(SessionId.of("a", "other"))
TIP = "1234567890" * 4


def test_what_was_told_is_remembered(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    told.remember(layout, ME, Told(TIP, 2, 300), tmp_path / "work")
    told.remember(layout, OTHER, Told(TIP, 1, 20))
    assert told.told_to(layout, ME) == Told(TIP, 2, 300)
    assert told.last_in(layout, tmp_path / "work") == ME
    assert dict(told.all_told(layout)) == {ME: Told(TIP, 2, 300), OTHER: Told(TIP, 1, 20)}


def test_before_anything_was_told_there_is_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert told.told_to(layout, ME) == Told()
    assert told.last_in(layout, tmp_path) is None
    assert list(told.all_told(layout)) == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"one", b"a b c d", f"{TIP} x 1".encode()])
def test_a_file_that_cannot_be_read_counts_as_nothing(tmp_path: Path, content: bytes) -> None:
    layout = Layout(tmp_path)
    told.remember(layout, ME, Told(TIP, 2, 300), tmp_path / "work")
    layout.told_to(ME).write_bytes(content)
    layout.told_in(tmp_path / "work").write_bytes(content)
    assert told.told_to(layout, ME) == Told()
    assert told.last_in(layout, tmp_path / "work") is None


def test_a_tip_that_is_not_known_yet_is_none_when_read_again(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    told.remember(layout, ME, Told("", 1, 5))
    assert told.told_to(layout, ME) == Told("", 1, 5)
