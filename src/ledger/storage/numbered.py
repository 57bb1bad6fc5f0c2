"""Numbered: which numbers were given to the facts of one session that have no id of their own.

A tool call that its agent gives no id to is the first, second, third … of its kind. A drain that is killed between
giving a number and writing the event must give the same number again, or one fact would be two events; so what was
given is synced before the event is written. How many of a kind were heard is counted here and not in the history:
there, what a transcript told first would be counted as well.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ledger.storage.files import make_folder, refusals, write_file
from ledger.storage.layout import Layout
from ledger.storage.seen import digest

MARK = "#"  # a ref that ends with it is told apart by counting

# Two settings files make an agent run its hooks twice, a few milliseconds apart; to do the same thing again and
# have the same said of it, to the last byte, takes an agent longer.
TWICE_MICROS = 1_000_000


class Numbered:
    """The numbers of one session; `waiting` are the ids of the payloads that wait, whose numbers are kept.

    What cannot be read is begun anew: then facts are found by what is recorded already, or told twice.
    """

    def __init__(self, layout: Layout, session: str, waiting: Collection[str] = ()) -> None:
        self._path = layout.numbered / session
        told = _read(self._path)
        self._counts: dict[str, list[Any]] = told["counts"]
        self._given: dict[str, list[str]] = {name: refs for name, refs in told["given"].items() if name in waiting}
        self._is_new = False

    def refs(self, payload: str, refs: list[str], raw: bytes, time: int) -> list[str]:
        """The refs of one payload's facts with their numbers; the same again for a payload that was asked for before.

        `raw` are its bytes and `time` when it was captured: the same bytes at once are the same fact.
        """
        if not any(ref.endswith(MARK) for ref in refs):
            return refs
        if payload not in self._given:
            content = digest(raw).hex()
            self._given[payload] = [self._number(ref, content, time) for ref in refs]
            self._is_new = True
        return self._given[payload]

    def keep(self) -> None:
        """Put what was given on the disk, synced. Raises StorageError."""
        if not self._is_new:
            return
        text = json.dumps({"counts": self._counts, "given": self._given}, separators=(",", ":"))
        with refusals(self._path):
            make_folder(self._path.parent)
            write_file(self._path, text.encode("ascii"), durable=True)
        self._is_new = False

    def _number(self, ref: str, content: str, time: int) -> str:
        if not ref.endswith(MARK):
            return ref
        base = ref.removesuffix(MARK)
        count, before, at = self._counts.get(digest(base).hex(), [0, "", 0])
        if content != before or abs(time - at) > TWICE_MICROS:
            count += 1
        self._counts[digest(base).hex()] = [count, content, time]
        return base if count == 1 else f"{base}.{count}"


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {"counts": {}, "given": {}}
    is_whole = isinstance(told, dict) and all(isinstance(told.get(name), dict) for name in ("counts", "given"))
    return told if is_whole else {"counts": {}, "given": {}}
