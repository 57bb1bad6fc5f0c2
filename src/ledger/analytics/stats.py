"""Stats: every metric of a ledger, as one document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.actions.indexing import Progress, ask
from ledger.analytics.engine import GROUPS, Rows, Scope, SqliteEngine, measured, models, prepare
from ledger.analytics.metric import metrics
from ledger.analytics.prices import Prices, read_prices
from ledger.storage.event_index import EventIndex
from ledger.storage.place import Place

Document = dict[str, Any]

_ONE = "total"  # the field of a section that is a number, where the section has no more


def stats(place: Place, scope: Scope, by: str | None = None, progress: Progress | None = None) -> Document:
    """Every metric of what a ledger holds, in one document; with `by`, a list of such documents in `groups` as well.

    Raises InvalidError for a price table that is none, StorageError where the index cannot be had.
    """
    prices = read_prices(None if place.layout is None else place.layout.root)

    def count(index: EventIndex) -> Document:
        engine = SqliteEngine(index.db)
        priced = prices.of_all(models(engine))
        document = _whole(_counted(engine, scope, priced))
        if by is not None:
            parted = scope._replace(group=GROUPS[by])
            groups = _counted(engine, parted, priced)
            document["by"] = by
            document["groups"] = [{"group": name} | _whole({"": groups[name]}) for name in sorted(groups, key=str)]
        return document

    return _framed(ask(place, count, progress), scope, prices)


def _counted(engine: SqliteEngine, scope: Scope, priced: Mapping[str, Any]) -> dict[Any, Document]:
    """The sections by group."""
    prepare(engine, scope, priced)
    told: dict[Any, Document] = {}
    for metric in metrics():
        for group, rows in _grouped(measured(engine, metric, scope)).items():
            section = told.setdefault(group, {}).setdefault(metric.section, {})
            section |= {metric.rows: rows} if metric.rows else rows[0]
    return told


def _grouped(rows: Rows) -> dict[Any, Rows]:
    told: dict[Any, Rows] = {}
    for row in rows:
        told.setdefault(row.pop("group_name"), []).append(row)
    return told


def _whole(told: Mapping[Any, Document]) -> Document:
    """The sections of the one group there is, with every section in it."""
    sections = next(iter(told.values()), {})
    whole = {metric.section: sections.get(metric.section, {}) for metric in metrics()}
    whole["by_type"] = {row["type"]: row[_ONE] for row in whole["by_type"].get("type", [])}
    whole["events"] = whole["events"].get(_ONE, 0)
    return whole


def _framed(document: Document, scope: Scope, prices: Prices) -> Document:
    ends = {"since": scope.since or None, "until": scope.until if scope.until < scope.now else None}
    table = {"as_of": prices.as_of, "source": prices.source}
    return ends | document | {"cost": document["cost"] | {"prices": table}}
