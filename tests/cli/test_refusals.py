"""Bad input: what is wrong is named with its place, its rule and a way out, and nothing is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ledger.actions.append import Draft
from ledger.api import open_ledger
from ledger.storage import opening
from ledger.testing import Clock, fixed


def refused(ledger: Run, *arguments: str, stdin: bytes = b"") -> str:
    """The words of a refusal; checks that there is no answer and that the ledger is as it was."""
    before = ledger("log", "--json").out
    code, out, err = ledger(*arguments, stdin=stdin)
    assert (code, out) == (4, ""), err
    assert ledger("log", "--json").out == before
    return err


def test_a_key_outside_the_grammar_is_refused_with_the_nearest_one(ledger: Run) -> None:
    assert refused(ledger, "set", "Auth/My Decision.yaml", "x") == (
        "error: not a valid key: 'Auth/My Decision.yaml'\n"
        "  key: segment 'Auth' may hold only a-z, 0-9, '.', '_' and '-', and starts with a letter or digit\n"
        "  key: segment 'My Decision.yaml' may hold only a-z, 0-9, '.', '_' and '-', "
        "and starts with a letter or digit\n"
        "  key: segment 'My Decision.yaml' may not end in '.yaml'\n"
        "  hint: the nearest valid key is 'auth/my-decision'\n"
    )


@pytest.mark.parametrize("verb", [["get"], ["delete"], ["add", "x"], ["incr"], ["history"], ["resolve", "x"]])
def test_every_verb_refuses_a_key_outside_the_grammar(ledger: Run, verb: list[str]) -> None:
    assert "the nearest valid key is 'a-b'" in refused(ledger, verb[0], "A B", *verb[1:])


def test_a_value_over_size_is_refused_with_both_sizes(ledger: Run) -> None:
    words = refused(ledger, "set", "a", "--text-file", "-", stdin=b"x" * 70_000)
    assert re.sub(r"70,\d{3}", "70,…", words) == (
        "error: context.set is refused:\n"
        "  data: the event has 70,… bytes; at most 65,536\n"
        "  hint: keep the large part in a file and put its path into the ledger\n"
    )


@pytest.mark.parametrize(
    ("command", "kind", "fields", "most"),
    [
        (["note", "TEXT"], "note.added", ["text"], "32,768"),
        (["decide", "a", "TEXT", "--because", "TEXT"], "decision.recorded", ["because", "decision"], "16,384"),
        (["task", "create", "TEXT"], "task.created", ["title"], "1,024"),
        (["session", "start", "--title", "TEXT"], "session.started", ["title"], "512"),
        (["lease", "acquire", "TEXT"], "lease.acquired", ["on.0"], "4,096"),
    ],
    ids=lambda one: one[0],
)
def test_a_text_over_length_is_refused_with_both_lengths_and_what_to_do(
    ledger: Run, command: list[str], kind: str, fields: list[str], most: str
) -> None:
    """The text itself is not told again."""
    told = [f"error: {kind} is refused:", *(f"  data.{one}: has 40,000 characters; at most {most}" for one in fields)]
    told.append("  hint: shorten it, or keep the whole in a file and say which")
    assert refused(ledger, *["x" * 40_000 if word == "TEXT" else word for word in command]).splitlines() == told


@pytest.mark.parametrize(
    ("text", "place", "rule"),
    [
        (b'{"a": 1, "a": 2}', "line 1, column 10", "the key 'a' stands here a second time; keep one of the two"),
        (b"a: 1\na: 2", "line 2, column 1", "the key 'a' stands here a second time; keep one of the two"),
        (b"a: &x 1", "line 1, column 4", "anchors (&name) are not allowed; leave it out, or quote the text"),
        (b"[*x]", "line 1, column 2", "aliases (*name) are not allowed; write the value out, or quote the text"),
        (b"!!set {a}", "line 1, column 1", "tags (!name) are not allowed; leave it out, or quote the text"),
        (b"x: .nan", "line 1, column 4", "infinity and NaN are not allowed; put it in quotes to keep it as text"),
        (
            b"18446744073709551616",
            "line 1, column 1",
            "an integer has at most 64 bits (-2^63 to 2^63-1); put it in quotes to keep it as text",
        ),
        (b"caf\xe9", "line 1, column 4", "byte 0xE9 is not UTF-8; save the text as UTF-8"),
        (b"a\x1bb", "line 1, column 2", "the control character U+001B is not allowed; leave it out"),
        (b"a\x00b", "line 1, column 2", "the control character U+0000 is not allowed; leave it out"),
        (b"\xef\xbb\xbfa", "line 1, column 1", "a byte order mark is not allowed; save the text as UTF-8 without one"),
        (b"[" * 65, "line 1, column 65", "lists and mappings nest at most 64 deep; make the value flatter"),
    ],
)
def test_what_is_no_plain_value_is_refused_with_its_place(ledger: Run, text: bytes, place: str, rule: str) -> None:
    assert refused(ledger, "set", "a", "--file", "-", stdin=text) == (
        f"error: standard input cannot be taken as a value:\n  {place}: {rule}\n"
        "  hint: values are plain YAML or JSON: texts, numbers, true, false, null, lists and mappings\n"
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a\x1b[31m", "the control character U+001B at character 2 is not allowed"),
        ("\udcff", "byte 0xFF at character 1 is not UTF-8"),
        ("x\ud800", "the lone surrogate U+D800 at character 2 is not allowed"),
    ],
)
def test_a_text_on_the_command_line_holds_no_control_and_no_broken_character(ledger: Run, text: str, rule: str) -> None:
    assert refused(ledger, "set", "a", text) == (
        f"error: the value cannot be taken:\n  value: {rule}\n  hint: leave it out; line ends and tabs are allowed\n"
    )
    for command in (["note", text], ["decide", "a", text], ["decide", "a", "b", "--because", text], ["add", "a", text]):
        assert rule in refused(ledger, *command)


def test_json_on_the_command_line_is_json(ledger: Run) -> None:
    assert "is not JSON" in refused(ledger, "set", "a", "--json-value", "hello")
    assert "--json-value cannot be taken" in refused(ledger, "set", "a", "--json-value", '{"a": 1, "a": 1}')


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"type": "context.sett", "data": {}}, "type: 'context.sett' is no type of this program nor of this ledger"),
        ({"type": "Context", "data": {}}, "type: "),
        ({"data": {}}, "type: is missing"),
        ({"type": "note.added", "data": {"text": "x", "more": 1}}, "data"),
        ({"type": "note.added", "data": "x"}, "data: must be a mapping"),
        ({"type": "note.added", "data": {"text": "x"}, "session": "s"}, "session: is given by the ledger"),
        ({"type": "note.added", "data": {"text": "x"}, "extra": 1}, "extra: is none of: type, data, time"),
        ({"type": "note.added", "data": {"text": "x"}, "time": "yesterday"}, "time: "),
        ({"type": "note.added", "data": {"text": "x"}, "v": 9}, "v: this program knows version 1 of note.added, not 9"),
        ({"type": "note.added", "data": {"text": "x"}, "prev": None}, "prev: has no meaning in note.added"),
        (
            {"type": "ledger.created", "data": {}},
            "type: ledger.created is written by the ledger alone, with `ledger init`",
        ),
        ({"type": "ledger.upgraded", "data": {"format": 1, "fold": 99}}, "type: ledger.upgraded is written by the"),
        ({"type": "sync.merged", "data": {}}, "type: sync.merged is written by the ledger alone"),
        ({"type": "epoch.started", "data": {}}, "type: epoch.started is written by the ledger alone"),
        ({"type": "redaction.applied", "data": {}}, "type: redaction.applied is written by the ledger alone"),
        ({"type": "session.crashed", "data": {"reason": "x"}}, "type: session.crashed is written by the ledger"),
        (
            {"type": "session.ended", "data": {}},
            "type: session.ended is written by the ledger alone, by `ledger session end`",
        ),
        ({"type": "session.recovered", "data": {}}, "type: session.recovered is written by the ledger alone"),
        ([1], "must be a mapping with type and data"),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused_with_the_field(ledger: Run, document: object, problem: str) -> None:
    words = refused(ledger, "record", stdin=json.dumps(document).encode())
    assert words.startswith("error: nothing was recorded:\n")
    assert problem in words
    assert "\n  hint: " in words


def test_a_value_that_the_policy_cannot_hold_is_refused(ledger: Run) -> None:
    assert ledger("policy", "set", "stats/**", "counter").code == 0
    assert refused(ledger, "set", "stats/a", "five") == (
        "error: 'stats/a' is under the policy 'counter', which this value does not fit:\n"
        "  value: a counter holds a whole number of at most 64 bits\n"
        "  hint: `ledger policy set` changes the policy of a key\n"
    )
    assert "this needs set or log" in refused(ledger, "add", "stats/a", "x")


def test_a_step_that_takes_a_counter_beyond_64_bits_is_refused(ledger: Run) -> None:
    assert ledger("incr", "a", str(2**63 - 1)).code == 0
    assert refused(ledger, "incr", "a") == (
        "error: context.incremented is refused:\n"
        f"  data.by: leaves a sum of {2**63}; a counter holds at most 64 bits\n"
        "  hint: `ledger set KEY 0` starts anew; the sums so far stay in `ledger history KEY`\n"
    )
    step = b'{"type": "context.incremented", "data": {"key": "a", "policy": "counter", "by": %d}}'
    assert "data.by: leaves a sum" in refused(ledger, "record", stdin=step % 5)
    assert ledger("incr", "a", "--", "-1").code == 0
    assert ledger("get", "a").out == f"{2**63 - 2}\n"


def test_a_value_that_breaks_a_declared_schema_is_refused(ledger: Run) -> None:
    assert ledger("policy", "set", "short/*", "--schema", "-", stdin=b"{type: string, maxLength: 3}").code == 0
    assert refused(ledger, "set", "short/a", "long") == (
        "error: context.set is refused:\n"
        "  value: has 4 characters; at most 3\n"
        "  hint: this ledger declares a schema for 'short/*'; `ledger policy list` shows it\n"
    )
    assert "short/*" in ledger("policy", "list").out


@pytest.mark.parametrize(
    "schema",
    [b"[]", b"{type: strin}", b"{pattern: '['}", b"{$ref: 'https://example.invalid/x'}", b"{$ref: 'file:///x'}"],
)
def test_a_schema_that_cannot_judge_is_not_declared(ledger: Run, schema: bytes) -> None:
    assert "cannot be declared" in refused(ledger, "policy", "set", "a", "--schema", "-", stdin=schema)
    assert "cannot be declared" in refused(ledger, "policy", "type", "a.b", "--schema", "-", stdin=schema)


def test_a_folder_that_is_no_ledger_is_named(run: Run, tmp_path: Path) -> None:
    assert run("get", "a") == (
        3,
        "",
        f"error: no ledger belongs to {Path.cwd()}\n  hint: `ledger init` makes one for this project\n",
    )
    code, _, err = run("get", "a", "--ledger", str(tmp_path))
    assert (code, err.startswith(f"error: {tmp_path} is not a ledger: it has no ")) == (3, True)
    assert err.endswith("hint: `ledger init` makes one, or completes one that was left half-made\n")
    assert run("get", "a", "--ledger", "rs") == (
        3,
        "",
        "error: rs is not a ledger: there is no such folder\n  hint: check the path; `ledger init` makes a ledger\n",
    )


def test_a_file_named_as_the_ledger_is_none(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert run("get", "a", "--ledger", str(file)) == (
        3,
        "",
        f"error: {file} is not a ledger: there is no such folder\n"
        "  hint: check the path; `ledger init` makes a ledger\n",
    )


@pytest.mark.parametrize(
    "command", ["get a", "keys", "log", "show", "show abcd", "show 2h", "history a", "conflicts", "set a x", "undo"]
)
def test_a_ledger_without_its_first_event_is_none_yet(run: Run, command: str) -> None:
    opening.create(Path(".ledger").absolute())
    code, out, err = run(*command.split())
    assert (code, out) == (3, "")
    assert err.endswith("hint: `ledger init` completes it\n")


@pytest.mark.parametrize(("what", "versions"), [("format", (1, 99)), ("fold", (99, 1))])
def test_a_ledger_of_a_newer_format_or_fold_is_read_and_not_written(
    ledger: Run, clock: Clock, what: str, versions: tuple[int, int]
) -> None:
    ledger("set", "a", "x")
    with open_ledger(sources=fixed(clock)) as newer:
        data = dict(zip(("fold", "format"), versions, strict=True))
        newer.person().write([Draft("ledger.upgraded", data)])
    assert ledger("get", "a").out == "x\n"
    assert refused(ledger, "set", "a", "y") == (
        f"error: this ledger has {what} 99; this program writes {what} 1\n"
        "  hint: reading works; to write, upgrade: pip install -U context-ledger\n"
    )


@pytest.mark.parametrize("years", [-3, 3])
def test_a_clock_that_jumped_by_years_is_not_believed_unless_confirmed(
    ledger: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    clock.advance(years * 365 * 86_400)
    words = refused(ledger, "set", "a", "x")
    assert words.startswith(f"error: the clock says {2026 + years}-11-2")
    assert "hint: set the clock of this machine; if it is right, " in words
    assert "LEDGER_ACCEPT_CLOCK=1" in words
    monkeypatch.setenv("LEDGER_ACCEPT_CLOCK", "1")
    assert ledger("set", "a", "x").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gte", "a"], "error: no such command: gte\n  hint: did you mean: get?\n"),
        (
            ["session", "begin"],
            "error: no such command: session begin\n  hint: one of: start, resume, end\n",
        ),
        (["get"], "error: missing argument 'KEY'\n  hint: `ledger get --help` shows how\n"),
        (["get", "a", "b"], "error: got unexpected extra argument(s) (b)\n  hint: `ledger get --help` shows how\n"),
        (["get", "a", "--nope"], "error: no such option: --nope\n  hint: `ledger get --help` shows how\n"),
        (
            ["set", "a", "-5"],
            "error: no such option: -5\n"
            "  hint: `ledger set --help` shows how; put -- before a value that begins with a dash\n",
        ),
        (
            ["incr", "a", "much"],
            "error: invalid value for '[BY]': 'much' is not a whole number\n  hint: `ledger incr --help` shows how\n",
        ),
        (
            ["log", "-n", "0"],
            "error: invalid value for '-n' / '--number': 0 is less than 1\n  hint: `ledger log --help` shows how\n",
        ),
        (
            ["set", "a"],
            "error: give one value\n  hint: VALUE is a text; --json-value takes JSON, "
            "--file a file of YAML or JSON, --text-file a text\n",
        ),
        (
            ["set", "a", "x", "--json-value", "1"],
            "error: give one value, not several\n  hint: VALUE is a text; --json-value takes JSON, "
            "--file a file of YAML or JSON, --text-file a text\n",
        ),
        (["add", "a"], "error: there is nothing to add\n  hint: ledger add KEY VALUE...\n"),
        (
            ["resolve", "a"],
            "error: give either --take EVENT or a value\n  hint: `ledger conflicts KEY` shows the events\n",
        ),
        (
            ["schema", "context.sett"],
            "error: no schema is named 'context.sett'\n"
            "  hint: did you mean context.set or context.read or context.deleted?\n",
        ),
        (
            ["show", "what?"],
            "error: 'what?' is not a REV\n  hint: a REV is main, an event id, a commit, a session, a checkpoint "
            "(each by its first 4 characters or more), the agent's own id of a session in full, "
            "or a time such as '2h ago'\n",
        ),
    ],
)
def test_a_call_that_cannot_be_understood_says_how_to_do_it(ledger: Run, arguments: list[str], words: str) -> None:
    assert ledger(*arguments) == (2, "", words)


def test_what_does_not_exist_is_an_answer_of_no(ledger: Run) -> None:
    assert ledger("set", "a", "--file", "nope.yaml") == (
        1,
        "",
        "error: nope.yaml does not exist\n  hint: check the path\n",
    )
    assert ledger("set", "a", "--text-file", "nope.txt").code == 1
    assert ledger("set", "a", "--text-file", ".") == (2, "", "error: . is a folder\n  hint: name a file in it\n")
    assert ledger("show", "ffff").code == 1
    assert ledger("rollback", "2020-01-01").err == (
        "error: this ledger is younger than '2020-01-01'\n  hint: `ledger log` shows its events, the newest first\n"
    )
