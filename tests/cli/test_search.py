"""`ledger search`, and the conditions of `ledger log`, as they are typed and read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run

SESSION = "8b281575-ac67-5b66-bbd0-2c5995ce8258"


def record(run: Run, kind: str, **data: object) -> None:
    assert run("record", stdin=json.dumps({"type": kind, "data": data}).encode()).code == 0


@pytest.fixture
def filled(ledger: Run) -> Run:
    """A ledger with two prompts, a call each, and a decision."""
    record(ledger, "prompt.submitted", text="Let people log in", by="user")
    record(ledger, "tool.failed", tool="Edit", call="c1", files=["/shop/src/login.py"], error="no such device flow")
    record(ledger, "prompt.submitted", text="Then write it down", by="user")
    ledger("decide", "auth/flow", "Use the device flow.", "--because", "it works on a terminal")
    return ledger


def test_what_fits_best_comes_first_each_with_the_prompt_that_led_to_it(filled: Run) -> None:
    assert filled("search", "device", "flow") == (
        0,
        "b15468d6e4  1m ago      person/8b28       decision.recorded auth/flow: Use the device flow.\n"
        "    it works on a terminal Use the device flow. auth/flow\n"
        "    asked: Then write it down\n"
        "0df2f92d64  3m ago      person/8b28       tool.failed Edit: /shop/src/login.py\n"
        "    no such device flow /shop/src/login.py Edit\n"
        "    asked: Let people log in\n",
        "",
    )


def test_programs_are_told_where_the_words_stand(filled: Run) -> None:
    (found,) = json.loads(filled("search", "device", "--type", "decision", "--json").out)
    assert found["data"]["key"] == "auth/flow"
    assert [piece["text"] for piece in found["snippet"] if piece["hit"]] == ["device"]
    assert found["prompt"]["text"] == "Then write it down"
    assert found["rank"] < 0
    lines = filled("search", "device", "--jsonl").out.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["tool.failed", "decision.recorded"]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["device -no"], 1),
        (["--", "device", "-no"], 1),
        (["dev*"], 2),
        (['"flow device"'], 0),
        (["login", "py"], 1),
        (["device", "--path", "src"], 1),
        (["device", "--agent", "codex"], 0),
        (["device", "--skip", "1"], 1),
        (["device", "-n", "1"], 1),
        (["device", "--since", "2m ago"], 1),
    ],
)
def test_words_and_conditions_combine(filled: Run, words: list[str], count: int) -> None:
    result = filled("search", "--json", *words)
    assert len(json.loads(result.out)) == count
    assert result.code == (0 if count else 1)


def test_nothing_found_is_an_answer_of_no(filled: Run) -> None:
    assert filled("search", "cookies") == (1, "", "Nothing holds 'cookies'.\n")
    assert filled("search", "device", "--skip", "2").err == "Nothing more holds 'device'.\n"
    assert filled("search", "::") == (
        2,
        "",
        "error: there is no word to look for in '::'\n  hint: name one that has to be there\n",
    )


@pytest.mark.parametrize(
    ("conditions", "subjects"),
    [
        (["--type", "tool", "--type", "decision"], ["decision.recorded", "tool.failed"]),
        (["--key", "auth"], ["decision.recorded"]),
        (["--path", "login.py"], ["tool.failed"]),
        (["--author", "PERSON", "--type", "tool"], ["tool.failed"]),
        (
            ["--since", "2026-11-22T15:14:04", "--until", "2026-11-22T15:15:04", "--type", "tool", "--type", "prompt"],
            ["tool.failed", "prompt.submitted"],
        ),
        (["--text", "terminal"], ["decision.recorded"]),
        (["--key", "auth", "--text", "cookies"], []),
        (["--mine", "--type", "tool"], ["tool.failed"]),
        (["--type", "prompt", "-n", "1"], ["prompt.submitted"]),
        (["--until", "2020-01-01"], []),
    ],
)
def test_the_log_takes_conditions(filled: Run, conditions: list[str], subjects: list[str]) -> None:
    listed = filled("log", "--jsonl", *conditions)
    assert listed.code == 0
    assert [json.loads(line)["type"] for line in listed.out.splitlines()] == subjects
    walked = filled("log", "--jsonl", "--at", "main", *conditions)
    assert walked.out == listed.out  # without the index the same


def test_what_is_no_time_is_named_with_what_is_one(filled: Run) -> None:
    assert filled("log", "--since", "yesterday") == (
        2,
        "",
        "error: --since 'yesterday' is no time\n  hint: such as 2026-11-20, 2026-11-20T15:00, or '2h ago'\n",
    )


def test_the_index_may_be_deleted_at_any_time(filled: Run) -> None:
    before = filled("search", "device").out
    for path in (Path(".ledger/index/events")).iterdir():
        path.unlink()
    assert filled("search", "device").out == before.replace("3m ago", "4m ago").replace("1m ago", "2m ago")
