"""The bar: on a terminal only, after a second only, and gone when the work is done."""

from __future__ import annotations

import io
import time

import pytest

from ledger.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    monkeypatch.setattr("sys.stderr", made)
    return made


def test_what_takes_over_a_second_shows_how_far_it_is_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = terminal_of(monkeypatch)
    with progress("verifying", is_wanted=True) as show:
        show(1, 4)
        assert terminal.getvalue() == ""
        time.sleep(1.05)
        show(1, 2)
        assert terminal.getvalue() == "\rverifying ████████████░░░░░░░░░░░░  50%"
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_no_total_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with progress("importing", is_wanted=True) as show:
        time.sleep(1.05)
        show(0, 0)
    assert "100%" in terminal.getvalue()


def test_a_quiet_call_and_a_file_get_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with progress("verifying", is_wanted=False) as show:
        time.sleep(1.05)
        show(1, 2)
    assert terminal.getvalue() == ""
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    with progress("verifying", is_wanted=True) as show:
        time.sleep(1.05)
        show(1, 2)
    assert file.getvalue() == ""
