"""Engines: whatever runs the SQL of the metrics. `SqliteEngine` is always there, on the index of the events."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ledger.analytics.metric import Metric, views
from ledger.analytics.prices import Price
from ledger.errors import StorageError

Rows = list[dict[str, Any]]


class Scope(NamedTuple):
    """What is counted: from when to when in microseconds, by what, and which zone an hour of the day is in.

    `group` is an SQL expression over an event, one of `GROUPS`; `zone` microseconds to add to UTC; `now` is when "in
    the last 30 days" ends.
    """

    now: int
    since: int = 0
    until: int = (1 << 63) - 1
    group: str = "''"
    zone: int = 0


_DAY = "CAST((e.time_us + {zone} - (e.time_us + {zone}) % 86400000000) / 86400000000 AS BIGINT)"
# By what figures can be told: for people a word, for engines an expression.
GROUPS = {
    "agent": "e.agent",
    "session": "e.session",
    "host": "e.host",
    "day": _DAY,
    "model": "COALESCE(e.model, '')",
    "tool": "COALESCE(e.tool, '')",
}


class Engine(Protocol):
    """Something that has the views `events`, `event_keys` and `event_files`, and runs SQL over them."""

    def define(self, name: str, sql: str) -> None:
        """Make a view of that name, in place of one that is there."""

    def rows(self, sql: str) -> Rows:
        """The rows of a query, each by the names of its columns."""


_LARGE = {"facts", "calls"}


class SqliteEngine:
    """An engine on an open index of the events; it writes nothing there."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def define(self, name: str, sql: str) -> None:
        """Make a view of that name, in place of one that is there; what few events are in is made once, as a table."""
        kind = "view" if name in _LARGE else "table"
        self._run(f"drop {kind} if exists temp.{name}")
        self._run(f"create temp {kind} {name} as {sql}")

    def rows(self, sql: str) -> Rows:
        """The rows of a query; raises StorageError where SQLite refuses it."""
        cursor = self._run(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _run(self, sql: str) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql)
        except sqlite3.Error as fault:
            raise StorageError(f"the index of the events: {fault}") from fault


def prepare(engine: Engine, scope: Scope, prices: Mapping[str, Price]) -> None:
    """Define every view that the metrics are made of."""
    engine.define("prices", _as_rows(prices))
    for view in views():
        engine.define(view.name, filled(view.sql, scope))


def models(engine: Engine) -> list[str]:
    """The names of all models that are used."""
    return [str(row["model"]) for row in engine.rows("SELECT DISTINCT model FROM events WHERE model IS NOT NULL")]


def measured(engine: Engine, metric: Metric, scope: Scope) -> Rows:
    """The rows of a metric."""
    return engine.rows(filled(metric.sql, scope))


def filled(sql: str, scope: Scope) -> str:
    """The SQL of a view or a metric with the numbers of what is counted."""
    for name, value in (("group", scope.group), ("zone", scope.zone), ("now", scope.now)):
        sql = sql.replace(f"{{{name}}}", str(value))
    return sql.replace("{since}", str(scope.since)).replace("{until}", str(scope.until))


def _as_rows(prices: Mapping[str, Price]) -> str:
    none = "SELECT '' AS model, 0.0 AS input, 0.0 AS output, 0.0 AS cache_read, 0.0 AS cache_write WHERE 1 = 0"
    return " UNION ALL ".join(_as_row(model, price) for model, price in sorted(prices.items())) or none


def _as_row(model: str, price: Price) -> str:
    name = model.replace("'", "''")
    figures = ", ".join(f"CAST({value!r} AS DOUBLE) AS {field}" for field, value in price._asdict().items())
    return f"SELECT '{name}' AS model, {figures}"
