"""Synthetic work for the benchmarks: what agents' sessions leave behind, from a fixed seed.

The mix of types and their sizes follow real transcripts (1,479 events of 33 sessions: 950 bytes of text an
event, of which deflate leaves 496). Words follow Zipf's law, so that they compress as real text does.
"""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

from ledger.actions.append import Draft
from ledger.api import Ledger
from ledger.core.clock import stamp

AGENT = "claude-code"
KEYS = 200
START = 1_760_000_000_000_000  # microseconds
_TOOLS = ("Bash", "Read", "Edit", "Grep", "Write", "TodoWrite")
_MODEL = "claude-sonnet-4-20250514"
_HEX = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"


class Words:
    """Text of a given length, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        spelling = random.Random(7)
        parts = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "er", "on", "ent")]
        self._words = ["".join(spelling.choices(parts, k=spelling.choice((1, 2, 2, 3)))) for _ in range(4000)]
        self._weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(4000)))

    def text(self, size: int, line: int = 70) -> str:
        """About `size` characters in lines of about `line`."""
        words = self.random.choices(self._words, cum_weights=self._weights, k=max(1, size // 6))
        per_line = max(1, line // 6)
        lines = [" ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
        return "\n".join(lines)

    def path(self) -> str:
        """A file's path."""
        return f"/home/dev/project/src/{'/'.join(self.text(12).split()[:2])}.py"

    def token(self, prefix: str) -> str:
        """An id as agents make them: 24 random characters."""
        return prefix + "".join(self.random.choices(_HEX, k=24))

    def size(self, median: int) -> int:
        """A size around `median`, now and then a much larger one."""
        return min(8_000, int(median * self.random.lognormvariate(0, 0.8)))


def session_key(number: int) -> str:
    """The agent's own id of one run."""
    return str(uuid.UUID(int=random.Random(number).getrandbits(128), version=4))


def fill(ledger: Ledger, count: int, per_session: int = 1_000, first: int = 0) -> int:
    """Write `count` events of sessions that begin, work and end; the number of the next session.

    Each session's work goes into the ledger as an import's does: as one batch, then it is published.
    """
    number = first
    while count > 0:
        share = min(count, per_session)
        session = ledger.session(AGENT, session_key(number))
        work = drafts(max(0, share - 2), seed=number)
        session.record([*work, Draft("session.ended", {"reason": "done"})])
        session.publish()
        count, number = count - share, number + 1
    return number


def drafts(count: int, seed: int = 1) -> Iterator[Draft]:
    """The events of one session, its beginning and end aside."""
    words = Words(seed)
    moment = START + seed * 3_600_000_000
    kinds = words.random.choices(list(_SHARES), weights=list(_SHARES.values()), k=count)
    for kind in kinds:
        moment += words.random.randrange(200_000, 20_000_000)
        ref, data = _DATA[kind](words)
        origin = {"source": "transcript", "ref": ref} if ref else None
        yield Draft(kind, data, stamp(moment), origin)


def _tool(words: Words) -> tuple[str, dict[str, Any]]:
    call, tool = words.token("toolu_01"), words.random.choice(_TOOLS)
    given = {"command": words.text(words.size(60)), "description": words.text(40)}
    if tool in ("Read", "Edit", "Write"):
        given = {"file_path": words.path(), "new_string": words.text(words.size(120))}
    return f"tool:{call}", {"call": call, "input": given, "output": words.text(words.size(560)), "tool": tool}


def _failed_tool(words: Words) -> tuple[str, dict[str, Any]]:
    ref, data = _tool(words)
    error = f"Exit code 1\n{data.pop('output')}"
    return ref, data | {"error": error, "exit_code": 1}


def _usage(words: Words) -> tuple[str, dict[str, Any]]:
    message, roll = words.token("msg_01"), words.random.randrange
    data = {"message": message, "model": _MODEL, "input": roll(20), "output": roll(4000)}
    return f"usage:{message}", data | {"cache_read": roll(150_000), "cache_write": roll(9000)}


def _prompt(words: Words) -> tuple[str, dict[str, Any]]:
    return f"prompt:{words.token('')}", {"by": "user", "text": words.text(words.size(150), 400)}


def _turn(words: Words) -> tuple[str, dict[str, Any]]:
    return f"turn:{words.token('')}", {"reason": "end_turn", "text": words.text(words.size(450), 200)}


def _set(words: Words) -> tuple[str, dict[str, Any]]:
    return "", {"key": _key(words), "policy": "lww", "value": words.text(words.size(120), 400)}


def _decision(words: Words) -> tuple[str, dict[str, Any]]:
    return "", {"key": _key(words), "decision": words.text(80, 400), "because": words.text(120, 400)}


def _key(words: Words) -> str:
    number = words.random.randrange(KEYS)
    return f"area-{number % 12}/topic-{number}"


_SHARES = {
    "tool.completed": 45,
    "usage.reported": 36,
    "prompt.submitted": 6,
    "turn.ended": 5,
    "tool.failed": 2,
    "context.set": 4,
    "decision.recorded": 2,
}
_DATA = {
    "tool.completed": _tool,
    "usage.reported": _usage,
    "prompt.submitted": _prompt,
    "turn.ended": _turn,
    "tool.failed": _failed_tool,
    "context.set": _set,
    "decision.recorded": _decision,
}


def transcript(key: str, turns: int, seed: int = 1) -> Iterator[bytes]:
    """The lines of a transcript as Claude Code keeps it: a prompt, tool calls with their results, an answer."""
    words = Words(seed)
    clock = itertools.count(START, 4_000_000)
    for _ in range(turns):
        yield _line(key, clock, words, "user", {"role": "user", "content": words.text(words.size(150), 400)})
        for _ in range(words.random.randrange(4, 10)):
            _, data = _tool(words)
            use = {"type": "tool_use", "id": data["call"], "name": data["tool"], "input": data["input"]}
            yield _line(key, clock, words, "assistant", _message(words, use, "tool_use"))
            result = {"type": "tool_result", "tool_use_id": data["call"], "content": data["output"]}
            more = {"toolUseResult": {"stdout": data["output"], "stderr": "", "interrupted": False}}
            yield _line(key, clock, words, "user", {"role": "user", "content": [result]}, more)
        said = {"type": "text", "text": words.text(words.size(450), 200)}
        yield _line(key, clock, words, "assistant", _message(words, said, "end_turn"))


def _message(words: Words, content: dict[str, Any], reason: str) -> dict[str, Any]:
    roll = words.random.randrange
    usage: dict[str, Any] = {"input_tokens": roll(20), "cache_creation_input_tokens": roll(9000)}
    usage |= {"cache_read_input_tokens": roll(150_000), "output_tokens": roll(4000), "service_tier": "standard"}
    message = {"id": words.token("msg_01"), "type": "message", "role": "assistant", "model": _MODEL}
    return message | {"content": [content], "stop_reason": reason, "stop_sequence": None, "usage": usage}


def _line(
    key: str,
    clock: Iterator[int],
    words: Words,
    kind: str,
    message: dict[str, Any],
    more: dict[str, Any] | None = None,
) -> bytes:
    fields = {"parentUuid": words.token(""), "isSidechain": False, "userType": "external", "cwd": "/home/dev/project"}
    fields |= {"sessionId": key, "version": "2.0.37", "gitBranch": "main", "type": kind, "message": message}
    fields |= {"uuid": words.token(""), "timestamp": stamp(next(clock))} | (more or {})
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"
