"""The entry of the `ledger` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.cli.errors import guarded

if TYPE_CHECKING:
    from ledger.api import Sources


def main(arguments: Sequence[str] | None = None, sources: Sources | None = None) -> int:
    """Run one command and return its exit code; words about what went wrong are on standard error.

    `sources` gives time, chance and the person's name; tests give fixed ones (`ledger.testing.fixed`).
    """
    _stand_in_for_closed_streams()
    _write_utf_8()
    given = list(sys.argv[1:] if arguments is None else arguments)

    def work() -> int:
        from ledger.cli.app import run

        return run(given, sources)

    return guarded(work, os.environ)


def _stand_in_for_closed_streams() -> None:
    # Whoever closes a stream wants nothing of it; the next file to be opened must not take its number. A closed
    # standard input stays None, for whoever reads it to refuse.
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end


def _write_utf_8() -> None:
    # Whatever the locale says: the ledger's text is UTF-8. Paths may hold other bytes, and come out as they are.
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)
