"""What a kind of event is: its subject line, which units it may touch, and what it does to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ledger.core.event import Event
from ledger.core.state import Changes, Reader
from ledger.errors import Problem

Data = dict[str, Any]
Titles = tuple[str, str]


def touches_nothing(event: Event) -> tuple[str, ...]:
    """The footprint of a kind that only records."""
    return ()


def changes_nothing(reader: Reader, event: Event) -> Changes:
    """What a kind that only records does to a state."""
    return {}


def has_no_problems(data: Data) -> list[Problem]:
    """For a kind whose schema says all."""
    return []


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of event at its newest schema version.

    `titles(data)` gives object and summary of the subject line; `footprint(event)` the units that it may
    read or change, from its own bytes alone; `apply(reader, event)` its changes, touching nothing else and
    never failing on an event that its schema accepts; `problems(data)` what its schema cannot say. `by_ledger`
    says on which occasion the ledger writes a kind that it alone may write; "" where anybody may record it.
    """

    type: str
    titles: Callable[[Data], Titles]
    version: int = 1
    footprint: Callable[[Event], tuple[str, ...]] = touches_nothing
    apply: Callable[[Reader, Event], Changes] = changes_nothing
    problems: Callable[[Data], list[Problem]] = has_no_problems
    by_ledger: str = ""

    @property
    def changes_state(self) -> bool:
        """Whether events of this kind may change a piece of state, hence carry `prev`."""
        return self.footprint is not touches_nothing


def brief(value: Any) -> str:
    """A value in a few words, for a subject line."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return ", ".join(sorted(map(str, value))) or "{}"  # as the canonical text has them
    if isinstance(value, list):
        return ", ".join(brief(v) for v in value) or "[]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
