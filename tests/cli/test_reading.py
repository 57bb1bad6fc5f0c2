"""What the reading commands answer, whole, to people and to programs."""

from __future__ import annotations

import json
from pathlib import Path

import pygit2
from tests.cli.conftest import Run

SESSION = "8b281575-ac67-5b66-bbd0-2c5995ce8258"
SET = "01a203d2-4e60-7001-8000-000000000000"


def test_get_prints_a_text_as_it_is(ledger: Run) -> None:
    ledger("set", "auth/decision", "Use: {the device flow}\nnow")
    assert ledger("get", "auth/decision") == (0, "Use: {the device flow}\nnow\n", "")


def test_get_prints_any_other_value_as_yaml(ledger: Run) -> None:
    ledger("set", "auth/decision", "--json-value", '{"flow": "device", "scopes": ["a", 1, null]}')
    assert ledger("get", "auth/decision").out == "flow: device\nscopes:\n  - a\n  - 1\n  - null\n"


def test_get_answers_programs_with_the_entry(ledger: Run) -> None:
    ledger("set", "auth/decision", "Use the device flow.")
    assert json.loads(ledger("get", "auth/decision", "--json").out) == {
        "key": "auth/decision",
        "value": "Use the device flow.",
        "event": SET,
        "session": SESSION,
        "time": "2026-11-22T15:14:04.000000Z",
        "policy": "lww",
        "scope": "shared",
        "conflict": False,
    }


def test_a_key_without_value_is_an_answer_of_no(ledger: Run) -> None:
    assert ledger("get", "nope") == (
        1,
        "",
        "error: no value stands at 'nope'\n  hint: `ledger keys` lists what there is\n",
    )


def test_get_reads_the_state_of_any_moment(ledger: Run) -> None:
    ledger("set", "a", "old")
    ledger("set", "a", "new")
    assert [ledger("get", "a", "--at", rev).out for rev in (SET, "2026-11-22T15:14:30", "2m ago", "main")] == [
        "old\n",
        "old\n",
        "new\n",
        "new\n",
    ]


def test_keys_are_listed_with_what_stands_at_each(ledger: Run) -> None:
    ledger("set", "auth/decision", "Use the\ndevice flow.")
    ledger("incr", "stats/runs", "2")
    assert ledger("keys") == (
        0,
        "auth/decision  2m ago  Use the device flow.\nstats/runs     1m ago  2\n",
        "",
    )
    assert ledger("keys", "stats").out == "stats/runs  2m ago  2\n"
    assert [entry["key"] for entry in json.loads(ledger("keys", "--json").out)] == ["auth/decision", "stats/runs"]
    assert ledger("keys", "--at", SET).out == "auth/decision  5m ago  Use the device flow.\n"


def test_an_empty_ledger_says_how_to_begin(ledger: Run) -> None:
    assert ledger("keys") == (0, "", "No keys yet. The first one: ledger set auth/decision 'Use the device flow'\n")
    assert ledger("keys", "x", "--json") == (
        0,
        "[]\n",
        "No key stands at or below 'x'; `ledger keys` lists all.\n",
    )
    assert ledger("conflicts") == (0, "", "No conflicts.\n")


def test_log_is_one_line_an_event_the_newest_first(ledger: Run) -> None:
    ledger("set", "auth/decision", "Use the device flow.")
    ledger("note", "remember", "--about", "milk")
    assert ledger("log") == (
        0,
        "5df5e18229  1m ago      person/8b28       note.added milk: remember\n"
        "18a3ed35cd  2m ago      person/8b28       context.set auth/decision: Use the device flow.\n"
        "82fbf12d50  2m ago      person/8b28       session.started person\n"
        "da25d210ad  3m ago      person/8b28       ledger.created 00000000-0000\n",
        "",
    )
    assert ledger("log", "-n", "1").out.count("\n") == 1
    assert ledger("log", "--type", "context").out.count("\n") == 1
    assert ledger("log", "--type", "context", "--type", "note.added").out.count("\n") == 2
    assert ledger("log", "--at", SET).out.count("\n") == 3
    assert ledger("log", "--mine").out.count("\n") == 4


def test_log_streams_the_envelopes_to_programs(ledger: Run) -> None:
    ledger("incr", "stats/runs", "2")
    lines = [json.loads(line) for line in ledger("log", "--jsonl").out.splitlines()]
    assert len(lines) == 3
    assert lines[0] == {
        "id": SET,
        "type": "context.incremented",
        "v": 1,
        "session": SESSION,
        "time": "2026-11-22T15:14:04.000000Z",
        "prev": None,
        "data": {"by": 2, "key": "stats/runs", "policy": "counter"},
        "commit": lines[0]["commit"],
        "parents": [lines[1]["commit"]],
        "subject": "context.incremented stats/runs: +2",
    }
    assert json.loads(ledger("log", "--json").out) == lines


def test_what_a_session_has_not_brought_to_main_is_in_the_log(ledger: Run) -> None:
    ledger("set", "mine", "x", "--private")
    assert "context.set mine: x" in ledger("log").out
    ledger("session", "start", "--agent", "codex", "--key", "run")
    assert ledger("get", "mine", "--session", "run").code == 1
    assert ledger("get", "mine").out == "x\n"
    assert ledger("get", "mine", "--session", "ann@desk").out == "x\n"
    assert "mine (yours)" in ledger("keys", "--session", SESSION[:6]).out


SHOWN = """\
event     01a203d3-38c0-7000-8000-000000000000
commit    {commit}
type      context.set (version 1)
session   person 8b281575-ac67-5b66-bbd0-2c5995ce8258
time      2026-11-22T15:15:04.000000Z (1m ago)
replaces  01a203d2-4e60-7001-8000-000000000000

  key: auth/decision
  policy: lww
  value: Use cookies.

changed context/auth/decision.yaml
  - Use the device flow.
  + Use cookies.
"""


def test_show_tells_the_event_and_the_change_that_it_made(ledger: Run) -> None:
    ledger("set", "auth/decision", "Use the device flow.")
    ledger("set", "auth/decision", "Use cookies.")
    shown = ledger("show")
    document = json.loads(ledger("show", "--json", "main").out)
    assert shown == (0, SHOWN.format(commit=document["commit"]), "")
    assert document["subject"] == "context.set auth/decision: Use cookies."
    (change,) = document["changes"]
    assert (change["path"], change["key"], change["change"]) == (
        "context/auth/decision.yaml",
        "auth/decision",
        "changed",
    )
    assert (change["before"]["value"], change["after"]["value"]) == ("Use the device flow.", "Use cookies.")


def test_show_says_where_an_event_changed_nothing(ledger: Run) -> None:
    ledger("note", "x")
    assert ledger("show").out.endswith("\n\n  text: x\n\nIt changed no state.\n")


def test_history_lists_the_writes_of_one_key(ledger: Run) -> None:
    ledger("set", "auth/decision", "Use the device flow.")
    ledger("set", "other", "mentions auth/decision")
    ledger("delete", "auth/decision", "--because", "gone")
    assert [line[24:] for line in ledger("history", "auth/decision").out.splitlines()] == [
        "person/8b28       context.deleted auth/decision: gone",
        "person/8b28       context.set auth/decision: Use the device flow.",
    ]
    documents = json.loads(ledger("history", "auth/decision", "--json").out)
    assert [(d["stands"], d["value"]) for d in documents] == [(False, None), (True, "Use the device flow.")]
    assert ledger("history", "nope").code == 1


def test_diff_answers_1_where_something_differs_and_0_where_nothing_does(ledger: Run) -> None:
    ledger("set", "a", "one\ntwo")
    ledger("set", "a", "one\n2")
    ledger("incr", "b")
    assert ledger("diff", SET) == (
        1,
        "changed context/a.yaml\n    one\n  - two\n  + 2\n\nadded context/b.yaml\n  + 1\n",
        "",
    )
    document = json.loads(ledger("diff", SET, "main", "--json").out)
    assert [(c["key"], c["change"]) for c in document["changes"]] == [("a", "changed"), ("b", "added")]
    assert ledger("diff", "main") == (0, "", "No key differs; --all compares the rest of the state.\n")
    assert ledger("diff", "main", SET).out.endswith("removed context/b.yaml\n  - 1\n")


def test_a_rev_that_fits_several_is_refused_with_the_matches(ledger: Run) -> None:
    ledger("incr", "a")
    assert ledger("show", "01a203d2-4e60") == (
        1,
        "",
        "error: '01a203d2-4e60' fits 2 things: 01a203d2-4e60-7000-8000-000000000000, "
        "01a203d2-4e60-7001-8000-000000000000\n  hint: give more characters of the one you mean\n",
    )


def foreign_commit(words: str = "hello \x1b[31mworld") -> str:
    """Put a commit that carries no event onto main, as any git can; its id."""
    repository = pygit2.Repository(".ledger/ledger.git")
    main = repository.references["refs/heads/main"].target
    who = pygit2.Signature("Some\u202eBody", "somebody@example.invalid", 1_795_360_440, 60)
    tree = repository[main].peel(pygit2.Commit).tree_id
    return str(repository.create_commit("refs/heads/main", who, who, words, tree, [main]))


def test_a_commit_without_an_event_is_marked_and_hides_nothing(ledger: Run) -> None:
    ledger("set", "a", "x")
    before = ledger("log").out.splitlines()
    bad = foreign_commit()
    code, out, err = ledger("log")
    assert code == 6
    assert [line[:10] for line in out.splitlines()] == [bad[:10], *(line[:10] for line in before)]
    assert out.splitlines()[0] == f"{bad[:10]}  carries no event"
    assert err == (f"error: 1 commit without an event: {bad[:10]}\n  hint: `ledger verify` names all that is wrong\n")
    code, out, err = ledger("log", "--json")
    assert (code, [one["commit"][:10] for one in json.loads(out)]) == (6, [line[:10] for line in before])
    assert "hint: `ledger verify`" in err


def test_an_event_is_shown_whatever_lies_beside_it(ledger: Run) -> None:
    ledger("set", "a", "x")
    foreign_commit()
    assert ledger("show", SET[:20]).code == 0
    assert ledger("show", SET).out.startswith("event ")


def test_of_a_commit_without_an_event_is_shown_what_can_be_read(ledger: Run) -> None:
    bad = foreign_commit()
    code, out, err = ledger("show")
    assert code == 6
    head, message = out.split("\n\n")
    assert head.splitlines()[:2] == [f"commit  {bad}", "author  Some\\u202eBody"]
    assert head.splitlines()[3] == "event   none"
    assert message == "  hello \\x1b[31mworld\n"
    assert "carries no event" in err
    assert err.endswith("  hint: `ledger verify` names all that is wrong\n")


def test_a_ref_that_names_no_commit_is_damage(ledger: Run) -> None:
    repository = pygit2.Repository(".ledger/ledger.git")
    blob = repository.create_blob(b"no commit")
    session = Path(f".ledger/ledger.git/refs/heads/session/{SESSION}")
    session.parent.mkdir(parents=True, exist_ok=True)
    session.write_text(f"{blob}\n", encoding="ascii")
    for command in (["log"], ["show", SET], ["show", SESSION[:9]]):
        code, _, err = ledger(*command)
        assert code == 6
        assert f"{blob} is a blob, not a commit" in err
        assert "hint: `ledger verify`" in err
