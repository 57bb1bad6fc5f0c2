"""Reading texts, whole numbers and paths from the command line without pydantic.

typer loads pydantic for the first argument it reads, of whatever kind: 100 ms, more than all the rest of
`ledger get`. What a command takes is plain, so it is read here; a kind that is not known here is left to typer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, get_args

import typer

_READERS: dict[Any, Callable[[str], Any]] = {str: str, int: int, bool: bool, Path: Path}


class Plain(NamedTuple):
    """How one argument or option is read: one by one, or as a list."""

    read: Callable[[str], Any]
    is_list: bool
    least: float | None

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        """The value that a text means; raises typer.BadParameter for one that means none."""
        if value is None:
            return () if self.is_list else None
        return [self._one(v, param, ctx) for v in value] if self.is_list else self._one(value, param, ctx)

    def _one(self, given: Any, param: Any, context: Any) -> Any:
        try:
            value = self.read(given)
        except ValueError:
            raise typer.BadParameter(f"{given!r} is not a whole number", ctx=context, param=param) from None
        if self.least is not None and value < self.least:
            raise typer.BadParameter(f"{value} is less than {self.least}", ctx=context, param=param)
        return value


def read_plainly(params: list[Any]) -> None:
    """Let the parameters of a command that are plain be read without pydantic."""
    for param in params:
        plain = _plain(param)
        if plain is not None:
            # typer has no public way to say so; where it ignores this, it only is slower.
            param._runtime_param = plain  # noqa: SLF001


def _plain(param: Any) -> Plain | None:
    descriptor = getattr(param, "type_descriptor", None)
    kind = getattr(descriptor, "annotation", None)
    items = get_args(kind)
    read = _READERS.get(items[0] if items else kind)
    return None if read is None else Plain(read, bool(items), getattr(param, "min", None))
