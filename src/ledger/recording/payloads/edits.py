"""Edits: which files a tool call that is about to run writes to, whichever agent announces it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ledger.recording.calls import files_of

_TOOL = ("tool_name", "toolName", "tool")
_INPUT = ("tool_input", "toolArgs", "toolInput", "args")


def edited(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths as the agent names them: those of an editor's call or a patch; none for any other call."""
    if isinstance(payload.get("input"), dict) and isinstance(payload.get("output"), dict):  # OpenCode
        payload = {**payload["output"], **payload["input"]}
    tool = next((payload[name] for name in _TOOL if isinstance(payload.get(name), str)), "")
    given = next((payload[name] for name in _INPUT if name in payload), None)
    return files_of(tool, _parsed(given))


def _parsed(given: Any) -> Any:
    # Copilot CLI hands the arguments over as JSON in a string.
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            return json.loads(given)
        except ValueError:
            return given
    return given
