"""Whose a payload is, and what it says: every payload that agents were seen to send, and every bad one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ledger.core import schema
from ledger.core.event import Event
from ledger.core.ids import SessionId
from ledger.errors import InvalidError, LedgerError, RefusedError
from ledger.recording import transcripts
from ledger.recording.adapter import Draft
from ledger.recording.payloads import fence
from ledger.recording.payloads.dialects import DIALECTS, recognise
from ledger.recording.payloads.payload import Heard

DATA = Path(__file__).parent / "data"
TIME = "2026-11-22T15:13:04.123456Z"
CLAUDE = {"session_id": "s", "cwd": "/p", "hook_event_name": "Stop"}
CODEX = CLAUDE | {"turn_id": "t1", "model": "m"}
GEMINI = CLAUDE | {"timestamp": "2026-11-22T17:06:23.055Z", "hook_event_name": "AfterAgent"}


def hear(payload: dict[str, Any], hint: str = "") -> Heard:
    return recognise(payload, hint).hear(payload, TIME)


def fact(payload: dict[str, Any]) -> Draft:
    (found,) = hear(payload).drafts
    return found


def told(payload: dict[str, Any]) -> str:
    """What a payload says, in a line."""
    try:
        dialect = recognise(payload, "")
        heard = dialect.hear(payload, TIME)
    except LedgerError as error:
        return f"rejected: {' '.join(error.message.split())}"
    facts = ", ".join(f"{one.type} {one.ref}" for one in heard.drafts)
    end = " ends the turn" if heard.ends_turn else ""
    answer = dialect.moment(payload)
    return " | ".join([dialect.NAME, facts or "nothing", f"{heard.doing}{end}", answer or "-"])


def expected() -> dict[str, str]:
    lines = (DATA / "told.txt").read_text().splitlines()
    return dict(line.split(" => ", 1) for line in lines if line and not line.startswith("#"))


def payloads(folder: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.rglob("*.json")):
        if not path.name.endswith(".schema.json"):
            yield str(path.relative_to(folder)), json.loads(path.read_bytes())


def test_every_payload_that_agents_were_seen_to_send_says_what_it_should(fixtures_dir: Path) -> None:
    assert {name: told(payload) for name, payload in payloads(fixtures_dir / "hooks")} == expected()


def test_every_fact_of_them_is_a_valid_event(fixtures_dir: Path) -> None:
    for name, payload in payloads(fixtures_dir / "hooks"):
        try:
            heard = hear(payload)
        except LedgerError:
            continue
        for one in heard.drafts:
            event = Event(
                id="0199f3c2-7b1e-7abc-8def-0123456789ab",
                type=one.type,
                v=1,
                session=str(SessionId.of("a", heard.session)),
                time=one.time,
                data=one.data,
                prev=None,
                changes_state=one.type.startswith("session."),
                origin={"source": "hook", "ref": one.ref},
            )
            assert schema.event_problems(event) == [], name


def test_the_table_for_readers_names_every_hook_that_is_registered() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/reference/payloads.md").read_text()
    for dialect in DIALECTS.values():
        section = page.partition(f"\n## {dialect.TITLE}\n")[2].partition("\n## ")[0]
        missing = [hook.event for hook in dialect.HOOKS if f"`{hook.event}`" not in section]
        assert missing == [], dialect.NAME


def test_a_transcript_calls_its_facts_what_the_hooks_called_them(fixtures_dir: Path) -> None:
    """Of a session heard whole the transcript adds what hooks are not told: costs, and calls that fired none."""
    heard: dict[str, list[Draft]] = {}
    for _, payload in payloads(fixtures_dir / "hooks/codex/captured"):
        said = hear(payload)
        heard.setdefault(said.session, []).extend(said.drafts)
    compared = 0
    for path in (fixtures_dir / "codex").glob("captured*"):
        with path.open("rb") as file:
            units = list(transcripts.read(file).units)
        facts = [draft for unit in units for draft in unit.drafts]
        for session in {draft.session for draft in facts} & set(heard):
            known = set(numbered(heard[session]))
            left = [d for d in facts if d.session == session and d.ref not in known]
            assert {d.type for d in left} <= {"usage.reported", "tool.completed", "tool.failed"}
            assert {"prompt.submitted", "turn.ended"} <= {d.type for d in facts if d.ref in known}
            compared += 1
    assert compared == 2


def numbered(drafts: Iterable[Draft]) -> Iterable[str]:
    counts: Counter[str] = Counter()
    for draft in drafts:
        base = draft.ref.removesuffix("#")
        counts[base] += 1
        yield base if counts[base] == 1 else f"{base}.{counts[base]}"


def test_an_agent_has_one_name_whether_it_is_heard_or_read() -> None:
    for name, reader in transcripts.ADAPTERS.items():
        assert (DIALECTS[name].NAME, DIALECTS[name].TITLE) == (reader.NAME, reader.TITLE)


# Whose it is


def test_the_hook_that_ran_does_not_say_whose_a_payload_is() -> None:
    cursor = CLAUDE | {"conversation_id": "c", "generation_id": "g", "cursor_version": "1"}
    assert recognise(cursor, "claude-code").NAME == "cursor"
    assert recognise(CODEX, "claude-code").NAME == "codex"
    assert recognise(CLAUDE, "codex").NAME == "claude-code"


def test_between_equals_the_hook_that_ran_decides() -> None:
    start = GEMINI | {"hook_event_name": "SessionStart", "source": "startup"}
    assert [recognise(start, hint).NAME for hint in ("gemini", "copilot-cli")] == ["gemini", "copilot-cli"]


@pytest.mark.parametrize("payload", [{}, {"session_id": "s"}, {"a": 1}, {"hook_event_name": "Stop"}])
def test_what_no_agent_sends_is_refused_with_what_it_holds(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidError, match="no agent that is known here"):
        recognise(payload, "claude-code")


def test_an_agent_that_cannot_be_recorded_yet_is_named() -> None:
    with pytest.raises(RefusedError, match="a Grok payload"):
        recognise({"hookEventName": "stop", "sessionId": "s", "workspaceRoot": "/p"}, "claude-code")


# What is at fault


@pytest.mark.parametrize("key", [None, 7, ["s"], {}, "", "  ", "x" * 257, "a\nb", "\x1b[2J"])
def test_a_session_without_a_proper_id_is_refused(key: object) -> None:
    for payload in (CLAUDE, CODEX, GEMINI):
        with pytest.raises(InvalidError) as raised:
            hear(payload | {"session_id": key})
        assert [problem.path for problem in raised.value.problems] == ["session_id"]


def test_all_faults_are_named_at_once() -> None:
    broken = CLAUDE | {"session_id": 7, "prompt": [], "cwd": 1, "transcript_path": {}}
    with pytest.raises(InvalidError) as raised:
        hear(broken)
    assert {p.path for p in raised.value.problems} == {"session_id", "prompt", "cwd", "transcript_path"}


def test_an_id_that_looks_like_a_path_is_only_an_id() -> None:
    assert hear(CLAUDE | {"session_id": "../../x"}).session == "../../x"


# What agents do


def test_an_event_without_a_type_of_ours_is_kept_without_anybodys_address() -> None:
    kept = fact(
        CLAUDE | {"hook_event_name": "Brand New", "user_email": "a@example.invalid", "deep": {"eMail": 1, "n": 2}}
    )
    assert (kept.type, kept.data) == ("agent.other", {"name": "Brand New", "payload": {"deep": {"n": 2}}})


def test_the_end_of_an_answer_that_gemini_repeats_is_kept_once() -> None:
    said = "Done: wrote hello.txt, and the failing command failed as expected."
    assert fact(GEMINI | {"prompt_response": f"{said}  the failing command failed as expected."}).data["text"] == said
    assert fact(GEMINI | {"prompt_response": f"{said}{said}"}).data["text"] == said
    for whole in ("no no", "ha ha ha", said, "", "a b c " * 2_000):
        assert (
            fact(GEMINI | {"prompt_response": whole}).data.get("text", "") in (whole, whole.strip()) or len(whole) > 99
        )


def test_what_we_put_into_a_prompt_is_not_taken_for_what_was_asked() -> None:
    asked = GEMINI | {"hook_event_name": "BeforeAgent", "prompt": "Do it."}
    given = f"<hook_context>{fence.fenced(['- a: 1'])}</hook_context>\n\nDo it."
    assert fact(asked | {"prompt": given}) == fact(asked)


def test_a_compaction_in_mid_turn_begins_no_session() -> None:
    for payload in (CLAUDE, CODEX):
        heard = hear(payload | {"hook_event_name": "SessionStart", "source": "compact"})
        assert (heard.drafts, heard.doing) == ((), None)


def test_a_subagents_prompt_is_no_prompt_of_the_user_and_is_not_answered() -> None:
    for payload in (CLAUDE, CODEX):
        asked = payload | {"hook_event_name": "UserPromptSubmit", "prompt": "Look.", "agent_id": "a1"}
        assert fact(asked).data["by"] == "subagent"
        assert recognise(asked, "").moment(asked) is None


def test_a_tool_that_failed_says_how() -> None:
    failed = CLAUDE | {"hook_event_name": "PostToolUseFailure", "tool_name": "Bash", "tool_use_id": "t"}
    found = fact(failed | {"tool_input": {"command": "x"}, "error": "Exit code 3\nboom", "duration_ms": 410})
    assert (found.type, found.data["exit_code"], found.data["duration_ms"]) == ("tool.failed", 3, 410)


def test_opencodes_quotes_around_a_prompt_are_not_part_of_it() -> None:
    parts = [{"type": "text", "text": '"Please do it"'}]
    chat = {"input": {"sessionID": "s"}, "output": {"message": {"id": "m"}, "parts": parts}}
    assert fact(chat).data["text"] == "Please do it"


def test_an_opencode_turn_that_failed_ended_once() -> None:
    ended = {"type": "session.error", "properties": {"sessionID": "ses_1", "error": {"data": {"message": "down"}}}}
    idle = {"type": "session.idle", "properties": {"sessionID": "ses_1", "failed": True}}
    [failed] = DIALECTS["opencode"].hear(ended, TIME).drafts
    assert failed.data == {"text": "down", "reason": "error"}
    heard = DIALECTS["opencode"].hear(idle, TIME)
    assert (heard.drafts, heard.doing, heard.ends_turn) == ((), "waiting", True)


def test_an_opencode_prompt_of_a_subagent_is_no_prompt_of_the_user() -> None:
    message = {"message": {"id": "msg_1"}, "parts": [{"type": "text", "text": "A part."}]}
    payload = {"input": {"sessionID": "ses_2"}, "output": message, "child": True}
    [prompt] = DIALECTS["opencode"].hear(payload, TIME).drafts
    assert prompt.data == {"text": "A part.", "by": "subagent"}


def test_a_cursor_call_id_of_two_lines_is_one_name() -> None:
    used = {"conversation_id": "c", "generation_id": "g", "hook_event_name": "postToolUse", "tool_use_id": "a\nb"}
    assert fact(used | {"tool_name": "Write", "tool_input": {}}).ref == "tool:a-b"


def test_copilots_two_spellings_say_the_same() -> None:
    camel = {"sessionId": "s", "timestamp": 1771480081360, "cwd": "/p", "prompt": "hi"}
    pascal = {"session_id": "s", "timestamp": "2026-02-19T05:48:01.360Z", "cwd": "/p", "prompt": "hi"}
    assert fact(camel) == fact(pascal | {"hook_event_name": "UserPromptSubmit"})


def test_droids_two_spellings_say_the_same() -> None:
    mixed = {"sessionId": "s", "hookEventName": "PostToolUse", "toolName": "Create", "tool_input": {"file_path": "a"}}
    snake = {
        "session_id": "s",
        "hook_event_name": "PostToolUse",
        "tool_name": "Create",
        "tool_input": {"file_path": "a"},
    }
    assert fact(mixed) == fact(snake | {"transcript_path": "/home/dev/.factory/sessions/s.jsonl"})


@pytest.mark.parametrize("name", DIALECTS)
def test_any_fields_are_taken_or_refused_in_words(name: str) -> None:
    """Whatever a field holds, a payload is heard, or refused with a problem: it never breaks a reader."""
    samples = [p for p in SAMPLES if name == recognise(p, name).NAME] or [CLAUDE]
    for sample in samples:
        for field in sample:
            for value in (None, 7, -1.5, True, [], {}, ["x"], {"x": [1]}, "\ud800", "x" * 100_000):
                try:
                    hear(sample | {field: value}, name)
                except LedgerError as error:
                    assert error.message  # noqa: PT017 - either end is right


SAMPLES: list[dict[str, Any]] = [
    CLAUDE,
    CLAUDE | {"hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_input": {}, "tool_response": {}},
    CODEX,
    GEMINI,
    GEMINI | {"hook_event_name": "AfterTool", "tool_name": "t", "tool_input": {}, "tool_response": {}},
    {"conversation_id": "c", "generation_id": "g", "hook_event_name": "postToolUse", "tool_name": "t"},
    {"sessionId": "s", "timestamp": 1, "toolName": "t", "toolArgs": "{}", "toolResult": {}},
    {"sessionId": "s", "hookEventName": "PostToolUse", "toolName": "t", "tool_input": {}},
    {"type": "message.updated", "properties": {"sessionID": "s", "info": {"role": "assistant"}}},
    {"input": {"sessionID": "s", "callID": "c", "args": {}}, "output": {"metadata": {}}},
]
