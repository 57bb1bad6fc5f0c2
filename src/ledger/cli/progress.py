"""A line that says how far something is, on a terminal, for what takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 1.0  # seconds without a word
_PAUSE = 0.1
_WIDTH = 24


@contextmanager
def progress(what: str, *, is_wanted: bool) -> Iterator[Callable[[int, int], None]]:
    """Give a function that is told `(done, total)`; it draws a bar on standard error where that is a terminal."""
    bar = _Bar(what, is_wanted=is_wanted and sys.stderr.isatty())
    try:
        yield bar.show
    finally:
        bar.clear()


class _Bar:
    def __init__(self, what: str, *, is_wanted: bool) -> None:
        self._what, self._is_wanted = what, is_wanted
        self._next = time.monotonic() + _PATIENCE
        self._is_drawn = False

    def show(self, done: int, total: int) -> None:
        if not self._is_wanted or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PAUSE
        share = min(done / total, 1.0) if total else 1.0
        filled = round(share * _WIDTH)
        sys.stderr.write(f"\r{self._what} {'█' * filled}{'░' * (_WIDTH - filled)} {share:4.0%}")
        sys.stderr.flush()
        self._is_drawn = True

    def clear(self) -> None:
        if self._is_drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
