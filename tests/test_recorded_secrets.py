"""No secret that an agent or git hands to a hook is kept in clear, from the hook to the last file of the ledger.

The hooks are the real ones, run by `sh`, and the process that they start in the background drains them. What waits to
be drained is kept as it came; what is looked through is the whole folder once nothing waits any more.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.actions.payloads import types
from tests.planted import PLANTED, Planted, fragments
from tests.test_secrets import everything

from ledger.api import open_ledger
from ledger.cli.main import main
from ledger.core.redaction import default_redactor
from ledger.recording.cutting import OUTPUT, PROMPT
from ledger.storage import spool
from ledger.storage.layout import Layout

MAIL = "jo.planted@mail.example"
KEY = "56422690-bc20-4983-b21e-8514b3d56b4b"


@dataclass
class Project:
    """A project with a ledger and every hook in it, and an agent that works there."""

    root: Path
    numbers: Iterator[int]
    settings: bytes = b""

    @property
    def layout(self) -> Layout:
        return Layout(self.root / ".git" / "ledger")

    @property
    def transcript(self) -> Path:
        return self.root.parent / f"{KEY}.jsonl"

    def fire(self, event: str, raw: bytes | None = None, agent: str = "claude-code", **fields: Any) -> bytes:
        """Run a hook as the agent does; what it printed."""
        common = {"session_id": KEY, "transcript_path": str(self.transcript), "cwd": str(self.root)}
        payload = json.dumps(common | {"hook_event_name": event} | fields).encode() if raw is None else raw
        command = f"{shlex.quote(str(self.layout.hook))} {agent} {event}"
        ran = subprocess.run(["sh", "-c", command], input=payload, capture_output=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, b"")
        return ran.stdout

    def use(self, given: object, output: object, **more: Any) -> None:
        """A tool has been used."""
        call = f"toolu_{next(self.numbers)}"
        self.fire("PostToolUse", tool_name="Bash", tool_use_id=call, tool_input=given, tool_response=output, **more)

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)

    def drained(self) -> bytes:
        """Every byte of the ledger, and of the settings with its hooks, once all has been drained behind them."""
        until(lambda: not spool.waiting(self.layout))
        self.stop()
        return everything(self.layout.root) + self.settings

    def stop(self) -> None:
        """End the process that drains; it is let finish what it holds the lock for."""
        process = spool.draining(self.layout)
        if process is not None:
            with suppress(ProcessLookupError), open_ledger(self.layout.root) as ledger:
                ledger.drain()
                os.kill(process, signal.SIGTERM)
                until(lambda: not is_running(process))

    def kinds(self) -> list[str]:
        with open_ledger(self.layout.root) as ledger:
            return types(ledger)


def until(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    made = Project(tmp_path / "project", count())
    made.root.mkdir()
    monkeypatch.chdir(made.root)
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("commit", "--quiet", "--allow-empty", "-m", "begin")
    assert main(["init", "--quiet"]) == 0
    assert main(["hooks", "install", "claude-code", "--quiet"]) == 0
    made.settings = (made.root / ".claude" / "settings.json").read_bytes()
    made.git("add", ".claude")
    made.git("commit", "--quiet", "-m", "hooks")
    yield made
    made.stop()


def kept(found: bytes, planted: list[Planted]) -> list[str]:
    """The kinds of which a part is there in clear."""
    return [one.kind for one in planted if any(part.encode() in found for part in fragments(one.secret))]


def halves(found: bytes) -> list[str]:
    """The kinds of which the first two thirds are there in clear."""
    return [one.kind for one in PLANTED if half(one).encode() in found]


def half(planted: Planted) -> str:
    line = max(fragments(planted.secret), key=len)
    return line[: len(line) * 2 // 3]


def in_the_way(planted: Planted, length: int) -> str:
    """A text whose end, from `length` characters on, is left out: most of the secret comes before that."""
    end = planted.line.index(fragments(planted.secret)[0]) + len(half(planted)) + 2
    return ("some words " * length)[: length - end - 1] + " " + planted.line + " and more words" * 50


def test_no_field_of_a_payload_lets_a_secret_through(project: Project) -> None:
    for first in range(0, len(PLANTED), 10):
        lines = "\n".join(one.line for one in PLANTED[first : first + 10])
        project.fire("UserPromptSubmit", prompt=lines, prompt_id=f"p{next(project.numbers)}", user_email=MAIL)
    for one in PLANTED:
        line = one.line
        project.use({"command": line, line: [line]}, {"stdout": line, "stderr": line}, user_email=MAIL)
        project.use({"file_path": f"/src/{line}", "deep": json.dumps({"er": json.dumps(line)})}, {"x": {"y": line}})
        project.fire("Unheard", said=line, inside={"user_email": MAIL, "e-mail": [MAIL]}, text=json.dumps({"a": line}))
    project.fire("Stop", last_assistant_message="\n".join(one.line for one in PLANTED[:20]), user_email=MAIL)
    found = project.drained()
    assert kept(found, PLANTED) == []
    assert MAIL.encode() not in found
    assert project.kinds().count("tool.completed") == 2 * len(PLANTED)


def test_no_agents_payload_lets_a_secret_through(project: Project, fixtures_dir: Path) -> None:
    lines = iter([text for one in PLANTED for text in (one.line, in_the_way(one, OUTPUT - 32))] * 99)
    for path in sorted((fixtures_dir / "hooks").rglob("*.json")):
        payload = json.loads(path.read_bytes())
        if path.name.endswith(".schema.json"):
            continue
        for _ in range(2):
            raw = json.dumps(with_secrets(payload, lines) | {"user_email": MAIL, "e_mail": {"is": MAIL}}).encode()
            project.fire("Any", raw, agent=path.relative_to(fixtures_dir / "hooks").parts[0])
    found = project.drained()
    assert (kept(found, PLANTED), halves(found)) == ([], [])
    assert MAIL.encode() not in found
    assert found.count(b"[redacted:") > 100


def with_secrets(value: Any, lines: Iterator[str], field: str = "") -> Any:
    """A payload with a planted line in every text that tells neither whose it is nor which fact."""
    if isinstance(value, dict):
        return {name: with_secrets(one, lines, name) for name, one in value.items()}
    if isinstance(value, list):
        return [with_secrets(one, lines, field) for one in value]
    is_word = not isinstance(value, str) or field.lower().endswith(("id", "type", "name", "timestamp", "path"))
    return value if is_word else f"{next(lines)} {value}"


def test_no_secret_is_kept_by_half_where_a_long_text_is_cut(project: Project) -> None:
    for one in PLANTED:
        text = in_the_way(one, OUTPUT - 32)
        project.use({"command": text}, {"stdout": text})
        project.use({f"field {n}": in_the_way(one, limit - 32) for n, limit in enumerate((400, 150, 60) * 60)}, "")
        project.fire("Stop", last_assistant_message=in_the_way(one, PROMPT - 32))
    found = project.drained()
    assert halves(found) == []
    assert kept(found, PLANTED) == []


def test_a_session_a_call_and_an_agent_named_like_secrets_are_not_kept(project: Project) -> None:
    short = [one for one in PLANTED if len(one.line) <= 200 and one.line.isprintable()]
    for one in short:
        project.fire("PostToolUse", session_id=one.line, tool_name=one.line, tool_use_id=one.line, tool_input={})
        project.fire("SubagentStart", session_id=one.line, agent_id=one.line, agent_type=one.line, prompt_id=one.line)
    assert len(short) > 35
    assert kept(project.drained(), PLANTED) == []


def test_no_payload_that_is_set_aside_keeps_a_secret(project: Project) -> None:
    for one in PLANTED:
        whole = json.dumps({"user_email": MAIL, "prompt": one.line})
        for raw in (
            whole[:-1].encode(),
            (whole + one.line).encode(),
            (whole + "\udcff").encode("utf-8", "surrogateescape"),
            whole[:-2].encode("utf-16"),
            whole.encode("utf-16-le") + b"\x00\xd8",
            whole[:-2].encode("utf-32-be"),
            b'{"a": "' + one.line.encode("utf-16-le") + b'"',
            json.dumps([whole, {"user_email": [MAIL], "author_email": {"address": MAIL}}]).encode(),
            json.dumps({"session_id": [one.line], "hook_event_name": "Stop", "user_email": MAIL}).encode(),
        ):
            project.fire("Stop", raw)
        project.fire("post-commit", b"git 1\nhook post-commit\nhead " + one.line.encode(), agent="git")
        project.fire("post-rewrite", f"git 1\nhook {in_the_way(one, 68)}\n".encode(), agent="git")
    found = project.drained()
    aside = b"".join(path.read_bytes().replace(b"\0", b"") for path in (project.layout.spool / "rejected").iterdir())
    assert len(spool.rejected(project.layout)) == 11 * len(PLANTED)
    assert kept(found + aside, PLANTED) == []
    assert halves(found + aside) == []
    assert MAIL.encode() not in found + aside


def test_a_payload_that_is_too_long_keeps_no_half_of_a_secret(project: Project) -> None:
    some = [one for one in PLANTED if one.kind in ("github classic", "telegram bot", "json password", "url password")]
    for one in some:
        head = in_the_way(one, 64 * 1024 - len('{"a": "'))
        project.fire("Stop", json.dumps({"a": head}).encode() + b"." * (65 * 1024 * 1024))
    found = project.drained()
    assert len(spool.rejected(project.layout)) == len(some) == 4
    assert kept(found, some) == []
    assert halves(found) == []


def test_the_transcript_that_a_turn_ends_with_is_kept_without_secrets(project: Project) -> None:
    with project.transcript.open("w") as file:
        for number, one in enumerate(PLANTED):
            for text in (one.line, in_the_way(one, PROMPT - 32)):
                common = {"sessionId": KEY, "uuid": f"u{number}-{len(text)}", "timestamp": "2026-11-22T10:00:00.000Z"}
                message = {"role": "user", "content": text}
                line = {"type": "user", "promptId": f"u{number}-{len(text)}", "message": message}
                file.write(json.dumps(common | line | {"version": "2.1.0", "cwd": str(project.root)}) + "\n")
    project.fire("Stop", prompt_id="p")
    found = project.drained()
    kinds = project.kinds()
    assert (kinds.count("prompt.submitted"), "transcript.appended" in kinds) == (2 * len(PLANTED), True)
    assert kept(found, PLANTED) == []
    assert halves(events_of(project)) == []


def events_of(project: Project) -> bytes:
    git_dir = f"--git-dir={project.layout.git_dir}"
    return subprocess.run(["git", git_dir, "log", "--all", "--format=%B"], capture_output=True, check=True).stdout


def test_what_git_says_of_commits_and_branches_is_kept_without_secrets(project: Project) -> None:
    assert main(["hooks", "install", "git", "--quiet"]) == 0
    spelled = [one for one in PLANTED if "\n" not in one.line]
    for number, one in enumerate(spelled):
        name = "".join(c if c.isalnum() or c in "._-" else "-" for c in one.secret) if has_form(one) else "plain"
        project.git("switch", "--quiet", "--orphan", f"b{number}/{name}")
        (project.root / name).write_text("x")
        project.git("add", "--all")
        project.git("-c", f"user.email={MAIL}", "commit", "--quiet", "-m", f"{in_the_way(one, 1024 - 32)}")
        project.git("-c", f"user.email={MAIL}", "commit", "--quiet", "--amend", "-m", one.line)
    found = project.drained()
    assert project.kinds().count("git.committed") == 2 * len(spelled)
    assert b"[redacted:github-token]" in found
    assert kept(found, spelled) == []
    assert halves(found) == []
    assert MAIL.encode() not in found


def has_form(planted: Planted) -> bool:
    """Whether the secret is known for one without the words around it."""
    return default_redactor().text(planted.secret) != planted.secret


def test_what_a_session_is_told_of_the_others_holds_no_secret(project: Project) -> None:
    with open_ledger(project.layout.root) as ledger:
        other = ledger.session("codex", "other")
        for number, one in enumerate(PLANTED):
            other.decide(f"auth/{number}", one.line)
    said = project.fire("SessionStart", source="startup")
    assert b"auth/" in said
    found = project.drained()
    assert b"context.read" in found
    assert kept(said + found, PLANTED) == []


def test_nothing_of_the_environment_is_kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, one in enumerate(PLANTED):
        monkeypatch.setenv(f"PLANTED_{number}", one.line)
    monkeypatch.setenv("EMAIL", MAIL)
    assert main(["hooks", "install", "git", "--quiet"]) == 0
    project.fire("SessionStart", source="startup")
    project.fire("Stop", prompt_id="p")
    project.git("commit", "--quiet", "--allow-empty", "-m", "plain")
    found = project.drained()
    assert kept(found, PLANTED) == []
    assert MAIL.encode() not in found


@pytest.mark.parametrize("own", [False, True])
def test_no_log_keeps_a_secret_of_a_rule_of_the_ledgers_own_either(project: Project, own: bool) -> None:
    secret = "ACME-4711-0815" if own else next(one.secret for one in PLANTED if one.kind == "github classic")
    project.layout.config.write_text('[redaction]\nrules = { "acme-ticket" = "ACME-[0-9-]{6,}" }\n')
    project.fire("SessionStart", json.dumps({"session_id": f"{secret} " * 30, "hook_event_name": secret}).encode())
    project.fire("Stop", prompt_id="p", transcript_path=f"/nowhere/{secret}.jsonl")
    project.fire("Stop", prompt_id="q", transcript_path=f"{secret}.jsonl")
    log = project.layout.logs / "drain.log"
    until(lambda: log.exists() and "No such file" in log.read_text())
    found = project.drained()
    assert secret.encode() not in found
