"""What hooks print: each agent's own form and no other, for some fail on a key that they do not know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.recording.payloads.dialects import DIALECTS

SPECIFIC = {"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": "x"}}
DENIED = {
    "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": "y",
    }
}


@pytest.mark.parametrize(
    ("name", "payload", "answer"),
    [
        ("claude-code", {"hook_event_name": "SessionStart"}, SPECIFIC),
        ("codex", {"hook_event_name": "SessionStart"}, SPECIFIC),
        ("gemini", {"hook_event_name": "SessionStart"}, SPECIFIC),
        ("gemini", {"hook_event_name": "BeforeTool"}, {"systemMessage": "x"}),
        ("droid", {"hookEventName": "SessionStart"}, SPECIFIC),
        ("droid", {"hook_event_name": "SessionStart"}, SPECIFIC),
        ("cursor", {"hook_event_name": "sessionStart"}, {"additional_context": "x"}),
        ("copilot-cli", {"hook_event_name": "SessionStart"}, {"additionalContext": "x"}),
    ],
)
def test_context_is_given_in_the_form_that_the_agent_reads(
    name: str, payload: dict[str, Any], answer: dict[str, Any]
) -> None:
    assert json.loads(DIALECTS[name].inject(payload, "x")) == answer


@pytest.mark.parametrize("name", ["cursor", "copilot-cli", "opencode"])
def test_an_agent_that_would_not_read_it_is_told_nothing(name: str) -> None:
    assert DIALECTS[name].inject({"hook_event_name": "preToolUse"}, "x") == ""


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("claude-code", DENIED),
        ("codex", DENIED),
        ("droid", DENIED),
        ("gemini", {"decision": "deny", "reason": "y"}),
        ("cursor", {"permission": "deny", "user_message": "y", "agent_message": "y"}),
        ("copilot-cli", {"permissionDecision": "deny", "permissionDecisionReason": "y"}),
        ("opencode", {"deny": "y"}),
    ],
)
def test_a_tool_is_stopped_in_the_form_that_the_agent_obeys(name: str, answer: dict[str, Any]) -> None:
    assert json.loads(DIALECTS[name].deny({"hook_event_name": "PreToolUse"}, "y")) == answer
