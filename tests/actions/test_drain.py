"""Drain: every captured payload becomes its events, once, in order, or is set aside with the reason."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import zlib
from pathlib import Path

import pytest
from tests.actions.payloads import KEY, Claude, at, events, gemini, types, written_below
from tests.planted import body

from ledger.actions.adapt import LONGEST
from ledger.actions.drain import Drained, drain
from ledger.actions.import_transcripts import import_transcripts
from ledger.actions.presence import presence
from ledger.actions.roster import all_sessions, past_sessions
from ledger.api import Ledger, memory_ledger, open_ledger
from ledger.core import fold
from ledger.core.clock import stamp
from ledger.core.ids import SessionId
from ledger.errors import BusyError, NewerFormatError
from ledger.storage import spool
from ledger.storage.layout import session_ref
from ledger.storage.locks import Lock
from ledger.storage.switches import ALL, Switch, turn_off, turn_on

AWS_KEY = "AKIA" + body(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
WHOLE = [
    "session.started",
    "prompt.submitted",
    "tool.completed",
    "tool.completed",
    "turn.ended",
    "session.ended",
]


@pytest.fixture
def claude(disk_ledger: Ledger) -> Claude:
    return Claude(disk_ledger.layout)


def rejections(ledger: Ledger) -> list[tuple[str, bytes]]:
    return [(one.reason, one.path.read_bytes()) for one in spool.rejected(ledger.layout)]


# What comes of a session


def test_a_session_becomes_its_events_in_the_order_of_capture_and_ends(disk_ledger: Ledger, claude: Claude) -> None:
    claude.work()
    done = drain(disk_ledger.place)
    assert done == Drained(events=6, sessions=(claude.session,), unread=done.unread, due=done.due)
    assert types(disk_ledger, claude.session) == WHOLE
    (past,) = past_sessions(disk_ledger.place)
    assert (past.author.session, past.reason) == (claude.session, "prompt_input_exit")


def test_facts_come_from_hooks_and_are_known_by_the_agents_own_ids(disk_ledger: Ledger, claude: Claude) -> None:
    claude.work(calls=1)
    drain(disk_ledger.place)
    origins = [event.origin for event in events(disk_ledger, claude.session) if event.origin]
    assert {origin["source"] for origin in origins} == {"hook"}
    assert [origin["ref"].split(":")[0] for origin in origins] == [
        "session.started",
        "prompt",
        "tool",
        "turn",
        "session.ended",
    ]


def test_an_empty_spool_costs_nothing_and_a_ledger_in_memory_has_none(disk_ledger: Ledger) -> None:
    assert drain(disk_ledger.place) == Drained() == drain(memory_ledger().place)


def test_what_was_drained_is_gone_from_the_spool_and_draining_again_adds_nothing(
    disk_ledger: Ledger, claude: Claude
) -> None:
    claude.work()
    drain(disk_ledger.place)
    before = events(disk_ledger)
    assert spool.waiting(disk_ledger.layout) == []
    assert drain(disk_ledger.place) == Drained()
    assert events(disk_ledger) == before


def test_a_turns_end_publishes_and_before_it_the_session_is_on_its_own_line(
    disk_ledger: Ledger, claude: Claude
) -> None:
    claude.start()
    claude.ask()
    drain(disk_ledger.place)
    assert session_ref(claude.session) in disk_ledger.place.store.refs()
    claude.stop()
    drain(disk_ledger.place)
    assert session_ref(claude.session) not in disk_ledger.place.store.refs()


def test_sessions_of_one_drain_keep_apart(disk_ledger: Ledger, claude: Claude) -> None:
    other = Claude(disk_ledger.layout, key="another", moments=claude.moments)
    for one in (claude, other):
        one.start()
    for one in (other, claude):
        one.ask()
    assert drain(disk_ledger.place).events == 4
    for one in (claude, other):
        assert types(disk_ledger, one.session) == ["session.started", "prompt.submitted"]


# The life of a session


def test_a_session_heard_of_in_the_middle_enters_the_roster_with_what_is_known(
    disk_ledger: Ledger, claude: Claude, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    subprocess.run(["git", "init", "-q", "-b", "topic", project], check=True)
    claude.cwd = str(project)
    claude.use()
    drain(disk_ledger.place)
    started, *_ = events(disk_ledger, claude.session)
    told = {name: started.data.get(name) for name in ("agent", "key", "cwd", "worktree", "branch", "host")}
    assert told == {
        "agent": "claude-code",
        "key": KEY,
        "cwd": str(project),
        "worktree": str(project),
        "branch": "topic",
        "host": disk_ledger.place.host,
    }


def test_a_start_that_comes_late_is_the_only_one_and_stands_first(disk_ledger: Ledger, claude: Claude) -> None:
    claude.ask()
    claude.start()
    drain(disk_ledger.place)
    assert types(disk_ledger, claude.session) == ["session.started", "prompt.submitted"]
    assert events(disk_ledger, claude.session)[0].data["source"] == "startup"


def test_a_start_in_a_later_drain_is_not_told_again(disk_ledger: Ledger, claude: Claude) -> None:
    claude.ask()
    drain(disk_ledger.place)
    claude.start()
    drain(disk_ledger.place)
    assert types(disk_ledger, claude.session) == ["session.started", "prompt.submitted"]


def test_a_session_that_ended_comes_back_when_it_is_asked_something_and_ends_again(
    disk_ledger: Ledger, claude: Claude
) -> None:
    claude.work()
    drain(disk_ledger.place)
    claude.start("resume")
    claude.ask("And now?", "another-prompt")
    claude.end()
    drain(disk_ledger.place)
    assert types(disk_ledger, claude.session)[len(WHOLE) :] == ["session.resumed", "prompt.submitted", "session.ended"]


def test_what_comes_late_is_recorded_and_brings_nobody_back(disk_ledger: Ledger, claude: Claude) -> None:
    claude.work()
    drain(disk_ledger.place)
    claude.stop("another-prompt")
    drain(disk_ledger.place)
    assert types(disk_ledger, claude.session) == [*WHOLE, "turn.ended"]
    assert presence(disk_ledger.place) == []


def test_a_session_that_goes_on_after_a_compaction_is_no_new_one(disk_ledger: Ledger, claude: Claude) -> None:
    claude.start()
    claude.ask()
    claude.start("compact")
    drain(disk_ledger.place)
    found = types(disk_ledger, claude.session)
    assert (found.count("session.started"), found.count("session.resumed")) == (1, 0)


def test_the_agents_process_is_the_sessions_and_what_it_does_is_told(disk_ledger: Ledger, claude: Claude) -> None:
    claude.start()
    claude.ask()
    drain(disk_ledger.place)
    (one,) = presence(disk_ledger.place)
    assert (one.pid, one.state) == (os.getpid(), "working")
    claude.stop()
    drain(disk_ledger.place)
    (one,) = presence(disk_ledger.place)
    assert (one.pid, one.state) == (os.getpid(), "waiting")


def test_a_process_that_began_after_the_capture_is_another_one_and_claims_nothing(disk_ledger: Ledger) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        claude = Claude(disk_ledger.layout, pid=sleeper.pid)
        at(claude.ask(), 1_700_000_000)
        drain(disk_ledger.place)
        sleeper.kill()
    (one,) = presence(disk_ledger.place)
    assert one.pid is None


# Once


def test_a_payload_that_is_captured_twice_is_one_event(disk_ledger: Ledger, claude: Claude) -> None:
    raw = claude.payload("UserPromptSubmit", prompt="Hello", prompt_id="p")
    for _ in range(2):
        claude.capture("UserPromptSubmit", raw)
    assert drain(disk_ledger.place).known == 1
    assert types(disk_ledger, claude.session) == ["session.started", "prompt.submitted"]


def test_facts_without_an_id_are_counted_and_one_that_is_heard_twice_at_once_is_one(disk_ledger: Ledger) -> None:
    agent = Claude(disk_ledger.layout)
    fields = {"tool_name": "run_shell_command", "tool_input": {"command": "ls"}, "tool_response": {"llmContent": "a"}}
    for second in (1, 5, 9):
        raw = gemini("AfterTool", "g", f"2026-11-22T17:06:0{second}.000Z", **fields)
        agent.capture("AfterTool", raw, "gemini")
    agent.moments = iter([next(agent.moments)] * 2)
    for _ in range(2):
        agent.capture("AfterTool", gemini("AfterTool", "g", "2026-11-22T17:06:30.000Z", **fields), "gemini")
    drain(disk_ledger.place)
    found = [e for e in events(disk_ledger, SessionId.of("gemini", "g")) if e.type == "tool.completed"]
    refs = [event.origin["ref"] for event in found if event.origin]
    assert len(refs) == len(set(refs)) == 4
    assert [ref.removeprefix(refs[0]) for ref in refs] == ["", ".2", ".3", ".4"]


def test_two_agents_with_one_id_are_two_sessions(disk_ledger: Ledger, claude: Claude) -> None:
    claude.ask()
    claude.capture("BeforeAgent", gemini("BeforeAgent", KEY, "2026-11-22T17:06:01.000Z", prompt="Hello"), "gemini")
    assert len(drain(disk_ledger.place).sessions) == 2


def test_whose_a_payload_is_its_keys_say_and_not_the_hook_that_ran(disk_ledger: Ledger, claude: Claude) -> None:
    told = {
        "session_id": "01a20438-d747-76d0-a265-1302be3c4220",
        "turn_id": "01a20438-d757-7bd1-9ae7-0d6fdf0b7a5f",
        "transcript_path": None,
        "cwd": "/nowhere/project",
        "hook_event_name": "UserPromptSubmit",
        "model": "gpt-5.5-codex",
        "permission_mode": "bypassPermissions",
        "prompt": "Please do it",
    }
    for hook in ("codex", "claude-code", "cursor"):
        claude.capture("UserPromptSubmit", json.dumps(told).encode(), hook)
    assert drain(disk_ledger.place).known == 2
    assert types(disk_ledger) == ["ledger.created", "session.started", "prompt.submitted"]
    assert types(disk_ledger, SessionId.of("codex", str(told["session_id"]))) == types(disk_ledger)[1:]


def test_two_drains_at_once_write_every_fact_once(root: Path) -> None:
    with open_ledger(root) as ledger:
        for number in range(4):
            Claude(ledger.layout, key=f"session-{number}").work(calls=20)
    done: list[Drained] = []

    def work() -> None:
        with open_ledger(root) as own:
            done.append(drain(own.place))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_ledger(root) as ledger:
        assert sum(one.events for one in done) == 4 * 24
        for number in range(4):
            found = types(ledger, SessionId.of("claude-code", f"session-{number}"))
            assert (len(found), found.count("session.started"), found.count("session.ended")) == (24, 1, 1)


def test_payloads_of_one_time_are_in_the_order_of_their_names_and_a_clock_that_went_back_loses_nothing(
    disk_ledger: Ledger, claude: Claude
) -> None:
    claude.start()
    claude.ask()
    at(claude.use("late"), 1_600_000_000)
    drain(disk_ledger.place)
    found = events(disk_ledger, claude.session)
    assert sorted(event.type for event in found) == ["prompt.submitted", "session.started", "tool.completed"]
    assert found[0].type == "session.started"


def test_an_agents_own_time_is_kept_whatever_the_clock_of_the_files_says(disk_ledger: Ledger) -> None:
    agent = Claude(disk_ledger.layout)
    at(agent.capture("BeforeAgent", gemini("BeforeAgent", "g", "2026-11-22T17:06:01.500Z", prompt="Hi"), "gemini"), 12)
    drain(disk_ledger.place)
    prompt = events(disk_ledger, SessionId.of("gemini", "g"))[-1]
    assert prompt.time == "2026-11-22T17:06:01.500000Z"


def test_a_time_of_a_file_that_no_calendar_has_is_the_nearest_that_one_has(disk_ledger: Ledger, claude: Claude) -> None:
    at(claude.ask(), -5)
    drain(disk_ledger.place)
    assert events(disk_ledger, claude.session)[-1].time == stamp(0)


def test_a_drain_beside_an_import_of_the_same_session_tells_every_fact_once(root: Path) -> None:
    key, sample = "5e551011-0000-4000-8000-000000000001", Path(__file__).parents[1] / "recording/data/claude-code.jsonl"
    with open_ledger(root) as ledger:
        claude = Claude(ledger.layout, key=key, transcript=str(sample))
        claude.start()
        claude.end()

    def take() -> None:
        with open_ledger(root) as own:
            import_transcripts(own.place, [sample])

    beside = threading.Thread(target=take)
    beside.start()
    with open_ledger(root) as ledger:
        drain(ledger.place)
        beside.join()
        named = [(e.type, (e.origin or {}).get("ref")) for e in events(ledger, claude.session) if e.origin]
        assert len(named) == len(set(named)) > 5


# What the ledger's own hooks and git's tell


def test_what_an_agent_was_given_to_read_is_recorded_in_its_session(disk_ledger: Ledger, claude: Claude) -> None:
    told = {"injected": claude.session, "at": "prompt", "text": "what others did", "keys": ["auth/decision"]}
    claude.start()
    drain(disk_ledger.place)
    claude.capture("Injected", json.dumps(told).encode(), "ledger")
    drain(disk_ledger.place)
    read = events(disk_ledger, claude.session)[-1]
    assert (read.type, read.data) == ("context.read", {name: told[name] for name in ("at", "text", "keys")})


def test_what_was_read_in_a_session_that_has_ended_by_now_is_recorded_all_the_same(
    disk_ledger: Ledger, claude: Claude
) -> None:
    """The hooks of a short session may end in another order than they began."""
    claude.end()
    claude.start()
    drain(disk_ledger.place)
    told = {"injected": claude.session, "agent": "claude-code", "at": "start", "text": "what stands", "keys": []}
    claude.capture("Injected", json.dumps(told).encode(), "ledger")
    assert drain(disk_ledger.place).rejected == 0
    assert [e.type for e in events(disk_ledger, claude.session)] == ["session.started", "session.ended", "context.read"]
    assert claude.session not in all_sessions(disk_ledger.place)


def test_what_was_read_in_a_session_that_nobody_has_heard_of_is_set_aside(disk_ledger: Ledger, claude: Claude) -> None:
    claude.capture("Injected", json.dumps({"injected": claude.session, "keys": []}).encode(), "ledger")
    claude.capture("Injected", b'{"injected": "../x"}', "ledger")
    assert drain(disk_ledger.place).rejected == 2
    assert types(disk_ledger) == ["ledger.created"]


def test_what_git_tells_is_a_fact_of_the_session_around_it_else_of_the_person(
    disk_ledger: Ledger, claude: Claude
) -> None:
    commit = "1" * 40
    lines = ["git 1", "hook post-commit", f"head {commit}", "branch main", f"agent claude-code {KEY}"]
    claude.ask()
    claude.capture("post-commit", "\n".join(lines).encode(), "git")
    claude.capture("post-commit", "\n".join([*lines[:2], f"head {'2' * 40}"]).encode(), "git")
    drain(disk_ledger.place)
    made = {e.session: e for e in events(disk_ledger) if e.type == "git.committed"}
    mine = made.pop(claude.session)
    assert (mine.data["commit"], mine.origin) == (commit, {"source": "git", "ref": f"commit:{commit}"})
    assert list(made) == [disk_ledger.person().id]


# What cannot be adapted


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"\x00\xff\x00", "not "),
        (b'{"session_id": "x", "hook_event_name": "Stop"', "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"a": NaN}', "no number of JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        ('{"session_id": "é"}'.encode("latin-1"), "not utf-8"),
        (b'{"unknown": "payload"}', ""),
    ],
    ids=["empty", "bytes", "cut", "list", "text", "nan", "brackets", "nested", "latin-1", "unknown"],
)
def test_what_is_no_payload_is_set_aside_and_what_comes_behind_it_is_recorded(
    disk_ledger: Ledger, claude: Claude, raw: bytes, reason: str
) -> None:
    claude.start()
    claude.capture("Stop", raw)
    claude.ask()
    assert drain(disk_ledger.place).rejected == 1
    ((told, kept),) = rejections(disk_ledger)
    assert reason in told
    assert kept == raw.replace(b"\0", b"")
    assert types(disk_ledger, claude.session) == ["session.started", "prompt.submitted"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_another_unicode_encoding_is_understood(disk_ledger: Ledger, claude: Claude, encoding: str) -> None:
    raw = claude.payload("UserPromptSubmit", prompt="Grüße", prompt_id="p").decode().encode(encoding)
    claude.capture("UserPromptSubmit", raw)
    drain(disk_ledger.place)
    assert events(disk_ledger, claude.session)[-1].data["text"] == "Grüße"


def test_lone_surrogates_in_what_was_said_do_not_keep_it_from_being_recorded(
    disk_ledger: Ledger, claude: Claude
) -> None:
    claude.ask("half a \ud83d face")
    assert drain(disk_ledger.place).rejected == 0
    assert "face" in events(disk_ledger, claude.session)[-1].data["text"]


@pytest.mark.parametrize("key", ["x" * 300, 7, None, ["x"], "", "a\ud800b"])
def test_a_session_without_a_usable_id_is_set_aside(disk_ledger: Ledger, claude: Claude, key: object) -> None:
    claude.fire("Stop", session_id=key, last_assistant_message="Done.")
    done = drain(disk_ledger.place)
    assert (done.rejected, done.waiting) == (1, 0) or types(disk_ledger)[-1] == "turn.ended"


def test_an_id_that_looks_like_a_path_is_only_an_id(disk_ledger: Ledger, tmp_path: Path) -> None:
    claude = Claude(disk_ledger.layout, key="../../../../escaped")
    claude.work()
    before = sorted(tmp_path.iterdir())
    drain(disk_ledger.place)
    assert types(disk_ledger, claude.session) == WHOLE
    assert sorted(tmp_path.iterdir()) == before


def test_a_payload_of_fifty_megabytes_is_cut_to_an_event(disk_ledger: Ledger, claude: Claude) -> None:
    claude.use(output="line of output\n" * 3_500_000)
    assert drain(disk_ledger.place).events == 2
    assert len(json.dumps(events(disk_ledger, claude.session)[-1].data)) < 64 * 1024


def test_what_is_longer_than_is_read_is_set_aside_with_its_head(disk_ledger: Ledger, claude: Claude) -> None:
    claude.capture("Stop", b'{"said": "' + b"word " * (LONGEST // 5 + 1))
    claude.ask()
    assert drain(disk_ledger.place).rejected == 1
    ((told, kept),) = rejections(disk_ledger)
    assert "longer than 64 MiB" in told
    assert kept.startswith(b'{"said": "word word')
    assert len(kept) <= 64 * 1024


def test_a_payload_that_the_disk_does_not_give_back_stays_and_holds_up_nobody(
    disk_ledger: Ledger, claude: Claude
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    claude.start().path.chmod(0)
    claude.ask()
    done = drain(disk_ledger.place)
    assert (done.waiting, len(done.unread)) == (1, 1)
    assert "prompt.submitted" in types(disk_ledger, claude.session)


# Secrets


def test_no_secret_reaches_events_rejected_payloads_reasons_or_the_index(disk_ledger: Ledger, claude: Claude) -> None:
    claude.ask(f"use {AWS_KEY}")
    claude.use(call=AWS_KEY, output=AWS_KEY)
    claude.capture("Stop", f'{{"session_id": "{AWS_KEY}", cut'.encode())
    claude.capture("Stop", f'{{"note": "{AWS_KEY}"}}'.encode("utf-16"))
    claude.capture(AWS_KEY, b"{}")
    claude.capture("Other", claude.payload(f"Event {AWS_KEY}", **{AWS_KEY: AWS_KEY}))
    claude.fire("Notification", message=AWS_KEY, session_id=AWS_KEY)
    claude.stop(said=AWS_KEY)
    drain(disk_ledger.place)
    root = disk_ledger.layout.root
    found = [path for path in root.rglob("*") if path.is_file() and AWS_KEY.encode() in _plain(path.read_bytes())]
    assert [path for path in found if AWS_KEY not in path.name] == []


def _plain(data: bytes) -> bytes:
    """The bytes, and those of a loose object, and the letters of UTF-16."""
    try:
        inside = zlib.decompress(data)
    except zlib.error:
        inside = b""
    return data + inside + data.replace(b"\0", b"")


def test_addresses_that_say_who_somebody_is_are_not_kept(disk_ledger: Ledger, claude: Claude) -> None:
    claude.capture("Stop", b'{"user_email": "who@example.org", "other": 1}')
    claude.fire("SomethingNew", user_email="who@example.org")
    drain(disk_ledger.place)
    rejected = written_below(disk_ledger.layout.spool / "rejected")
    assert b"who@example.org" not in rejected
    assert all("who@example.org" not in json.dumps(event.data) for event in events(disk_ledger))


# When it cannot be done


def test_while_writing_is_off_payloads_wait(disk_ledger: Ledger, claude: Claude) -> None:
    claude.work()
    turn_off(disk_ledger.layout, Switch(ALL))
    assert drain(disk_ledger.place) == Drained(waiting=6)
    turn_on(disk_ledger.layout, ALL)
    assert drain(disk_ledger.place).events == 6


def test_a_program_that_is_too_old_for_the_ledger_leaves_payloads_where_they_are(
    disk_ledger: Ledger, claude: Claude, monkeypatch: pytest.MonkeyPatch
) -> None:
    claude.work()
    monkeypatch.setattr(fold, "FOLD", 0)
    with pytest.raises(NewerFormatError):
        drain(disk_ledger.place)
    assert len(spool.waiting(disk_ledger.layout)) == 6


def test_who_waits_for_another_drain_is_told_so_in_time(disk_ledger: Ledger, claude: Claude) -> None:
    claude.ask()
    with Lock(disk_ledger.layout.drain_lock).hold(0), pytest.raises(BusyError):
        drain(disk_ledger.place, wait=0.05)
    assert len(spool.waiting(disk_ledger.layout)) == 1


def test_a_nul_in_a_text_costs_a_character_and_no_event(disk_ledger: Ledger) -> None:
    claude = Claude(disk_ledger.layout)
    claude.ask("a\0b")
    claude.use(command="printf 'a\0b'", output="a\0b")
    claude.stop(said="a\0b")
    assert drain(disk_ledger.place).rejected == 0
    mine = events(disk_ledger, claude.session)
    assert [event.type for event in mine] == ["session.started", "prompt.submitted", "tool.completed", "turn.ended"]
    assert [event.data.get("text", event.data.get("output")) for event in mine[1:]] == ["a\ufffdb"] * 3
