"""Gemini CLI: the document and the lines tell the same, and what is written twice counts once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.recording.samples import data_of, drafts, of_type, sample, spent

from ledger.recording.naming import words_of

LINES = sample("gemini.jsonl")
DOCUMENT = sample("gemini.json")


def test_the_document_and_the_lines_of_one_session_tell_the_same() -> None:
    assert drafts(LINES) == drafts(DOCUMENT)


def test_prompts_lack_what_hooks_and_the_program_put_in() -> None:
    assert [prompt["text"] for prompt in data_of(LINES, "prompt.submitted")] == ["Write hello.txt", "Thanks"]


def test_a_message_written_twice_and_history_sent_again_count_once() -> None:
    assert [draft.ref for draft in of_type(LINES, "usage.reported")] == ["usage:m-1", "usage:m-2", "usage:m-3"]


def test_thoughts_are_output_and_cached_input_is_not_input() -> None:
    assert data_of(LINES, "usage.reported")[0] == {
        "message": "m-1",
        "model": "gemini-2.5-pro",
        "input": 400,
        "output": 70,
        "cache_read": 600,
        "reasoning": 20,
    }


def test_tools_tell_time_files_and_exit_code() -> None:
    [written], [failed] = of_type(LINES, "tool.completed"), of_type(LINES, "tool.failed")
    assert written.time == "2026-11-19T08:00:03.000000Z"
    assert written.data["files"] == ["hello.txt"]
    assert failed.data["exit_code"] == 1


def test_a_turn_ends_with_the_last_answer_before_the_next_prompt() -> None:
    asked = [words_of(draft.data["text"]) for draft in of_type(LINES, "prompt.submitted")]
    assert {draft.ref: draft.data for draft in of_type(LINES, "turn.ended")} == {
        f"turn:{asked[0]}": {"text": "hello.txt is there.", "reason": "end_turn"},
        f"turn:{asked[1]}": {"text": "Gladly.", "reason": "end_turn"},
    }


def test_an_error_ends_the_turn() -> None:
    lines = LINES.splitlines(True)[:3]
    lines.append(b'{"id":"e","timestamp":"2026-11-19T08:00:02Z","type":"error","content":"[API Error]"}\n')
    assert data_of(b"".join(lines), "turn.ended") == [{"text": "[API Error]", "reason": "error"}]


def test_a_compressed_history_is_a_compaction() -> None:
    summary = {"id": "c", "timestamp": "2026-11-19T08:01:00Z", "type": "user"}
    summary["content"] = "<state_snapshot>We wrote hello.txt</state_snapshot>"
    raw = LINES + json.dumps({"$set": {"messages": [summary]}}).encode()
    assert [draft.ref for draft in of_type(raw, "compaction.started")] == ["compaction:c"]


def test_real_tokens_add_up_to_the_agents_own_totals(fixtures_dir: Path) -> None:
    for path in (fixtures_dir / "gemini-cli").iterdir():
        totals = {message["id"]: message["tokens"]["total"] for message in messages(path) if "tokens" in message}
        tokens = spent(drafts(path.read_bytes()))
        assert tokens["input"] + tokens["cache_read"] + tokens["output"] == sum(totals.values()), path.name


def test_real_calls_with_a_result_are_all_noted(fixtures_dir: Path) -> None:
    for path in (fixtures_dir / "gemini-cli").iterdir():
        calls = (call for message in messages(path) for call in message.get("toolCalls", []))
        done = {call["id"] for call in calls if "result" in call}
        noted = {draft.data["call"] for draft in drafts(path.read_bytes()) if draft.type.startswith("tool.")}
        assert noted == done, path.name


def messages(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".json":
        return list(json.loads(path.read_text())["messages"])
    records = [json.loads(text) for text in path.read_text().splitlines()]
    return [message for record in records for message in [record, *record.get("$set", {}).get("messages", [])]]
