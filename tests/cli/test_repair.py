"""`ledger repair`: nothing to do, what was done, and what is lost, each with its exit code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cli.conftest import Run

GIT_DIR = Path(".ledger/ledger.git")


def blob(path: str) -> Path:
    oid = subprocess.run(
        ["git", f"--git-dir={GIT_DIR}", "rev-parse", f"main:{path}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return GIT_DIR / "objects" / oid[:2] / oid[2:]


def test_a_sound_store_has_nothing_to_repair(ledger: Run) -> None:
    ledger("set", "a", "x")
    assert ledger("repair") == (0, "", "Nothing to repair.\n")
    assert ledger("repair", "--dry-run") == (0, "", "Nothing to repair.\n")


def test_a_dry_run_names_what_is_wrong_and_changes_nothing(ledger: Run) -> None:
    ledger("set", "a", "x")
    config = GIT_DIR / "config"
    config.chmod(0o644)
    shown = ledger("repair", "--dry-run")
    assert shown.code == 1
    assert shown.out == f"modes  {config.absolute()} may be read by others\n"
    assert shown.err == "1 thing to mend; nothing was changed.\n"
    assert config.stat().st_mode & 0o777 == 0o644


def test_what_was_put_right_is_said(ledger: Run) -> None:
    ledger("set", "a", "x")
    ledger("gc")
    ledger("set", "b", "y")
    (GIT_DIR / "config").chmod(0o644)
    assert ledger("repair") == (0, "done  1 files and folders were closed to others\n", "The store is whole.\n")
    document = json.loads(ledger("repair", "--json").out)
    assert document == {"ok": True, "done": [], "quarantined": [], "left": []}


def test_what_follows_from_the_events_is_written_again(ledger: Run) -> None:
    ledger("set", "a", "x")
    blob("context/a.yaml").unlink()
    assert ledger("repair").code == 0  # to open the ledger is enough for the newest
    assert ledger("get", "a").out == "x\n"
