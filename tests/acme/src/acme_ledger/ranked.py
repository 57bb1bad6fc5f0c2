"""`acme.ranked`: texts, each once, the shortest first; a list that only grows."""

from __future__ import annotations

from ledger.core.policies.policy import Cell, Op, Outcome, Value, Write
from ledger.errors import InvalidError, Problem

name = "acme.ranked"
combines = True

# What the policy can hold, some of it at odds with the rest: it is held to the laws over these.
examples = [[], ["a"], ["b", "aa"], ["a", "b"]]


def problems(value: Value) -> list[Problem]:
    """A list of different texts."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return [Problem("value", "a ranking holds a list of texts")]
    return [] if len(set(value)) == len(value) else [Problem("value", "a text stands in the ranking twice")]


def diff(old: Cell, new: Value) -> Op:
    """The texts that are new; raises InvalidError where one is missing that is there."""
    there = old.value or []
    if not set(there) <= set(new):
        raise InvalidError("a ranking only grows", [Problem("value", "lacks a text that is there")])
    return Op("context.added", {"values": [text for text in new if text not in there]})


def apply(cell: Cell, write: Write) -> Outcome:
    """All texts of both, in the one order that there is."""
    texts = {text for text in write.fields.get("values", ()) if isinstance(text, str)}
    return Outcome(Cell(sorted({*(cell.value or ()), *texts}, key=lambda text: (len(text), text))))
