"""Prices: what a million tokens of a model cost, from a dated table that the user can add to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from ledger.errors import InvalidError, Problem

FILE = "prices.toml"
_FIELDS = ("input", "output", "cache_read", "cache_write")
# The same model under a date of its own, or with what an agent puts in brackets.
_VARIANT = re.compile(r"(?:-\d{8}|-\d{4}-\d{2}-\d{2})?(?:\[[^\]]*\])?")


class Price(NamedTuple):
    """US dollars for a million tokens of each kind."""

    input: float
    output: float
    cache_read: float
    cache_write: float


class Prices(NamedTuple):
    """The prices by the name of the model, and where they are from."""

    by_model: dict[str, Price]
    as_of: str
    source: str

    def of(self, model: str) -> Price | None:
        """The price of a model, under its own name or that without its date; None where the table has none."""
        fitting = (name for name in self.by_model if model.startswith(name) and _VARIANT.fullmatch(model[len(name) :]))
        found = max(fitting, key=len, default=None)
        return None if found is None else self.by_model[found]

    def of_all(self, models: Iterable[str]) -> dict[str, Price]:
        """The prices of those models that have one."""
        priced = {model: self.of(model) for model in models}
        return {model: price for model, price in priced.items() if price is not None}


def read_prices(folder: Path | None) -> Prices:
    """The prices of the program, and before them those in `folder`; raises InvalidError with every problem."""
    shipped = _read(resources.files("ledger.analytics").joinpath(FILE).read_text(encoding="utf-8"), FILE)
    own = None if folder is None else folder / FILE
    if own is None or not own.exists():
        return shipped
    try:
        text = own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{own} cannot be read", [Problem(FILE, str(error))]) from error
    added = _read(text, str(own))
    source = f"{shipped.source}; {len(added.by_model)} of your own"
    return Prices(shipped.by_model | added.by_model, added.as_of or shipped.as_of, source)


def _read(text: str, name: str) -> Prices:
    import tomllib

    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidError(f"{name} is not valid TOML", [Problem("", str(error))]) from error
    rows = told.get("price", [])
    broken = [] if isinstance(rows, list) else [Problem("price", "must be tables: [[price]]")]
    known = {"as_of", "source", "price"}
    broken += [Problem(field, "is not a field of a price table") for field in told if field not in known]
    for number, row in enumerate(rows if isinstance(rows, list) else ()):
        broken += _problems(f"price.{number}", row)
    if broken:
        raise InvalidError(f"{name} is not a valid price table:", broken, hint=_FORM)
    prices = {row["model"]: Price(*(float(row[field]) for field in _FIELDS)) for row in rows}
    return Prices(prices, str(told.get("as_of", "")), str(told.get("source", "")))


def _problems(path: str, row: Any) -> list[Problem]:
    if not isinstance(row, dict):
        return [Problem(path, "must be a table")]
    broken = [Problem(f"{path}.{name}", "is not a field of a price") for name in row if name not in ("model", *_FIELDS)]
    if not isinstance(row.get("model"), str) or not row.get("model"):
        broken.append(Problem(f"{path}.model", "must be the name of a model"))
    for field in _FIELDS:
        value = row.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            broken.append(Problem(f"{path}.{field}", "must be US dollars for a million tokens"))
    return broken


_FORM = "of each model: model, input, output, cache_read and cache_write, in US dollars for a million tokens"
