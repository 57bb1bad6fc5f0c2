"""Write the page of metrics from their own files: `python tools/metrics_page.py docs/reference/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ledger.analytics.metric import Metric, metrics, views
from ledger.core.columns import COLUMNS

_HEAD = """\
# Metrics

What `ledger stats` tells, each figure with its formula, its unit and the events that it is counted from. Each metric
is one file of SQL in `src/ledger/analytics/metrics`, and this page is written from those files
(`python tools/metrics_page.py docs/reference/metrics.md`).

- Counted are the events of main and of every open line of a session, not those of private sessions. Of one fact that
  was told twice (by two machines, or by a session that repeats what it was forked from) one event counts: the smallest
  id.
- Times are microseconds since 1970, durations microseconds. Percentiles are by the nearest rank: a figure that was
  really measured, never one in between.
- `--since` and `--until` bound when it happened, as the recorded machine's clock told it. `--by` tells the same by
  agent, session, host, day, model or tool; what has no such thing is under `(none)`.
- Costs are by list prices (`prices.toml`, with its date in `cost.prices`), whatever is really paid: subscriptions,
  discounts, batches, longer caches and the higher prices of long contexts are not in it. A model without a price is
  never guessed: its tokens are told as `unpriced`. Prices of your own go into `prices.toml` in the ledger's folder,
  in the form of `src/ledger/analytics/prices.toml`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_metrics(), *_views(), *_columns()]) + "\n"


def _metrics() -> Iterator[str]:
    for section, told in groupby(metrics(), key=lambda metric: metric.section):
        yield f"## {section}\n"
        for metric in told:
            yield from _metric(metric)


def _metric(metric: Metric) -> Iterator[str]:
    place = f"`{metric.section}.{metric.rows}[]`" if metric.rows else f"`{metric.section}`"
    yield f"### {metric.title}\n"
    yield f"{metric.tells[0].upper()}{metric.tells[1:]}. In {place}.\n"
    yield f"- Formula: {metric.formula}"
    yield f"- Unit: {metric.unit}"
    yield f"- Counted from: {metric.sources}"
    if metric.aim:
        yield f"- Aim: {metric.aim}"
    yield f"- [{metric.name}.sql](../../src/ledger/analytics/metrics/{metric.name}.sql)\n"


def _views() -> Iterator[str]:
    yield "## Views\n"
    yield "What the metrics are made of.\n"
    yield "| view | rows |\n|---|---|"
    yield from (f"| `{view.name}` | {view.tells} |" for view in views())
    yield ""


def _columns() -> Iterator[str]:
    yield "## Columns of an event\n"
    yield "Those of the view `events`; a column is null where the event's type has no such thing.\n"
    yield "| column | type | |\n|---|---|---|"
    yield from (f"| `{column.name}` | {column.kind} | {column.tells} |" for column in COLUMNS)
    yield "| `counts` | integer | 1; 0 for a fact that an event of a smaller id tells already |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
