"""The tail of a transcript: what hooks did not tell is taken in at a turn's end, from the agent's own file alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.actions.payloads import Claude, events, types

from ledger.actions.drain import drain
from ledger.actions.import_transcripts import import_transcripts
from ledger.api import Ledger
from ledger.core.event import Event
from ledger.core.ids import SessionId

DATA = Path(__file__).parent.parent / "recording" / "data"
SAMPLE = DATA / "claude-code.jsonl"
KEY = "5e551011-0000-4000-8000-000000000001"


@pytest.fixture
def claude(disk_ledger: Ledger, tmp_path: Path) -> Claude:
    """An agent with a transcript of its own."""
    return Claude(disk_ledger.layout, key=KEY, transcript=str(shutil.copy(SAMPLE, tmp_path / "transcript.jsonl")))


def kept(ledger: Ledger, session: str) -> bytes:
    """The bytes of the transcript that are kept, in order."""
    place = ledger.place
    assert place.payloads is not None
    named = [event.data["attachment"] for event in events(ledger, session) if event.type == "transcript.appended"]
    return b"".join(place.payloads.get(one["id"], one["sha256"]) for one in named)


def facts(found: list[Event]) -> set[tuple[str, str]]:
    """What is told, by type and ref; a session's life and its bytes aside."""
    named = ((event.type, str((event.origin or {}).get("ref"))) for event in found)
    return {one for one in named if not one[0].startswith(("session.", "transcript.", "ledger."))}


def test_at_a_turns_end_everything_that_the_transcript_tells_is_recorded(disk_ledger: Ledger, claude: Claude) -> None:
    claude.start()
    claude.end()
    assert drain(disk_ledger.place).unread == ()
    mine = events(disk_ledger, claude.session)
    assert mine[0].type == "session.started"
    assert {"prompt.submitted", "tool.completed", "usage.reported", "turn.ended"} <= {event.type for event in mine}
    assert kept(disk_ledger, claude.session) == Path(claude.transcript).read_bytes()


def test_an_import_of_a_transcript_that_hooks_told_of_adds_nothing(disk_ledger: Ledger, claude: Claude) -> None:
    claude.start()
    claude.end()
    drain(disk_ledger.place)
    before = events(disk_ledger)
    done = import_transcripts(disk_ledger.place, [Path(claude.transcript)])
    assert (done.events, done.bytes) == (0, 0)
    assert events(disk_ledger) == before


def test_what_an_import_brought_is_not_told_again_by_hooks(disk_ledger: Ledger, claude: Claude) -> None:
    import_transcripts(disk_ledger.place, [Path(claude.transcript)])
    before = facts(events(disk_ledger))
    claude.start()
    claude.end()
    drain(disk_ledger.place)
    assert facts(events(disk_ledger)) == before
    assert kept(disk_ledger, claude.session) == Path(claude.transcript).read_bytes()


def test_a_transcript_that_grows_line_by_line_is_kept_once(disk_ledger: Ledger, claude: Claude) -> None:
    whole, growing = SAMPLE.read_bytes().splitlines(keepends=True), Path(claude.transcript)
    claude.start()
    for count in range(1, len(whole) + 1):
        growing.write_bytes(b"".join(whole[:count]) + b'{"type": "half of a li')
        claude.stop(prompt=f"turn-{count}")
        drain(disk_ledger.place)
    growing.write_bytes(b"".join(whole))
    claude.end()
    drain(disk_ledger.place)
    assert kept(disk_ledger, claude.session) == b"".join(whole)
    own = [event for event in events(disk_ledger, claude.session) if (event.origin or {}).get("source") == "transcript"]
    refs = [str((event.origin or {})["ref"]) for event in own]
    assert len(refs) == len(set(refs))
    done = import_transcripts(disk_ledger.place, [growing])
    assert (done.events, done.bytes) == (0, 0)


def test_a_transcript_that_was_rewritten_adds_what_is_new_in_it(disk_ledger: Ledger, claude: Claude) -> None:
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    claude.start()
    Path(claude.transcript).write_bytes(b"".join(lines[:20]))
    claude.stop()
    drain(disk_ledger.place)
    Path(claude.transcript).write_bytes(b"".join(lines[10:]))
    claude.end()
    drain(disk_ledger.place)
    found = kept(disk_ledger, claude.session).splitlines(keepends=True)
    assert set(found) == set(lines)
    assert len(found) == len(set(found))


def test_more_than_is_asked_for_is_left_to_the_next_drain(disk_ledger: Ledger, claude: Claude) -> None:
    claude.start()
    claude.stop()
    done = drain(disk_ledger.place, most_tail=100)
    assert done.waiting == 1
    assert "turn.ended" in types(disk_ledger, claude.session)
    assert kept(disk_ledger, claude.session) == b""
    assert drain(disk_ledger.place).waiting == 0
    assert kept(disk_ledger, claude.session) == Path(claude.transcript).read_bytes()


def test_a_line_with_a_secret_is_kept_without_it(disk_ledger: Ledger, claude: Claude) -> None:
    secret = "ghp_" + "a1B2" * 9
    line = f'{{"type":"user","sessionId":"{KEY}","uuid":"u","message":{{"role":"user","content":"{secret}"}}}}\n'
    Path(claude.transcript).write_bytes(SAMPLE.read_bytes() + line.encode())
    claude.start()
    claude.end()
    drain(disk_ledger.place)
    found = kept(disk_ledger, claude.session)
    assert secret.encode() not in found
    assert b"[redacted:" in found


def test_a_failure_that_a_hook_could_not_tell_is_added_by_the_transcript_once(
    disk_ledger: Ledger, tmp_path: Path
) -> None:
    """Codex gives its hooks no exit code: a command that failed is one that ended, until the transcript is read."""
    path = shutil.copy(DATA / "codex.jsonl", tmp_path / "codex.jsonl")
    codex = Claude(disk_ledger.layout, key="01a1ee56-5e00-7001-8000-000000000001", transcript=str(path))
    session = str(SessionId.of("codex", codex.key))

    def fire(event: str, **fields: object) -> None:
        common = {"turn_id": "01a1ee56-5ff4-7002-8000-000000000002", "model": "gpt-5.5", "permission_mode": "default"}
        codex.capture(event, codex.payload(event, **common, **fields), agent="codex")

    called = {"tool_name": "exec_command", "tool_input": {"cmd": "make"}, "tool_response": "boom"}
    fire("SessionStart", source="startup")
    fire("PostToolUse", tool_use_id="call_1", **called)
    drain(disk_ledger.place)
    assert [e.type for e in events(disk_ledger, session) if e.data.get("call") == "call_1"] == ["tool.completed"]
    for _ in range(2):
        fire("Stop", last_assistant_message="Done.")
        drain(disk_ledger.place)
    import_transcripts(disk_ledger.place, [path])
    found = [event for event in events(disk_ledger, session) if event.data.get("call") == "call_1"]
    assert [event.type for event in found] == ["tool.completed", "tool.failed"]
    assert found[1].data["exit_code"] == 2
    Path(disk_ledger.layout.seen).unlink()  # a projection: it is rebuilt from the events
    import_transcripts(disk_ledger.place, [path])
    assert len([event for event in events(disk_ledger, session) if event.data.get("call") == "call_1"]) == 2


# What is not opened


def fifo(folder: Path) -> str:
    os.mkfifo(folder / "fifo")
    return str(folder / "fifo")


def link(folder: Path) -> str:
    (folder / "link").symlink_to("/etc/shadow")
    return str(folder / "link")


def foreign(folder: Path) -> str:
    return str(shutil.copy(DATA / "codex.jsonl", folder / "codex.jsonl"))


def other_text(folder: Path) -> str:
    (folder / "notes.txt").write_text("nothing of an agent's\n")
    return str(folder / "notes.txt")


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (fifo, "not a regular file"),
        (link, "symbolic link"),
        (lambda _: "/dev/zero", "not a regular file"),
        (str, "not a regular file"),
        (lambda _: "transcript.jsonl", "not absolute"),
        (lambda folder: str(folder / "gone.jsonl"), "No such file"),
        (lambda _: "/nowhere/\0/x", "null"),
        (foreign, "codex"),
        (other_text, "not a transcript"),
        (lambda _: "/proc/self/environ", ""),
    ],
    ids=["fifo", "link", "device", "folder", "relative", "gone", "nul", "foreign", "text", "environ"],
)
def test_a_path_that_is_no_transcript_of_the_agents_is_told_and_the_turn_recorded(
    disk_ledger: Ledger, tmp_path: Path, named: object, why: str
) -> None:
    assert callable(named)
    claude = Claude(disk_ledger.layout, transcript=named(tmp_path))
    claude.start()
    claude.stop()
    done = drain(disk_ledger.place)
    assert (done.waiting, done.rejected) == (0, 0)
    (problem,) = done.unread
    assert why in problem
    assert types(disk_ledger, claude.session) == ["session.started", "turn.ended"]


def test_a_file_of_somebody_else_is_not_opened(disk_ledger: Ledger, claude: Claude) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(claude.transcript, 12345, -1)
    claude.start()
    claude.stop()
    (problem,) = drain(disk_ledger.place).unread
    assert "this user's own" in problem


def test_of_another_sessions_transcript_nothing_is_taken(disk_ledger: Ledger, claude: Claude) -> None:
    stranger = Claude(disk_ledger.layout, key="another", transcript=claude.transcript)
    stranger.start()
    stranger.end()
    drain(disk_ledger.place)
    assert types(disk_ledger, claude.session) == []
    assert types(disk_ledger, stranger.session) == ["session.started", "session.ended"]
