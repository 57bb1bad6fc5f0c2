"""Upcasting: data of an older schema version is lifted step by step to the newest, on read; bytes stay as stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ledger.core.event import Event

Step = Callable[[dict[str, Any]], dict[str, Any]]

# (type, version) -> the pure step from that version to the next. Every type is at version 1 so far.
STEPS: Mapping[tuple[str, int], Step] = {}


def upcast(event: Event, steps: Mapping[tuple[str, int], Step] = STEPS) -> Event:
    """Lift an event to the newest version of its type; the fold's result stays what it was."""
    step = steps.get((event.type, event.v))
    while step is not None:
        event = replace(event, v=event.v + 1, data=step(event.data))
        step = steps.get((event.type, event.v))
    return event
