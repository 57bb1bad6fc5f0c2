"""A second count of what transcripts hold, as plainly as it can be written; it shares nothing with the program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            yield document


def claude(path: Path) -> dict[str, int]:
    """Of a transcript of Claude Code: a message is told once a block, each time with what it has used so far."""
    usage: dict[str, dict[str, Any]] = {}
    results: dict[str, bool] = {}
    for line in lines(path):
        message = line.get("message")
        if not isinstance(message, dict):
            continue
        told, name = message.get("usage"), message.get("id") or line.get("uuid")
        if line.get("type") == "assistant" and isinstance(told, dict) and name:
            before = usage.get(name, {})
            usage[name] = {field: max(told.get(field) or 0, before.get(field) or 0) for field in FIELDS}
        for block in message["content"] if isinstance(message.get("content"), list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_result" and "tool_use_id" in block:
                results[block["tool_use_id"]] = bool(block.get("is_error"))
    sums = {name: sum(one[field] for one in usage.values()) for field, name in FIELDS.items()}
    return sums | {"calls": len(results), "failed": sum(results.values())}


FIELDS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write",
}


def codex(path: Path) -> dict[str, int]:
    """Of a rollout of Codex: totals run on, cached tokens are among those read, and a call has one output."""
    total: dict[str, int] = {}
    older = [0, 0, 0]  # read, of which from a cache, written: told once a turn, before there were running totals
    made: set[str] = set()
    done: set[str] = set()
    for line in lines(path):
        payload = line.get("payload") if isinstance(line.get("payload"), dict) else line
        kind = payload.get("type")
        info = payload.get("info") if kind == "token_count" else None
        if isinstance(info, dict) and isinstance(info.get("total_token_usage"), dict):
            total = info["total_token_usage"]
        elif isinstance(info, dict) and "prompt" in info:
            older = [older[0] + info["prompt"], older[1], older[2] + info["completion"]]
        told = payload.get("usage")
        if kind == "turn.completed" and isinstance(told, dict):
            spent = (told["input_tokens"], told.get("cached_input_tokens", 0), told["output_tokens"])
            older = [a + b for a, b in zip(older, spent, strict=True)]
        if kind in ("function_call", "custom_tool_call"):
            made.add(payload["call_id"])
        if kind in ("function_call_output", "custom_tool_call_output"):
            done.add(payload["call_id"])
    cached = total.get("cached_input_tokens", 0) + older[1]
    return {
        "input": total.get("input_tokens", 0) + older[0] - cached,
        "output": total.get("output_tokens", 0) + older[2],
        "cache_read": cached,
        "calls": len(made & done),
    }


def gemini(path: Path) -> dict[str, int]:
    """Of a session of Gemini CLI: one document, or a line a message; a call without a status was never answered."""
    text = path.read_text(encoding="utf-8")
    try:
        told = json.loads(text)
        messages = told.get("messages", []) if isinstance(told, dict) else []
    except ValueError:
        messages = list(lines(path))
    newest = {message["id"]: message for message in messages if isinstance(message, dict) and "id" in message}
    counts = [message["tokens"] for message in newest.values() if isinstance(message.get("tokens"), dict)]
    calls = {call["id"] for message in newest.values() for call in message.get("toolCalls") or () if "status" in call}
    return {
        "input": sum(one.get("input", 0) - one.get("cached", 0) + one.get("tool", 0) for one in counts),
        "output": sum(one.get("output", 0) + one.get("thoughts", 0) for one in counts),
        "cache_read": sum(one.get("cached", 0) for one in counts),
        "calls": len(calls),
    }
