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
    "codex": {"turn_id": "probe", "model": "probe"},
    "gemini": {"timestamp": "2000-01-01T00:00:00.000Z", "prompt_response": ""},
    "cursor": {
        "conversation_id": "",
        "generation_id": "probe",
        "cursor_version": "0",
        "workspace_roots": [],
        "tool_output": "{}",
        "status": "completed",
    },
    "copilot-cli": {"timestamp": "2000-01-01T00:00:00.000Z"},
    "droid": {},
    "opencode": {},
}


def probe(agent: str, event: str, session: str, cwd: str) -> bytes:
    """A payload as the agent would send it at that event, of a session that no agent has."""
    own = _OWN.get(agent, {})
    named = {"conversation_id": session} if "conversation_id" in own else {}
    payload = {"session_id": session, "hook_event_name": event, "cwd": cwd} | _COMMON | own | named
    return json.dumps(payload).encode()
