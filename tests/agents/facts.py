"""What a script leads to and what a ledger holds of it, in one form, so that the two can be compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tests.agents.script import Delegate, Edit, Later, Move, Say, Script, Shell, Step, Write

from ledger.actions.import_transcripts import FAILED

TOOL = ("tool.completed", "tool.failed")


class Fact(NamedTuple):
    """A prompt, a tool's call or the answer that ends a turn, and what it is known by."""

    kind: str
    mark: str


def expected(script: Script, prompts: Sequence[str], *, until: int | None = None) -> Counter[Fact]:
    """The facts of some prompts of a script; of the last one's steps only the first `until`."""
    facts: Counter[Fact] = Counter()
    for prompt in prompts:
        steps = script[prompt]
        facts[Fact("prompt", prompt)] += 1
        facts.update(_facts(steps[:until] if prompt == prompts[-1] else steps))
    return facts


def recorded(events: Iterable[dict[str, Any]], script: Script) -> Counter[Fact]:
    """The facts among the events of a session; a call is known by the step of the script that it follows."""
    marks = {mark for steps in script.values() for step in steps if (mark := _mark(as_move(step)))}
    return Counter(fact for event in events if (fact := _fact(event, marks)))


def sessions(log: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What each session of an agent's was started with, by its id."""
    started = {event["session"]: event["data"] for event in log if event["type"] == "session.started"}
    return {session: data for session, data in started.items() if data.get("agent") != "person"}


def _facts(steps: Iterable[Step]) -> Iterator[Fact]:
    for step in steps:
        move = as_move(step)
        if isinstance(move, Say):
            yield Fact("turn", move.text)
        elif mark := _mark(move):
            yield Fact("tool", mark)


def as_move(step: Step) -> Move:
    """What a step does, once it has thought."""
    return step.move if isinstance(step, Later) else step


def _mark(move: Move) -> str:
    """What a call's input holds word for word: every step of a script has another."""
    match move:
        case Shell(command):
            return command
        case Write(_, text):
            return text.splitlines()[0]
        case Edit(_, _, new):
            return new
        case Delegate(prompt):
            return prompt
    return ""


def _fact(event: dict[str, Any], marks: set[str]) -> Fact | None:
    kind, data = event["type"], event["data"]
    if kind == "prompt.submitted":
        return Fact("prompt", data["text"])
    if kind == "turn.ended" and data.get("reason") == "end_turn":
        return Fact("turn", data.get("text", ""))
    if kind not in TOOL or event.get("origin", {}).get("ref", "").endswith(FAILED):  # that told before has failed
        return None
    said = json.dumps(data.get("input"), ensure_ascii=False)
    # The longest: "first line" is found in "first line edited" too.
    found = max((mark for mark in marks if mark in said), key=len, default=said)
    return Fact("tool", found)
