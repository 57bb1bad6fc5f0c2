"""OpenAI's chat completions, with the tools of OpenCode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.agents.script import Delegate, Edit, Move, Say, Shell, Write
from tests.agents.wire import Body, Told

USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 30,
    "total_tokens": 1230,
    "prompt_tokens_details": {"cached_tokens": 1000},
}


def owns(path: str) -> bool:
    return path.endswith("/chat/completions")


def told(body: Body) -> Iterator[Told]:
    for message in body.get("messages", []):
        content = message.get("content") or ""
        parts = [{"text": content}] if isinstance(content, str) else content
        for part in parts:
            yield Told(message["role"], part.get("text", ""))


def tools(body: Body) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools", [])]


def words(move: Move, body: Body, number: int) -> Iterator[Any]:
    if isinstance(move, Say):
        for piece in move.pieces:
            yield _chunk({"role": "assistant", "content": piece}, None, number)
        yield _chunk({}, "stop", number)
    else:
        yield _chunk({"role": "assistant", "tool_calls": [_call(move, number)]}, None, number)
        yield _chunk({}, "tool_calls", number)
    yield "[DONE]"


def _chunk(delta: dict[str, Any], finish: str | None, number: int) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    usage = {"usage": USAGE} if finish else {}
    return {
        "id": f"chat_{number}",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "scripted-1",
        "choices": [choice],
        **usage,
    }


def _call(move: Move, number: int) -> dict[str, Any]:
    name, arguments = _function(move)
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"index": 0, "id": f"call_{number}", "type": "function", "function": function}


def _function(move: Move) -> tuple[str, dict[str, str]]:
    match move:
        case Shell(command):
            return "bash", {"command": command, "description": "Runs it"}
        case Write(path, text):
            return "write", {"filePath": path, "content": text}
        case Edit(path, old, new):
            return "edit", {"filePath": path, "oldString": old, "newString": new}
        case Delegate(prompt):
            return "task", {"description": "A part of it", "prompt": prompt, "subagent_type": "general"}
    raise AssertionError(f"OpenCode has no tool for {move}")
