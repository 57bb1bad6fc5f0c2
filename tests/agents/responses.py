"""OpenAI's Responses API, with the tools of Codex."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.agents.script import Await, Delegate, Edit, Move, Say, Shell, Write
from tests.agents.wire import Body, Told

USAGE = {
    "input_tokens": 1200,
    "input_tokens_details": {"cached_tokens": 1000},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 10},
    "total_tokens": 1230,
}


def owns(path: str) -> bool:
    return path.endswith("/responses")


def told(body: Body) -> Iterator[Told]:
    yield Told("system", body.get("instructions") or "")
    for item in body.get("input", []):
        yield from _item(item)


def tools(body: Body) -> list[str]:
    return list(_names(body.get("tools", [])))


def words(move: Move, body: Body, number: int) -> Iterator[Any]:
    answer = {"id": f"resp_{number}", "usage": USAGE}
    yield {"type": "response.created", "response": {"id": answer["id"]}}
    if isinstance(move, Say):
        yield from _message(move, number)
    else:
        yield {"type": "response.output_item.done", "item": _call(move, body, number)}
    yield {"type": "response.completed", "response": answer}


def _item(item: Any) -> Iterator[Told]:
    role = item.get("role", item["type"])
    parts = item.get("content", item.get("output", ()))
    if isinstance(parts, str):
        yield Told(role, parts)
        return
    for part in parts or ():
        yield Told(role, part.get("text", ""))


def _names(offered: list[Any]) -> Iterator[str]:
    """A namespace of tools holds tools; each is called by its own name."""
    for tool in offered:
        if tool["type"] == "namespace":
            yield from _names(tool["tools"])
        else:
            yield tool.get("name", tool["type"])


def _message(move: Say, number: int) -> Iterator[Any]:
    item = {"type": "message", "role": "assistant", "id": f"msg_{number}"}
    yield {"type": "response.output_item.added", "item": item | {"content": []}}
    for piece in move.pieces:
        yield {"type": "response.output_text.delta", "item_id": item["id"], "delta": piece}
    yield {
        "type": "response.output_item.done",
        "item": item | {"content": [{"type": "output_text", "text": move.text, "annotations": []}]},
    }


def _call(move: Move, body: Body, number: int) -> dict[str, Any]:
    if isinstance(move, Write | Edit) and "apply_patch" in tools(body):
        return {"type": "custom_tool_call", **_ids(number), "name": "apply_patch", "input": _patch(move)}
    name, arguments, more = _function(move, body)
    return {"type": "function_call", **_ids(number), "name": name, "arguments": json.dumps(arguments), **more}


def _ids(number: int) -> dict[str, str]:
    return {"id": f"fc_{number}", "call_id": f"call_{number}"}


def _function(move: Move, body: Body) -> tuple[str, dict[str, Any], dict[str, str]]:
    match move:
        case Shell(command):
            return "exec_command", {"cmd": command}, {}
        case Write() | Edit():
            return "exec_command", {"cmd": f"apply_patch <<'EOF'\n{_patch(move)}\nEOF"}, {}
        case Delegate(prompt):
            return "spawn_agent", {"message": prompt}, _namespace(body, "spawn_agent")
        case Await():
            return "wait_agent", {"targets": _started(body), "timeout_ms": 60_000}, _namespace(body, "wait_agent")
    raise AssertionError(f"Codex has no tool for {move}")


def _namespace(body: Body, name: str) -> dict[str, str]:
    for tool in body.get("tools", []):
        if tool["type"] == "namespace" and name in _names(tool["tools"]):
            return {"namespace": tool["name"]}
    return {}


def _started(body: Body) -> list[str]:
    """The ids that `spawn_agent` answered with."""
    outputs = [item.get("output", "") for item in body["input"] if item["type"] == "function_call_output"]
    return [one for output in outputs for one in re.findall(r'"agent_id":\s*"([^"]+)"', str(output))]


def _patch(move: Write | Edit) -> str:
    if isinstance(move, Write):
        lines = [f"*** Add File: {move.path}", *(f"+{line}" for line in move.text.splitlines())]
    else:
        lines = [f"*** Update File: {move.path}", "@@", f"-{move.old}", f"+{move.new}"]
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])
