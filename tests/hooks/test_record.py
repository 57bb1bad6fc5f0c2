"""Python keeps a payload where the shell cannot, as the shell would have done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.hooks.conftest import Hook

from ledger.hooks import record
from ledger.storage import spool
from ledger.storage.spool import Fired


def told(payload: bytes, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let a payload be on standard input."""
    (folder / "payload").write_bytes(payload)
    monkeypatch.setattr(sys, "stdin", (folder / "payload").open())


def call(hook: Hook, *more: str) -> int:
    with_stdin = sys.stdin
    try:
        return record.main([str(hook.layout.root), "codex", "Stop", "7", *more])
    finally:
        with_stdin.close()


def test_a_payload_is_kept_under_the_name_that_the_shell_would_give_it(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(b"{}\0\xff", monkeypatch, tmp_path)
    assert call(hook) == 0
    (captured,) = spool.waiting(hook.layout)
    assert (captured.agent, captured.event, captured.pid) == ("codex", "Stop", 7)
    assert spool.read(captured) == b"{}\0\xff"
    assert spool.fired(hook.layout) == {}


def test_a_run_that_the_shell_could_not_count_is_counted(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(b"", monkeypatch, tmp_path)
    assert call(hook, "uncounted") == 0
    assert spool.waiting(hook.layout) == []
    assert spool.fired(hook.layout) == {("codex", "Stop"): Fired(1)}


def test_what_can_be_kept_nowhere_is_said_to_the_shell(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.layout.place_id.unlink()
    (hook.layout.spool / "tmp").rmdir()
    (hook.layout.spool / "tmp").touch()
    told(b"{}", monkeypatch, tmp_path)
    assert call(hook) == 1


def test_it_loads_nothing_that_an_agent_would_wait_for() -> None:
    """What Python starts with, and one module: pathlib, typing and dataclasses alone would take 28 ms."""
    names = {"__name__": "loaded", "__file__": record.__file__}
    script = f"import sys; old = set(sys.modules); exec(open({record.__file__!r}).read(), {names!r}); "
    words = [sys.executable, "-I", "-S", "-c", f"{script}print(*sorted(set(sys.modules) - old))"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("ledger")} == {
        "ledger",
        "ledger.storage",
        "ledger.storage.spooling",
    }
    assert loaded.isdisjoint({"pathlib", "typing", "dataclasses", "re", "contextlib", "collections", "tempfile"})
