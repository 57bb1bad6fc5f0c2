"""Switches: off for everybody at once, told with who and why, and never in the way of turning one off."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ledger.errors import InvalidError, RefusedError, StorageError
from ledger.storage import switches
from ledger.storage.layout import Layout
from ledger.storage.switches import NAMES, Switch, is_off, require_on, turn_off, turn_on

SWITCH = Switch("sync", "2026-11-22T15:13:04.000000Z", "7be1c2d3-0000-5000-8000-000000000000", "codex", "a merge")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def test_everything_is_on_until_somebody_turns_it_off(layout: Layout) -> None:
    assert switches.switches(layout) == []
    assert not any(is_off(layout, name) for name in NAMES)
    for name in NAMES:
        require_on(layout, name)


def test_a_switch_says_since_when_by_whom_and_why(layout: Layout) -> None:
    assert turn_off(layout, SWITCH)
    assert switches.switches(layout) == [SWITCH]
    with pytest.raises(RefusedError) as refused:
        require_on(layout, "sync")
    assert str(refused.value) == (
        "sharing between sessions is off since 2026-11-22T15:13:04Z, by codex (7be1c2d3): a merge"
    )
    assert refused.value.hint == "reading works; when the cause is gone: ledger on sync"


def test_a_switch_stops_its_own_part_only(layout: Layout) -> None:
    turn_off(layout, SWITCH)
    assert [name for name in NAMES if is_off(layout, name)] == ["sync"]
    require_on(layout, "remote")
    require_on(layout, "all")


def test_all_stops_everything_and_is_what_a_refusal_names(layout: Layout) -> None:
    turn_off(layout, SWITCH)
    turn_off(layout, Switch("all"))
    assert all(is_off(layout, name) for name in NAMES)
    for name in NAMES:
        with pytest.raises(RefusedError, match=r"every write is off$"):
            require_on(layout, name)


def test_turned_off_twice_the_first_account_stands(layout: Layout) -> None:
    assert turn_off(layout, SWITCH)
    assert not turn_off(layout, Switch("sync", because="another"))
    assert switches.switches(layout) == [SWITCH]


def test_turned_on_nothing_is_left_of_it(layout: Layout) -> None:
    turn_off(layout, SWITCH)
    turn_off(layout, Switch("hooks"))
    assert turn_on(layout, "sync")
    assert [one.name for one in switches.switches(layout)] == ["hooks"]
    assert turn_on(layout, "hooks")
    assert not turn_on(layout, "hooks")
    assert list(layout.root.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_a_switch_whose_file_makes_no_sense_is_off_all_the_same(layout: Layout, content: bytes) -> None:
    layout.off.mkdir()
    (layout.off / "sync").write_bytes(content)
    assert is_off(layout, "sync")
    assert switches.switches(layout) == [Switch("sync")]


def test_a_full_disk_leaves_the_switch_off_without_its_account(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(switches, "write_file", full)
    assert turn_off(layout, SWITCH)
    assert switches.switches(layout) == [Switch("sync")]


def test_a_disk_that_takes_no_file_at_all_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(switches, "make_folder", refuse)
    with pytest.raises(StorageError, match="Read-only file system"):
        turn_off(layout, SWITCH)


def test_a_file_made_by_hand_where_the_folder_belongs_stops_everything(layout: Layout) -> None:
    layout.off.touch()
    assert switches.switches(layout) == [Switch("all")]
    assert not turn_off(layout, Switch("all"))
    assert turn_on(layout, "all")
    assert switches.switches(layout) == []


def test_a_name_that_is_no_switch_is_refused_and_never_becomes_a_path(layout: Layout) -> None:
    for refused in (lambda: turn_off(layout, Switch("../x")), lambda: turn_on(layout, "../x")):
        with pytest.raises(InvalidError, match=r"\.\./x: is none of: sync, hooks, remote, all"):
            refused()
    assert list(layout.root.parent.glob("x")) == []


def test_a_ledger_in_memory_has_everything_on() -> None:
    assert not is_off(None, "all")
    require_on(None, "all")
