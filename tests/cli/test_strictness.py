"""What cannot exist is refused and not answered with nothing; what an answer or an error may not hide or show."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

Process = Callable[..., subprocess.CompletedProcess[bytes]]

TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "F6G7H8"


def test_log_refuses_a_type_that_no_event_can_have_and_names_the_nearest(ledger: Run) -> None:
    assert ledger("log", "--type", "context.sett") == (
        2,
        "",
        "error: no event has the type 'context.sett'\n"
        "  hint: did you mean context.set or context.read or context.deleted?\n",
    )
    assert ledger("log", "--type", "xyz", "--type", "qqq").err == (
        "error: no event has the type 'xyz' or 'qqq'\n  hint: `ledger schema` and `ledger policy` list the types\n"
    )


@pytest.mark.parametrize("name", ["context.set", "context", "context.", "note.added"])
def test_log_takes_types_and_their_families_with_and_without_an_event_of_theirs(ledger: Run, name: str) -> None:
    assert ledger("log", "--type", name) == (0, "", "")


def test_a_type_that_the_ledger_declares_counts_as_one(ledger: Run) -> None:
    assert ledger("log", "--type", "review.requested").code == 2
    ledger("policy", "type", "review.requested", "--schema", "-", stdin=b"{}")
    assert ledger("log", "--type", "review.requested").code == 0
    assert ledger("log", "--type", "review").code == 0
    assert "review.requested" in ledger("log", "--type", "review.request").err


@pytest.mark.parametrize("command", ["log", "log --mine", "keys", "get a"])
def test_a_session_that_is_not_there_is_refused_by_every_reader(ledger: Run, command: str) -> None:
    found = ledger(*command.split(), "--session", "nope")
    assert (found.code, found.out) == (1, "")
    assert found.err.startswith("error: no session on the roster is named 'nope': it has ended")


@pytest.mark.parametrize("command", ["keys", "conflicts", "history"])
def test_what_can_be_no_key_is_refused_by_every_reader(ledger: Run, command: str) -> None:
    found = ledger(command, "A b")
    assert found.code == 4
    assert found.err.endswith("  hint: the nearest valid key is 'a-b'\n")


@pytest.mark.parametrize(
    ("policy", "first", "second", "said"),
    [
        ("max", "5", "3", "5 stands at a: it is greater.\n"),
        ("min", "3", "5", "3 stands at a: it is smaller.\n"),
    ],
)
def test_a_value_that_does_not_stand_once_it_is_written_is_told_so(
    ledger: Run, policy: str, first: str, second: str, said: str
) -> None:
    assert json.loads(ledger("set", "a", first, "--policy", policy, "--json").out)["stands"] is True
    found = ledger("set", "a", second)
    assert (found.code, found.out) == (0, "")
    assert found.err.endswith(f"context.set a: {second}\n{said}")
    assert json.loads(ledger("set", "a", second, "--json").out)["stands"] is False
    assert ledger("set", "a", first, "--quiet").err == ""


def test_a_text_that_is_merged_with_what_came_since_is_told_so(ledger: Run) -> None:
    ledger("set", "a", "1\n2\n3\n", "--policy", "text")
    seen = json.loads(ledger("get", "a", "--json").out)["event"]
    ledger("set", "a", "1\n2\nx\n")
    found = ledger("set", "a", "y\n2\n3\n", "--saw", seen)
    assert found.err.endswith("y 2 x stands at a: it holds what others wrote, too.\n")
    assert ledger("get", "a").out.split() == ["y", "2", "x"]


@pytest.mark.parametrize("command", ["get a --session {}", "log --at {}", "set a x --saw {}", "{}", "get {}"])
def test_an_error_quotes_no_secret(ledger: Run, command: str) -> None:
    found = ledger(*command.format(TOKEN).split())
    assert found.code != 0
    assert TOKEN not in found.err
    assert "[redacted:github-token]" in found.err


@pytest.mark.parametrize("command", ["verify", "verify --full", "gc", "du", "log", "keys", "conflicts"])
def test_a_ledger_without_a_first_event_is_none(ledger: Run, command: str) -> None:
    root = Path(".ledger")
    shutil.rmtree(root / "ledger.git" / "refs" / "heads")
    (root / "ledger.git" / "refs" / "heads").mkdir()
    for name in ("journal", "index"):
        shutil.rmtree(root / name)
        (root / name).mkdir()
    (root / "heads").unlink()
    assert ledger(*command.split()) == (
        3,
        "",
        "error: this ledger has no events yet\n  hint: `ledger init` completes it\n",
    )


@pytest.mark.parametrize("command", ["verify", "gc", "du", "policy list"])
def test_a_folder_that_holds_no_ledger_is_none(run: Run, command: str) -> None:
    assert run(*command.split()).code == 3
    Path("empty").mkdir()
    found = run(*command.split(), "--ledger", "empty")
    assert (found.code, found.out) == (3, "")


def test_schemas_need_no_ledger(run: Run) -> None:
    assert run("schema").code == 0
    assert run("schema", "note.added").code == 0


def test_an_answer_that_cannot_be_printed_names_what_was_written(process: Process, tmp_path: Path) -> None:
    def unprinted(*arguments: str) -> tuple[int, str]:
        with Path("/dev/full").open("w") as full:
            command = [*process("init").args[:3], *arguments]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
        return done.returncode, done.stderr.decode()

    assert process("init").returncode == 0
    shutil.copy(Path(__file__).parents[1] / "recording" / "data" / "claude-code.jsonl", tmp_path / "a.jsonl")
    for arguments in (["import", str(tmp_path / "a.jsonl"), "--json"], ["init", "--ledger", "other", "--json"]):
        code, told = unprinted(*arguments)
        assert code == 7
        assert told.startswith("error: written as ")
        assert "; only the answer could not be printed: No space left on device\n  hint: do not write it again" in told
    # Where nothing was written there is nothing to name.
    assert unprinted("import", str(tmp_path / "a.jsonl"))[1].startswith("error: No space left on device\n")
