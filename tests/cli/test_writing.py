"""What the writing commands write, and what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run

FIRST = "01a203d2-4e60-7001-8000-000000000000"


def test_init_says_where_the_ledger_lies_and_how_to_keep_a_copy(run: Run) -> None:
    assert run("init") == (
        0,
        f"{Path.cwd()}/.ledger\n",
        "A new ledger. It lies in the project's folder, and dies with it. "
        "A copy in your data directory: ledger backup\n",
    )
    assert run("init").err == "This ledger was there already; nothing was changed.\n"


def test_init_in_a_git_project_lies_in_the_git_folder_and_says_that_it_dies_with_the_clone(run: Run) -> None:
    import pygit2

    pygit2.init_repository(Path.cwd())
    result = run("init", "--json", "--project", "demo")
    assert json.loads(result.out) == {
        "ledger": f"{Path.cwd()}/.git/ledger",
        "git_dir": f"{Path.cwd()}/.git/ledger/ledger.git",
        "id": "00000000-0000-4000-8000-000000000000",
        "created": True,
    }
    assert "dies with the clone" in result.err


def test_a_write_says_which_commit_carries_it(ledger: Run) -> None:
    assert ledger("set", "auth/decision", "Use the device flow.") == (
        0,
        "",
        "18a3ed35cd  context.set auth/decision: Use the device flow.\n",
    )


def test_a_write_answers_programs_with_its_events(ledger: Run) -> None:
    document = json.loads(ledger("set", "a", "x", "--json").out)
    (event,) = document["events"]
    assert document["session"] == "8b281575-ac67-5b66-bbd0-2c5995ce8258"
    assert (event["id"], event["type"], event["subject"]) == (FIRST, "context.set", "context.set a: x")
    assert json.loads(ledger("log", "-n1", "--jsonl").out)["commit"] == event["commit"]


def test_quiet_says_nothing(ledger: Run) -> None:
    assert ledger("set", "a", "x", "--quiet") == (0, "", "")
    assert ledger("--quiet", "set", "a", "y") == (0, "", "")


@pytest.mark.parametrize("text", ["", " x ", "5", "true", "null", "{a: b}", "two\nlines\n", "日本 é", "'quoted'"])
def test_a_value_given_as_argument_is_that_text_exactly(ledger: Run, text: str) -> None:
    ledger("set", "a", text)
    assert json.loads(ledger("get", "a", "--json").out)["value"] == text


def test_under_a_policy_that_holds_numbers_a_number_is_one(ledger: Run) -> None:
    ledger("set", "c", "5", "--policy", "counter")
    ledger("set", "m", "--policy", "max", "--", "-1.5e3")
    ledger("set", "t", "x5", "--policy", "min")
    values = {e["key"]: e["value"] for e in json.loads(ledger("keys", "--json").out)}
    assert values == {"c": 5, "m": -1500.0, "t": "x5"}


def test_values_come_as_json_from_files_and_from_standard_input(ledger: Run) -> None:
    Path("value.yaml").write_text("a: [1, no]\n")
    Path("notes.md").write_text("# Notes\n- one: two\n")
    ledger("set", "json", "--json-value", '["x", 1.5, true]')
    ledger("set", "yaml", "--file", "value.yaml")
    ledger("set", "text", "--text-file", "notes.md")
    ledger("set", "stdin", "--file", "-", stdin=b'{"emoji": "\\ud83d\\ude00"}')
    values = {e["key"]: e["value"] for e in json.loads(ledger("keys", "--json").out)}
    assert values == {
        "json": ["x", 1.5, True],
        "yaml": {"a": [1, "no"]},
        "text": "# Notes\n- one: two\n",
        "stdin": {"emoji": "😀"},
    }


def test_sets_logs_maps_and_counters_have_their_verbs(ledger: Run) -> None:
    ledger("add", "members", "ann", "bob")
    ledger("add", "members", "--json-value", '{"name": "cy"}')
    ledger("remove", "members", "bob")
    ledger("add", "steps", "one", "--policy", "log")
    ledger("add", "steps", "one")
    ledger("set", "map", "--json-value", '{"a": 1, "b": 2}', "--policy", "map")
    ledger("remove", "map", "b")
    ledger("incr", "runs", "5")
    ledger("incr", "runs", "-7")
    values = {e["key"]: e["value"] for e in json.loads(ledger("keys", "--json").out)}
    assert values == {"members": ["ann", {"name": "cy"}], "steps": ["one", "one"], "map": {"a": 1}, "runs": -2}


def test_the_first_step_under_a_new_policy_starts_from_what_stands_there(ledger: Run) -> None:
    ledger("set", "a/count", "--json-value", "3")
    for key in ("a/tags", "a/lines", "a/fewer"):
        ledger("set", key, "--json-value", '["x", "y"]')
    ledger("set", "a/fields", "--json-value", '{"x": 1, "y": 2}')
    for key, policy in {"count": "counter", "tags": "set", "lines": "log", "fewer": "set", "fields": "map"}.items():
        assert ledger("policy", "set", f"a/{key}", policy).code == 0
    for _ in range(2):
        assert ledger("incr", "a/count").code == 0
    for item in ("y", "z"):
        assert (ledger("add", "a/tags", item).code, ledger("add", "a/lines", item).code) == (0, 0)
    assert (ledger("remove", "a/fewer", "x").code, ledger("remove", "a/fields", "x").code) == (0, 0)
    values = {key: json.loads(ledger("get", f"a/{key}", "--json").out)["value"] for key in ("count", "tags", "lines")}
    assert values == {"count": 5, "tags": ["x", "y", "z"], "lines": ["x", "y", "y", "z"]}
    assert (ledger("get", "a/fewer").out, ledger("get", "a/fields").out) == ("- 'y'\n", "'y': 2\n")
    assert ledger("remove", "a/fewer", "y").code == 0


@pytest.mark.parametrize(
    ("policy", "step", "words"),
    [
        ("counter", ["incr", "a"], "a counter holds a whole number of at most 64 bits"),
        ("set", ["add", "a", "x"], "a set holds a list of elements"),
        ("map", ["remove", "a", "x"], "a map holds a mapping of fields to values"),
    ],
)
def test_a_step_is_refused_where_what_stands_there_does_not_fit_the_new_policy(
    ledger: Run, policy: str, step: list[str], words: str
) -> None:
    ledger("set", "a", "some text")
    ledger("policy", "set", "a", policy)
    assert ledger(*step) == (
        4,
        "",
        f"error: what stands at 'a' was written under the policy 'lww' and does not fit {policy!r}: {words}\n"
        "  hint: `ledger delete a` lets it start anew; or use another key\n",
    )
    assert ledger("get", "a").out == "some text\n"


def test_the_last_element_of_a_list_from_another_policy_can_go(ledger: Run) -> None:
    ledger("set", "a", "--json-value", '["x"]')
    ledger("policy", "set", "a", "set")
    assert ledger("remove", "a", "x").code == 0
    assert ledger("get", "a").out == "[]\n"


def test_a_decision_keeps_its_reason_and_what_was_turned_down(ledger: Run) -> None:
    ledger("decide", "db/choice", "SQLite", "--because", "one file", "--instead-of", "Postgres")
    assert ledger("get", "db/choice").out == "because: one file\ndecision: SQLite\ninstead_of:\n  - Postgres\n"


def test_a_secret_never_reaches_the_ledger(ledger: Run) -> None:
    planted = "AKIA" + "Z7Q4MNB2XK5VRT3J"
    ledger("set", "a", f"the key is {planted}")
    assert ledger("get", "a").out == "the key is [redacted:aws-access-key]\n"


def test_record_takes_an_event_as_yaml_or_many_as_lines_of_json(ledger: Run) -> None:
    yaml = b"type: note.added\ndata: {text: from a program}\ntime: '2026-11-20T10:00:00.000000Z'\n"
    assert ledger("record", stdin=yaml).code == 0
    lines = (
        b'{"type": "context.set", "data": {"key": "a", "value": 1}}\n\n{"type": "note.added", "data": {"text": "b"}}\n'
    )
    document = json.loads(ledger("record", "--jsonl", stdin=lines).out)
    assert [e["subject"] for e in document["events"]] == ["context.set a: 1", "note.added: b"]
    oldest_last = [json.loads(line) for line in ledger("log", "--type", "note", "--jsonl").out.splitlines()]
    assert [e["data"]["text"] for e in oldest_last] == ["b", "from a program"]
    assert oldest_last[1]["time"] == "2026-11-20T10:00:00.000000Z"


def test_record_writes_an_origin_once_whichever_way_it_comes_again(ledger: Run) -> None:
    fact = b'{"type": "note.added", "data": {"text": "%s"}, "origin": {"source": "%s", "ref": "%s"}}\n'
    first = ledger("record", stdin=fact % (b"a", b"call", b"r1"))
    assert len(json.loads(ledger("record", "--jsonl", stdin=fact % (b"b", b"hook", b"r2")).out)["events"]) == 1
    again = ledger("record", stdin=fact % (b"worded otherwise", b"hook", b"r1"))
    assert (first.code, again.code, again.err) == (0, 0, "Nothing to write: it is so already.\n")
    lines = fact % (b"c", b"call", b"r3") + fact % (b"c", b"call", b"r3") + fact % (b"a", b"call", b"r1")
    assert len(json.loads(ledger("record", "--jsonl", stdin=lines).out)["events"]) == 1
    told = [json.loads(line) for line in ledger("log", "--type", "note", "--jsonl").out.splitlines()]
    assert [e["data"]["text"] for e in told] == ["c", "b", "a"]


def test_record_names_every_problem_of_every_event_and_writes_none(ledger: Run) -> None:
    lines = (
        b'{"type": "note.added", "data": {"text": "fine"}}\n'
        b'{"type": "note.added", "data": {}}\n'
        b'{"type": "context.set", "data": {"key": "A B", "value": 1}}\n'
        b'{"type": "note.added", "data": {"text": "x"}, "prev": null, "id": 1}\n'
        b"[]\n"
    )
    before = ledger("log", "--json").out
    result = ledger("record", "--jsonl", stdin=lines)
    assert result.code == 4
    assert [line.split(":")[0] for line in result.err.splitlines()] == [
        "error",
        "  line 2",
        "  line 3",
        "  line 4",
        "  line 4",
        "  line 5",
        "  hint",
    ]
    assert "hint: the nearest valid key is 'a-b'" in result.err
    assert [e["type"] for e in json.loads(ledger("log", "--json").out)][-1:] == [e["type"] for e in json.loads(before)][
        -1:
    ]
    assert "note.added" not in ledger("log").out


def test_rollback_gives_keys_back_what_they_had_as_one_event(ledger: Run) -> None:
    ledger("set", "a", "old")
    ledger("set", "a", "new")
    ledger("set", "b", "late")
    dry = ledger("rollback", FIRST, "--dry-run")
    assert dry == (0, "a\n  - new\n  + old\nb\n  - late\n", "2 keys would go back; nothing was written.\n")
    assert ledger("get", "a").out == "new\n"
    done = ledger("rollback", FIRST)
    assert done.out == dry.out
    assert done.err == f"2 keys went back to {FIRST}. To take that back: ledger undo\n"
    assert ledger("keys", "--json").out.count('"key"') == 1
    assert ledger("get", "a").out == "old\n"
    assert ledger("rollback", FIRST).err == f"Nothing to do: every key stands as it did at {FIRST}.\n"
    ledger("undo")
    assert (ledger("get", "a").out, ledger("get", "b").out) == ("new\n", "late\n")


def test_rollback_can_be_of_named_keys_alone(ledger: Run) -> None:
    ledger("set", "a", "old")
    ledger("set", "a", "new")
    ledger("set", "b", "late")
    ledger("rollback", FIRST, "a")
    assert (ledger("get", "a").out, ledger("get", "b").out) == ("old\n", "late\n")
    assert ledger("rollback", FIRST, "nope").code == 1


def test_rollback_of_more_than_one_event_can_carry_is_complete(ledger: Run) -> None:
    lines = "".join(
        json.dumps({"type": "context.set", "data": {"key": f"k/{n}", "value": "x" * 200}}) + "\n" for n in range(600)
    )
    ledger("set", "first", "x")
    ledger("record", "--jsonl", stdin=lines.encode())
    assert ledger("rollback", FIRST).code == 0
    assert ledger("keys").out.startswith("first ")
    assert ledger("keys", "k").out == ""
    ledger("undo")
    assert ledger("verify").code == 0


def test_undo_takes_back_one_change_after_the_other(ledger: Run) -> None:
    ledger("set", "a", "1")
    ledger("set", "a", "2")
    ledger("note", "not a change of context")
    assert ledger("undo") == (0, "a\n  - 2\n  + 1\n", "Took back: context.set a: 2\n")
    assert ledger("undo").err == "Took back: context.set a: 1\n"
    assert ledger("get", "a").code == 1
    assert ledger("undo") == (
        1,
        "",
        "error: this session has no change of context to take back\n  hint: `ledger log` shows who did what\n",
    )
    ledger("set", "a", "3")
    assert ledger("undo").err == "Took back: context.set a: 3\n"


def test_undo_refuses_where_somebody_else_has_written_since_unless_forced(ledger: Run) -> None:
    ledger("set", "a", "mine")
    started = b'{"type": "session.started", "data": {"agent": "person", "key": "other"}}'
    ledger("record", stdin=started)
    from ledger.api import open_ledger

    with open_ledger() as other:
        other.session("codex", "run-1").set("a", "theirs")
    refused = ledger("undo")
    assert refused.code == 1
    assert refused.err.startswith(
        "error: somebody else has written since context.set a: mine\n  a: context.set a: theirs"
    )
    assert refused.err.endswith("hint: --force takes it back all the same; `ledger history KEY` shows the writes\n")
    assert ledger("get", "a").out == "theirs\n"
    assert ledger("undo", "--force", "--dry-run").err == "Would take back: context.set a: mine\n"
    assert ledger("undo", "--force").code == 0
    assert ledger("get", "a").code == 1


def test_undo_of_a_counter_leaves_what_somebody_else_has_counted_since(ledger: Run) -> None:
    from ledger.api import open_ledger

    ledger("incr", "c", "2")
    with open_ledger() as other:
        other.session("codex", "run-1").increment("c", 40)
    assert ledger("undo") == (0, "c\n  - 42\n  + 40\n", "Took back: context.incremented c: +2\n")
    assert ledger("get", "c").out == "40\n"


def test_undo_says_so_where_the_value_stays_the_same(ledger: Run) -> None:
    ledger("set", "a", "x")
    ledger("set", "a", "x")
    assert ledger("undo").out == "a\n  stands as it did\n"


def test_undo_of_a_settled_conflict_is_refused_as_it_would_lose_the_rest(ledger: Run) -> None:
    ledger("set", "a", "x", "--saw", "none")
    ledger("set", "a", "y", "--saw", "none")
    ledger("resolve", "a", "z")
    assert ledger("undo") == (
        1,
        "",
        "error: conflict.resolved a: z settled a conflict at a, which an undo cannot bring back\n"
        "  hint: `ledger history KEY` shows what was beaten; "
        "--force gives back what stood, without the rest\n",
    )
    assert ledger("get", "a").out == "z\n"
    assert ledger("undo", "--force").code == 0
    assert ledger("get", "a").out == "y\n"


CONFLICT = """\
a/b
  stands  01a203d3-38c0-7000  person/8b28       1m ago      y
  beaten  01a203d2-4e60-7001  person/8b28       2m ago      x
"""


def test_a_write_that_had_not_seen_another_is_a_conflict_until_it_is_settled(ledger: Run) -> None:
    ledger("set", "a/b", "x", "--saw", "none")
    ledger("set", "a/b", "y", "--saw", "none")
    assert ledger("conflicts") == (1, CONFLICT, "1 conflict. To settle one: ledger resolve KEY --take EVENT\n")
    assert ledger("get", "a/b") == (0, "y\n", "a conflict stands here: ledger conflicts a/b\n")
    (document,) = json.loads(ledger("conflicts", "a", "--json").out)
    assert (document["key"], document["winner"]["value"], document["winner"]["agent"]) == ("a/b", "y", "person")
    assert [(loser["value"], loser["event"]) for loser in document["losers"]] == [("x", FIRST)]
    assert ledger("resolve", "a/b", "--take", "0000").err == (
        "error: no event id starts with '0000'; at 'a/b' there are:\n"
        "  stands  01a203d3-38c0-7000  y\n"
        "  beaten  01a203d2-4e60-7001  x\n"
        "  hint: ledger resolve a/b --take 01a203d2-4e60-7001\n"
    )
    assert ledger("resolve", "a/b", "--take", FIRST[:18]).code == 0
    assert ledger("get", "a/b") == (0, "x\n", "")
    assert ledger("conflicts").code == 0


def test_a_conflict_can_be_settled_by_a_value_of_ones_own(ledger: Run) -> None:
    ledger("set", "a", "x", "--saw", "none")
    ledger("set", "a", "y", "--saw", "none")
    assert ledger("resolve", "a", "z").code == 0
    assert ledger("get", "a").out == "z\n"


def test_a_write_that_names_what_it_saw_replaces_exactly_that(ledger: Run) -> None:
    ledger("set", "a", "x")
    ledger("set", "a", "y", "--saw", FIRST)
    assert ledger("conflicts").code == 0
    ledger("set", "a", "z", "--saw", FIRST)
    assert ledger("conflicts").code == 1


@pytest.mark.parametrize("verb", [["set", "a", "y"], ["delete", "a"], ["decide", "a", "y", "--because", "z"]])
@pytest.mark.parametrize(
    ("saw", "code", "what"),
    [
        ("01a203d2-4e60-7001-8000-00000000000f", 1, "this ledger has no event 01a203d2-4e60-7001-8000-00000000000f"),
        ("00000000-0000-7000-8000-000000000000", 1, "this ledger has no event 00000000-0000-7000-8000-000000000000"),
        ("ffffffff-ffff-7fff-bfff-ffffffffffff", 1, "this ledger has no event ffffffff-ffff-7fff-bfff-ffffffffffff"),
        (FIRST[:8], 2, f"'{FIRST[:8]}' is no event id in full"),
        ("nonsense", 2, "'nonsense' is no event id in full"),
    ],
)
def test_what_a_writer_cannot_have_seen_is_refused(
    ledger: Run, verb: list[str], saw: str, code: int, what: str
) -> None:
    ledger("set", "a", "x")
    hint = "`ledger get KEY --json` gives it as `event`; 'none' says that nothing stood there"
    assert ledger(*verb, "--saw", saw) == (code, "", f"error: --saw: {what}\n  hint: {hint}\n")
    assert ledger("get", "a").out == "x\n"


def test_a_session_on_the_roster_can_be_written_for_by_any_of_its_names(ledger: Run) -> None:
    from ledger.api import open_ledger

    with open_ledger() as other:
        session = other.session("codex", "run-1")
        session.start()
    for name in (session.id, session.id[:8], "run-1"):
        ledger("note", "x", "--session", name)
        assert json.loads(ledger("log", "-n1", "--jsonl").out)["session"] == session.id
    assert ledger("note", "x", "--session", "nobody").err == (
        "error: no session on the roster is named 'nobody': it has ended, or never was here\n"
        "  hint: `ledger sessions --all` lists them, `ledger session resume ID` goes on with one that has ended; "
        "where LEDGER_SESSION names it, `unset LEDGER_SESSION` makes you yourself again\n"
    )
