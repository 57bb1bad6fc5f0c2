"""Codex: prompts written three ways, totals that repeat, forks that copy, results with exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.recording.samples import data_of, drafts, of_type, sample, spent

MAIN = sample("codex.jsonl")
FORK = sample("codex-fork.jsonl")
OLD = sample("codex-old.jsonl")
SESSION, FIRST, SECOND = (
    "01a1ee56-5e00-7001-8000-000000000001",
    "01a1ee56-5ff4-7002-8000-000000000002",
    "01a1ee57-4860-7003-8000-000000000003",
)


def line(kind: str, **payload: Any) -> bytes:
    return json.dumps({"timestamp": "2026-01-01T00:00:00Z", "type": kind, "payload": payload}).encode() + b"\n"


def test_a_session_starts_with_its_head() -> None:
    [started] = of_type(MAIN, "session.started")
    assert started.time == "2026-11-18T11:06:39.900000Z"
    assert started.data == {
        "agent": "codex",
        "key": SESSION,
        "cwd": "/work/demo",
        "branch": "main",
        "version": "0.140.0",
    }


def test_a_prompt_counts_once_however_often_it_is_written_and_again_when_asked_again() -> None:
    asked = [(draft.ref, draft.data["text"]) for draft in of_type(MAIN, "prompt.submitted")]
    assert asked == [
        (f"prompt:{FIRST}", "Refactor a.py"),
        (f"prompt:{FIRST}.2", "and keep the name"),
        (f"prompt:{SECOND}", "Refactor a.py"),
    ]


def test_tools_tell_exit_code_duration_and_files() -> None:
    tools = {draft.data["call"]: draft for draft in drafts(MAIN) if draft.type.startswith("tool.")}
    assert list(tools) == ["call_1", "call_2", "call_3", "call_4"]
    failed, patched = tools["call_1"], tools["call_2"]
    assert (failed.type, failed.data["exit_code"], failed.data["duration_ms"]) == ("tool.failed", 2, 1250)
    assert patched.data["files"] == ["src/a.py", "src/b.py"]
    assert (patched.data["output"], patched.data["exit_code"]) == ("Success.", 0)


@pytest.mark.parametrize(
    ("output", "kind", "exit_code"),
    [
        ("Wall time: 0.1 seconds\nProcess exited with code 0\nOutput:\nExit code: 3", "tool.completed", 0),
        ("Exit code: 127\nWall time: 0 seconds\nOutput:\n", "tool.failed", 127),
        ({"content": "no", "success": False}, "tool.failed", None),
        ("Command blocked by PreToolUse hook: no", "tool.failed", None),
        ([{"type": "input_text", "text": "seen"}], "tool.completed", None),
    ],
)
def test_an_output_of_any_form_tells_whether_the_call_failed(output: Any, kind: str, exit_code: int | None) -> None:
    call = line("response_item", type="function_call", name="shell", arguments="{}", call_id="c")
    result = line("response_item", type="function_call_output", call_id="c", output=output)
    found = drafts(call + result)[-1]
    assert (found.type, found.data.get("exit_code")) == (kind, exit_code)


def test_a_patch_in_a_shell_command_names_its_files() -> None:
    command = "apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: a b.py\n*** Move to: c.py\n*** End Patch\nEOF"
    call = line("response_item", type="function_call", name="exec", arguments=json.dumps({"cmd": command}), call_id="c")
    result = line("response_item", type="function_call_output", call_id="c", output="ok")
    assert drafts(call + result)[-1].data["files"] == ["a b.py", "c.py"]


def test_repeated_totals_count_nothing_and_cached_input_is_not_input() -> None:
    usage = data_of(MAIN, "usage.reported")
    assert [(spent["input"], spent["cache_read"], spent["output"]) for spent in usage] == [
        (800, 200, 50),
        (800, 700, 40),
    ]
    assert [spent["model"] for spent in usage] == ["gpt-5.5", "gpt-5.5"]


def test_a_lost_count_is_made_up_for_by_the_next() -> None:
    lines = MAIN.splitlines(True)
    del lines[10]
    kept = spent(drafts(b"".join(lines)))
    assert kept["output"] == 40, "without a total before it, only what the count calls the last is known"
    later = b"".join([*MAIN.splitlines(True), counted(4000, 900, 200)])
    lines = later.splitlines(True)
    del lines[13:15]
    assert spent(drafts(b"".join(lines))) == spent(drafts(later))


def counted(given: int, cached: int, output: int) -> bytes:
    total = {"input_tokens": given, "cached_input_tokens": cached, "output_tokens": output}
    return line("event_msg", type="token_count", info={"total_token_usage": total, "last_token_usage": total})


def test_turns_end_completed_or_aborted() -> None:
    assert {draft.ref: draft.data for draft in of_type(MAIN, "turn.ended")} == {
        f"turn:{FIRST}": {"text": "Refactored.", "reason": "end_turn"},
        f"turn:{SECOND}": {"reason": "aborted"},
    }


def test_a_failed_turn_ends_with_an_error() -> None:
    raw = line("event_msg", type="task_started", turn_id="t") + line("event_msg", type="error", message="down")
    raw += line("event_msg", type="task_complete", turn_id="t", last_agent_message=None)
    assert data_of(raw, "turn.ended") == [{"reason": "error"}]


def test_a_turn_whose_end_tells_of_a_fault_ends_with_an_error() -> None:
    raw = line("event_msg", type="task_started", turn_id="t")
    raw += line("event_msg", type="task_complete", turn_id="t", last_agent_message=None, error={"message": "down"})
    assert data_of(raw, "turn.ended") == [{"reason": "error"}]


def test_a_compaction_tells_its_summary() -> None:
    assert data_of(MAIN, "compaction.started") == [{"text": "They refactored a.py."}]


def test_subagents_are_seen_from_the_parent() -> None:
    assert data_of(MAIN, "subagent.started") == [{"agent_id": "agent-1", "kind": "worker", "text": "Count the lines"}]
    assert data_of(MAIN, "subagent.ended") == [{"agent_id": "agent-1", "text": "12 lines"}]


@pytest.mark.parametrize(
    "about",
    [
        {"session_id": "parent"},
        {"source": {"subagent": {"thread_spawn": {"parent_thread_id": "parent", "agent_role": "worker"}}}},
    ],
)
def test_a_subagents_rollout_belongs_to_the_parents_session(about: dict[str, Any]) -> None:
    raw = line("session_meta", id="child", cwd="/w", **about)
    raw += line("event_msg", type="task_started", turn_id="t")
    # Not of the copied history: this turn began after the file was made.
    raw = raw.replace(b'00:00Z", "type": "event_msg"', b'00:05Z", "type": "event_msg"')
    raw += line("event_msg", type="user_message", message="Count")
    raw += line("event_msg", type="task_complete", turn_id="t", last_agent_message="12")
    found = drafts(raw)
    assert {draft.session for draft in found} == {"parent"}
    assert [draft.ref for draft in found] == [
        "session.started",
        "subagent:child:started",
        "prompt:t",
        "subagent:child:ended",
    ]
    assert found[2].data["by"] == "subagent"


def test_a_fork_tells_only_what_happened_in_it() -> None:
    started, *own = drafts(FORK)
    assert (started.data["parent"], started.data["source"]) == (SESSION, "fork")
    assert [draft.type for draft in own] == ["prompt.submitted", "usage.reported", "turn.ended"]
    assert own[1].data["input"] + own[1].data["cache_read"] == 500
    assert own[1].data["output"] == 30


def test_a_bare_rollout_of_early_2025_is_read() -> None:
    assert [draft.type for draft in drafts(OLD)] == ["session.started", "prompt.submitted", "tool.completed"]
    assert data_of(OLD, "tool.completed")[0]["duration_ms"] == 100


def test_real_calls_with_an_output_are_all_noted(fixtures_dir: Path) -> None:
    for path in (fixtures_dir / "codex").iterdir():
        payloads = [json.loads(text)["payload"] for text in path.read_text().splitlines()]
        kinds: dict[str, set[str]] = {"_call": set(), "_call_output": set()}
        for payload in payloads:
            for kind, keys in kinds.items():
                if str(payload.get("type")).endswith(kind) and "call_id" in payload:
                    keys.add(payload["call_id"])
        noted = {draft.data["call"] for draft in drafts(path.read_bytes()) if draft.type.startswith("tool.")}
        expected = kinds["_call"] & kinds["_call_output"]
        assert {call for call in noted if "@" not in call} == expected, path.name


def test_real_tokens_add_up_to_the_last_total(fixtures_dir: Path) -> None:
    counted = 0
    for path in (fixtures_dir / "codex").iterdir():
        infos = [json.loads(text)["payload"].get("info") for text in path.read_text().splitlines()]
        totals = [info["total_token_usage"] for info in infos if info and "total_token_usage" in info]
        if totals:
            tokens = spent(drafts(path.read_bytes()))
            given = tokens["input"] + tokens["cache_read"] + tokens["cache_write"]
            assert given == totals[-1]["input_tokens"], path.name
            assert tokens["output"] == totals[-1]["output_tokens"], path.name
            assert tokens["cache_read"] == totals[-1]["cached_input_tokens"], path.name
            counted += 1
    assert counted > 5


def test_real_prompts_are_those_of_the_user_messages(fixtures_dir: Path) -> None:
    [path] = (fixtures_dir / "codex").glob("*_b0_*")
    payloads = [json.loads(text)["payload"] for text in path.read_text().splitlines()]
    typed = [payload["message"].strip() for payload in payloads if payload.get("type") == "user_message"]
    asked = [prompt["text"] for prompt in data_of(path.read_bytes(), "prompt.submitted")]
    assert [text[:5_000] for text in asked] == [text[:5_000] for text in typed]
