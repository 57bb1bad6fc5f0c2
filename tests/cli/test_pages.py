"""The reference pages of the command line say what is."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.machines import bare

from ledger.cli import app
from ledger.testing import Clock

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
SHARED = {"as_json", "as_lines", "ledger", "session", "quiet", "show_help"}


def sections(page: str, level: str) -> dict[str, str]:
    """The text below each heading of a level, by heading."""
    parts = re.split(rf"^{level} (.+)\n", (REFERENCE / page).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# commands.md: what `--help` says


def described(path: str, command: Any) -> Iterator[str]:
    """The lines by which the page tells of one command."""
    own = [param for param in command.params if param.name not in SHARED]
    arguments = [param for param in own if param.param_type_name == "argument"]
    required = [f"{param.opts[0]} {param.metavar}" for param in own if param not in arguments and param.required]
    yield "`" + " ".join([f"ledger {path}", *(param.metavar for param in arguments), *required]) + "`"
    yield from " ".join(command.help.split("\n\n")[0].split()).splitlines()
    for param in own:
        names = param.metavar if param in arguments else ", ".join(param.opts)
        value = f" {param.metavar}" if param not in arguments and param.metavar else ""
        yield f"- `{names}{value}`: {param.help}"


@pytest.mark.parametrize("name", app.COMMANDS)
def test_the_page_of_commands_says_what_help_says(name: str) -> None:
    command = app.load(name)
    parts = getattr(command, "commands", None) or {"": command}
    section = sections("commands.md", "###")[name]
    for part, one in parts.items():
        missing = [line for line in described(f"{name} {part}".strip(), one) if line not in section]
        assert missing == []


def test_the_page_of_commands_names_no_command_that_is_not_there() -> None:
    assert list(sections("commands.md", "###")) == list(app.COMMANDS)


def test_the_list_of_commands_says_what_each_command_says() -> None:
    """The list is written by hand, so that no command has to be imported for it."""
    for name, entry in app.COMMANDS.items():
        words = app.load(name).help.split(".")[0].split(",")[0].split(";")[0]
        assert words.split()[:2] == entry.summary.split()[:2], name


# json.md: the fields that commands answer with


FREE = {"value", "data", "before", "after", "state", "origin", "policies", "schemas", "types", "parts", "prev"}


def fields(document: Any, path: str = "") -> Iterator[str]:
    """The paths of all fields in a document; what is free in form is not looked into."""
    if isinstance(document, list):
        for item in document:
            yield from fields(item, f"{path}[]")
    elif isinstance(document, dict):
        for name, value in document.items():
            inner = f"{path}.{name}".lstrip(".")
            yield inner
            if name not in FREE:
                yield from fields(value, inner)


def documented(heading: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", sections("json.md", "##")[heading], re.MULTILINE))


ANSWERS = [
    ("get", ["get", "a", "--json"]),
    ("keys", ["keys", "--json"]),
    ("log", ["log", "--json"]),
    ("show", ["show", "a-write", "--json"]),
    ("search", ["search", "x", "--json"]),
    ("stats", ["stats", "--by", "agent", "--json"]),
    ("diff", ["diff", "a-write", "--json"]),
    ("history", ["history", "a", "--json"]),
    (
        "delete, add, remove, incr, note, decide, record, share, resolve, policy set, policy type",
        ["note", "x", "--json"],
    ),
    ("set", ["set", "a", "x", "--json"]),
    ("rollback", ["rollback", "a-write", "--json"]),
    ("undo", ["undo", "--json"]),
    ("status", ["status", "--json"]),
    ("sessions", ["sessions", "--json"]),
    ("session start, session resume", ["session", "start", "--json"]),
    ("session end", ["session", "end", "ann@desk", "--json"]),
    ("conflicts", ["conflicts", "--json"]),
    ("lease acquire", ["lease", "acquire", "docs", "--json"]),
    ("lease renew, lease list", ["lease", "--json"]),
    ("lease release", ["lease", "release", "src", "--json"]),
    ("task list", ["task", "--json"]),
    ("task show", ["task", "show", "port", "--json"]),
    ("task create, task assign, task start, task complete, task fail", ["task", "start", "port", "--json"]),
    ("remote", ["remote", "--json"]),
    ("sync", ["sync", "--json"]),
    ("server-setup", ["server-setup", "meeting.git", "--json"]),
    ("clone", ["clone", "server.git", "--ledger", "cloned", "--json"]),
    ("off", ["off", "all", "--json"]),
    ("on", ["on", "sync", "--json"]),
    ("verify", ["verify", "--json"]),
    ("replay", ["replay", "--json"]),
    ("backup", ["backup", "copy", "--json"]),
    ("forget", ["forget", "a", "--because", "x", "--json"]),
    ("gc", ["gc", "--json"]),
    ("gc --report", ["gc", "--report", "--json"]),
    ("gc --truncate", ["gc", "--truncate", "main", "--json"]),
    ("du", ["du", "--json"]),
    ("schema", ["schema", "--json"]),
    ("validate", ["validate", "bad.yaml", "--json"]),
    ("policy", ["policy", "--json"]),
    ("redact --check", ["redact", "--check", "secret.txt", "--json"]),
    ("import", ["import", "folder", "--json"]),
    ("export json", ["export", "json", "--events"]),
]


@pytest.fixture
def full(ledger: Run) -> Run:
    """A ledger in which every kind of answer has something to tell."""
    ledger("set", "a", "x")
    ledger("set", "a", "y")
    ledger("set", "c", "1", "--saw", "none")
    ledger("set", "c", "2", "--saw", "none")
    ledger("lease", "acquire", "src", "--ttl", "1h")
    ledger("task", "create", "port", "Port it")
    ledger("record", stdin=b"{type: note.added, data: {text: x}, origin: {source: call, ref: r1}}")
    Path("bad.yaml").write_text("type: note.added\ndata: {}\n")
    bare(Path("server.git"))
    ledger("remote", "add", "origin", "server.git", "--yes")
    ledger("sync")
    Path("secret.txt").write_text("ghp_" + "1a2B3c4D5e6F7g8H9i0J1k2L3m4N5o6P7q8R")
    Path("folder").mkdir()
    Path("folder/poem.jsonl").write_text("roses are red\n")
    Path("folder/session.jsonl").write_text(
        '{"type":"user","uuid":"u1","parentUuid":null,"isSidechain":false,"sessionId":"s1","cwd":"/p",'
        '"version":"2.1.0","timestamp":"2026-11-20T10:00:00.000Z","message":{"role":"user","content":"hi"}}\n'
        "broken\n"
    )
    return ledger


@pytest.mark.parametrize(("heading", "arguments"), ANSWERS, ids=[heading for heading, _ in ANSWERS])
def test_the_page_of_json_lists_the_fields_of_every_answer(full: Run, heading: str, arguments: list[str]) -> None:
    first = full("history", "a", "--jsonl").out.splitlines()[-1]
    write = json.loads(first)["id"]
    result = full(*(write if a == "a-write" else a for a in arguments))
    document = json.loads(result.out)
    found = set(fields(document))
    if heading in (
        "export json",
        "stats",
    ):  # keys, ids and types are names of their own there; metrics.md lists figures
        found = {name for name in found if "." not in name}
    found = {name.removeprefix("[].") for name in found}
    assert found - documented(heading) == set()
    optional = {
        "prompt.event",
        "prompt.text",
        "deleted",
        "origin",
        "prev",
        "losers[].deleted",
        "winner.deleted",
        "problems[].kind",
    }
    unseen = {name for name in documented(heading) - found if name not in optional and "[]" not in name}
    assert unseen == set()


def test_the_page_of_json_lists_the_fields_of_init_and_restore(run: Run) -> None:
    assert set(fields(json.loads(run("init", "--json").out))) == documented("init")
    run("backup", "copy")
    restored = run("restore", "copy", "--to", "new", "--json")
    assert set(fields(json.loads(restored.out))) == documented("restore")


# errors.md: what is shown there is what happens


def shown(page: str) -> Iterator[tuple[str, str]]:
    """The commands shown in a page, each with what it prints."""
    for block in re.findall(r"^```console\n(.*?)^```", (REFERENCE / page).read_text(), re.DOTALL | re.MULTILINE):
        yield from re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


def printed_by(run: Run, command: str) -> str:
    """What a command that a page shows prints, with `<<< '…'` as its standard input."""
    line, _, given = command.partition(" <<< ")
    words = shlex.split(line)
    assert words[0] == "ledger"
    stdin = "".join(shlex.split(given.removeprefix("$"))).replace("\\n", "\n")
    result = run(*words[1:], stdin=stdin.encode())
    ended = f"[exit code {result.code}]\n" if result.code else ""
    return f"{result.out}{result.err}{ended}"


@pytest.mark.parametrize("page", ["errors.md", "commands.md"])
def test_what_a_page_shows_is_what_happens(run: Run, clock: Clock, page: str) -> None:
    clock.advance(-60)
    run("init")
    examples = list(shown(page))
    assert examples
    assert [(command, printed_by(run, command)) for command, _ in examples] == examples
