"""`ledger share` and private sessions at the command line."""

from __future__ import annotations

import json

from tests.cli.conftest import Run


def test_share_says_what_it_wrote_and_the_second_time_that_it_is_so_already(ledger: Run) -> None:
    ledger("set", "plan", "mine", "--private")
    assert ledger("get", "plan", "--session", "nobody").code == 1
    shared = ledger("share", "plan")
    assert (shared.code, shared.out) == (0, "")
    assert shared.err.endswith("  context.set plan: mine\n")
    assert ledger("get", "plan").out == "mine\n"
    assert ledger("share", "plan").err == "Nothing to write: it is so already.\n"


def test_share_answers_programs(ledger: Run) -> None:
    ledger("set", "plan", "mine", "--private")
    answer = json.loads(ledger("share", "plan", "--as", "team/plan", "--json").out)
    assert [event["subject"] for event in answer["events"]] == ["context.set team/plan: mine"]


def test_share_names_every_key_that_is_not_there(ledger: Run) -> None:
    ledger("set", "plan", "ours")
    assert ledger("share", "plan", "other") == (
        1,
        "",
        "error: nothing of the session's own stands at 'plan', 'other'\n"
        "  hint: `ledger keys --session ID` lists what it has; what is shared already needs no sharing\n",
    )


def test_a_private_session_from_start_to_end(ledger: Run) -> None:
    ledger("session", "start", "--agent", "codex", "--key", "run", "--private")
    ledger("set", "plan", "mine", "--session", "run")
    ledger("set", "rest", "mine", "--session", "run")
    assert ledger("get", "plan").code == 1
    assert ledger("get", "plan", "--session", "run").out == "mine\n"
    assert "mine" not in ledger("log").out
    assert "context.set rest: mine" in ledger("log", "--session", "run").out
    assert ledger("share", "plan", "--session", "run").code == 0
    assert ledger("get", "plan").out == "mine\n"
    assert ledger("get", "rest").code == 1
    (shared,) = json.loads(ledger("log", "--type", "context.set", "--json").out)
    assert shared["origin"]["ref"].startswith("share:")
    assert "codex (private)" in ledger("sessions").out
    assert ledger("session", "end", "run", "--session", "run").code == 0
    assert ledger("verify", "--full").code == 0
    (ended,) = [one for one in json.loads(ledger("sessions", "--all", "--json").out) if one["state"] == "ended"]
    assert (ended["agent"], ended["private"]) == ("codex", True)
    assert "mine" in ledger("log", "--session", ended["id"]).out
