"""Whoever was declared dead writes no more for the session, and what it wanted to write is not lost."""

from __future__ import annotations

import json

import pytest

from ledger.actions.recover import recover
from ledger.api import Ledger
from ledger.errors import FencedError
from ledger.storage import spool


def test_what_a_process_wants_to_write_that_was_declared_dead_is_refused_and_kept_without_secrets(
    disk_ledger: Ledger,
) -> None:
    me = disk_ledger.session("agent 7", "run")
    me.start()
    secret = "ghp_" + "a1B2" * 9
    recover(disk_ledger.place, me.id, force=True)
    with pytest.raises(FencedError, match=f"session {me.id} was taken from process") as refused:
        me.note(f"the token is {secret}")
    assert f"ledger session resume {me.id[:8]}" in str(refused.value.hint)
    (kept,) = spool.rejected(disk_ledger.layout)
    assert "declared dead" in kept.reason
    raw = "".join(path.read_text() for path in (disk_ledger.layout.spool / "rejected").iterdir())
    assert "the token is" in raw
    assert secret not in raw
    assert json.dumps("note.added") in raw


def test_who_resumes_it_is_let_in_again(disk_ledger: Ledger) -> None:
    me = disk_ledger.session("agent", "run")
    me.start()
    recover(disk_ledger.place, me.id, force=True)
    me.resume()
    assert me.note("goes on").events
    assert spool.rejected(disk_ledger.layout) == []
