"""Metrics: each is a file of SQL, with what it tells, its unit and its formula at the top."""

from __future__ import annotations

import functools
from importlib import resources
from typing import NamedTuple

_FOLDER = "ledger.analytics"


class Metric(NamedTuple):
    """One metric: where it goes in the answer, what people are told of it, and its SQL.

    `rows` names the list that its rows make up in the answer; "" where it has one row, whose fields stand in the
    section itself.
    """

    name: str
    section: str
    title: str
    tells: str
    unit: str
    formula: str
    sources: str
    aim: str
    rows: str
    sql: str


class View(NamedTuple):
    """A view that metrics are made of: its name, what its rows are, and its SQL."""

    name: str
    tells: str
    sql: str


# In the order in which each stands on those before it.
_VIEWS = ("facts", "calls", "usage", "runs", "writes", "live_keys", "handed", "touched", "leases", "crashes")
# In the order in which people read them.
_METRICS = (
    "events_total",
    "events_by_type",
    "sessions_total",
    "sessions_by_agent",
    "tools_total",
    "tools_by_tool",
    "tools_slowest",
    "tokens_total",
    "tokens_by_model",
    "cost_total",
    "context_total",
    "context_handed",
    "context_growth",
    "conflicts_total",
    "recovery_total",
    "recovery_by_layer",
    "productivity_total",
    "productivity_by_hour",
    "productivity_by_weekday",
    "latency_total",
)


@functools.cache
def metrics() -> tuple[Metric, ...]:
    """All metrics, in the order in which people read them."""
    return tuple(_metric(name) for name in _METRICS)


@functools.cache
def views() -> tuple[View, ...]:
    """The views that metrics are made of, each after those that it stands on."""
    return tuple(View(name, " ".join(_comments(_text("views", name))), _text("views", name)) for name in _VIEWS)


def _metric(name: str) -> Metric:
    text = _text("metrics", name)
    told = dict(line.split(": ", 1) for line in _comments(text))
    return Metric(
        name,
        told["section"],
        told["title"],
        told["tells"],
        told["unit"],
        told["formula"],
        told["sources"],
        told.get("aim", ""),
        told.get("rows", ""),
        text,
    )


def _text(folder: str, name: str) -> str:
    return resources.files(_FOLDER).joinpath(folder, f"{name}.sql").read_text(encoding="utf-8")


def _comments(text: str) -> list[str]:
    return [line[3:] for line in text.splitlines() if line.startswith("-- ")]
