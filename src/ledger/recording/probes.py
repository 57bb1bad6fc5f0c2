"""Probes: payloads in an agent's own form that say nothing, to see whether its hooks arrive. Pure."""

from __future__ import annotations

import json
from typing import Any

PREFIX = "ledger-probe-"

# What the agents' events have between them; an agent's own module takes what it knows, and passes over the rest.
_COMMON: dict[str, Any] = {
    "transcript_path": None,
    "permission_mode": "default",
    "source": "startup",
    "reason": "other",
    "prompt": "",
    "tool_name": "Read",
    "tool_input": {},
    "tool_response": "",
    "tool_use_id": "probe",
    "stop_hook_active": False,
    "last_assistant_message": "",
    "trigger": "auto",
    "agent_type": "probe",
}

# By these an agent's payloads are told from another's.
_OWN: dict[str, dict[str, Any]] = {
    "claude-code": {"transcript_path": "/nonexistent/.claude/projects/probe.jsonl"},
    "codex": {
        "transcript_path": "/nonexistent/.codex/sessions/rollout-probe.jsonl",
        "turn_id": "probe",
        "model": "probe",
    },
    "gemini": {
        "transcript_path": "/nonexistent/.gemini/tmp/probe/chats/session-probe.jsonl",
        "timestamp": "2000-01-01T00:00:00.000Z",
        "prompt_response": "",
    },
    "cursor": {
        "generation_id": "probe",
        "cursor_version": "0",
        "workspace_roots": [],
        "tool_output": "{}",
        "status": "completed",
    },
    "copilot-cli": {"timestamp": "2000-01-01T00:00:00.000Z"},
    "droid": {"transcript_path": "/nonexistent/.factory/sessions/probe.jsonl"},
}


def probe(agent: str, event: str, session: str, cwd: str) -> bytes:
    """A payload as the agent would send it at that event, of a session that no agent has."""
    if agent == "opencode":
        return json.dumps(_of_plugin(event, session) | {"directory": cwd}).encode()
    payload = {"session_id": session, "hook_event_name": event, "cwd": cwd} | _COMMON | _OWN.get(agent, {})
    payload |= {"conversation_id": session} if agent == "cursor" else {}
    return json.dumps(payload).encode()


def _of_plugin(event: str, session: str) -> dict[str, Any]:
    """What OpenCode's plugin hands on: an event, or what one of its hooks was given and may change."""
    if event == "event":
        return {"type": "session.status", "properties": {"sessionID": session}}
    given = {"sessionID": session, "tool": "read", "callID": "probe"}
    made: dict[str, Any] = {"message": {}, "parts": []} if event == "chat-message" else {"args": {}}
    return {"input": given | ({"args": {}} if event == "tool-after" else {}), "output": made}
