"""Google's generateContent and streamGenerateContent, with the tools of Gemini CLI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.agents.script import Edit, Move, Say, Shell, Write
from tests.agents.wire import Body, Told

USAGE = {"promptTokenCount": 1200, "candidatesTokenCount": 30, "totalTokenCount": 1230, "cachedContentTokenCount": 1000}


def owns(path: str) -> bool:
    return path.partition("?")[0].endswith((":generateContent", ":streamGenerateContent"))


def told(body: Body) -> Iterator[Told]:
    for content in [{"role": "system", **body.get("systemInstruction", {"parts": []})}, *body.get("contents", [])]:
        for part in content["parts"]:
            yield _part(content["role"], part)


def tools(body: Body) -> list[str]:
    declared = [one for tool in body.get("tools", []) for one in tool.get("functionDeclarations", [])]
    return [one["name"] for one in declared]


def words(move: Move, body: Body, number: int) -> Iterator[Any]:
    if not isinstance(move, Say):
        yield _chunk({"functionCall": _call(move)}, "STOP", number)
        return
    for piece in move.pieces[:-1]:
        yield _chunk({"text": piece}, None, number)
    yield _chunk({"text": move.pieces[-1]}, "STOP", number)


def _part(role: str, part: Any) -> Told:
    if "functionResponse" in part:
        return Told("tool", str(part["functionResponse"]["response"].get("output", "")))
    return Told(role, part.get("text", ""))


def _chunk(part: dict[str, Any], finish: str | None, number: int) -> dict[str, Any]:
    candidate = {"index": 0, "content": {"role": "model", "parts": [part]}}
    end = {"usageMetadata": USAGE} if finish else {}
    finished = candidate | ({"finishReason": finish} if finish else {})
    return {"candidates": [finished], "modelVersion": "scripted-1", "responseId": f"resp_{number}", **end}


def _call(move: Move) -> dict[str, Any]:
    match move:
        case Shell(command):
            return {"name": "run_shell_command", "args": {"command": command, "description": "Runs it"}}
        case Write(path, text):
            return {"name": "write_file", "args": {"file_path": path, "content": text}}
        case Edit(path, old, new):
            change = {"instruction": "Change a line", "old_string": old, "new_string": new}
            return {"name": "replace", "args": {"file_path": path, **change}}
    raise AssertionError(f"Gemini CLI has no tool for {move}")
