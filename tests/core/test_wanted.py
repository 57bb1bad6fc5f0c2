"""Wanted: conditions on events, and what each of them means by a name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.golden_events import EVENTS

from ledger.core.clock import micros
from ledger.core.wanted import Wanted, is_below, is_in_family, is_within

CALL = next(event for event in EVENTS.values() if event.type == "tool.completed")
CALL = replace(CALL, data=CALL.data | {"files": ["/home/ann/shop/src/auth/login.py"]})
TIME = micros(CALL.time)


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (Wanted(), True),
        (Wanted(types=("tool",)), True),
        (Wanted(types=("tool.",), agents=("claude-code",)), True),
        (Wanted(types=("tool.failed", "tool.completed")), True),
        (Wanted(types=("tool.comp",)), False),
        (Wanted(types=("tool",), agents=("codex",)), False),
        (Wanted(sessions=(CALL.session,)), True),
        (Wanted(sessions=("other",)), False),
        (Wanted(keys=("a",)), False),
        (Wanted(paths=("src/auth",)), True),
        (Wanted(paths=("login.py",)), True),
        (Wanted(paths=("/home/ann/shop/",)), True),
        (Wanted(paths=("auth/log",)), False),
        (Wanted(authors=("CLAUDE",)), True),
        (Wanted(authors=("nobody", "laptop")), True),
        (Wanted(authors=("nobody",)), False),
        (Wanted(since=TIME, until=TIME), True),
        (Wanted(since=TIME + 1), False),
        (Wanted(until=TIME - 1), False),
    ],
)
def test_all_conditions_hold_and_one_of_their_alternatives(wanted: Wanted, holds: bool) -> None:
    assert wanted.holds(CALL, "claude-code", "laptop") is holds


def test_a_family_a_key_and_a_path_are_whole_names() -> None:
    assert is_in_family("context.set", "context")
    assert not is_in_family("contexts.set", "context")
    assert is_below("auth/decision", "auth/")
    assert not is_below("author", "auth")
    assert is_within("a/b/c", "b/c/")
    assert not is_within("a/bb/c", "b")
