"""The demo does what it says, with real processes, and leaves a sound ledger behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ledger.api import open_ledger


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ledger", *arguments], capture_output=True, text=True, check=False)


def test_the_demo_loses_nothing_and_leaves_a_sound_ledger(tmp_path: Path) -> None:
    done = run("demo", "--folder", str(tmp_path / "tour"))
    assert done.returncode == 0, done.stdout + done.stderr
    for promised in (
        "killed with SIGKILL",
        "is gone\n",
        "events replayed, 0 events rescued, 0 lost",
        "  it took ",
        "lost or doubled: 0 of ",
        "the same as what is stored",
        "sound: ",
        "beaten",
        "conflict.resolved pond/feeding",
        "$ ledger status\n",
        "health    ok\nsessions  4 idle\n",
        f"cd {tmp_path / 'tour' / 'pond'}",
    ):
        assert promised in done.stdout
    with open_ledger(tmp_path / "tour" / "pond" / ".git" / "ledger") as ledger:
        assert ledger.get("pond/feeding").entry.cell.value == "at dawn"
        assert ledger.get("pond/steps").entry.cell.value >= 80


def test_the_demo_answers_in_json_with_nothing_else_on_standard_output(tmp_path: Path) -> None:
    told = json.loads(run("demo", "--json", "--folder", str(tmp_path / "tour")).stdout)
    assert told["lost"] == 0
    assert told["acknowledged"] >= 160
    assert told["recovered_in"] > 0
    assert told["ledger"] == str(tmp_path / "tour" / "pond" / ".git" / "ledger")


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    done = run("demo", "--folder", str(tmp_path))
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_the_transcript_that_the_demo_ships_names_nobody() -> None:
    from importlib import resources

    text = (resources.files("ledger.cli") / "demo_session.jsonl").read_text()
    assert "/Users/" not in text
    assert "@" not in text
    assert {line["cwd"] for line in map(json.loads, text.splitlines())} == {"/home/dev/pond"}
