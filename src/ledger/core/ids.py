"""Ids: each kind is a type of its own, knows its prefix form, and says what an ambiguous prefix fits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Self

from ledger.errors import AmbiguousError, InvalidError, NotFoundError, Problem

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_PREFIX = re.compile(r"[0-9a-f-]{1,36}")

# The namespace under which an agent and its own session id become one session id, on every machine.
_SESSIONS = bytes.fromhex("6f1d7c523b0e5c7a9a642f0f5d1a8c11")


class Id(str):
    """A UUID in its 36-character lower-case form; raises InvalidError on anything else."""

    __slots__ = ()
    noun = "id"
    form = _UUID
    rule = "must be a lower-case UUID such as 6f1d7c52-3b0e-5c7a-9a64-2f0f5d1a8c11"

    def __new__(cls, text: str) -> Self:
        """Take `text` as it stands."""
        if not cls.form.fullmatch(text):
            raise InvalidError(f"not a valid {cls.noun}: {text[:80]!r}", [Problem(cls.noun, cls.rule)])
        return super().__new__(cls, text)

    @property
    def short(self) -> str:
        """The first 13 characters: for an event, its millisecond; short to read, but not always unique."""
        return self[:13]

    @classmethod
    def find(  # type: ignore[override]  # nobody searches inside an id; ids are searched for
        cls, prefix: str, among: Iterable[str]
    ) -> Self:
        """Return the one id of `among` that starts with `prefix`.

        Raises NotFoundError if none does, AmbiguousError (with the matches) if several do.
        """
        wanted = prefix.lower()
        matches = sorted({i for i in among if i.startswith(wanted)}) if is_prefix(wanted) else []
        if not matches:
            raise NotFoundError(f"no {cls.noun} starts with {prefix!r}")
        if len(matches) > 1 and wanted not in matches:
            raise AmbiguousError(
                f"{prefix!r} fits {len(matches)} {cls.noun}s: {_some(matches)}",
                matches=matches,
                hint="give more characters of the one you mean",
            )
        return cls(wanted if wanted in matches else matches[0])


class EventId(Id):
    """A UUIDv7 from the hybrid logical clock: as text, ids sort in the order of the fold."""

    __slots__ = ()
    noun = "event id"
    # Another version would sort wrongly among ids of the same millisecond: its digit stands before the counter.
    form = _UUID7
    rule = "must be a lower-case UUIDv7 such as 0199f3c2-7b1e-7abc-8def-0123456789ab"

    @property
    def millis(self) -> int:
        """Milliseconds since 1970, as the clock counted them."""
        return int(self[:8] + self[9:13], 16)

    @property
    def counter(self) -> int:
        """The 12-bit logical part (0 to 4095)."""
        return int(self[15:18], 16)


class SessionId(Id):
    """A UUIDv5 of an agent and the agent's own session id."""

    __slots__ = ()
    noun = "session id"

    @classmethod
    def of(cls, agent: str, key: str) -> Self:
        """Derive the session id that hooks and importers share for one run of one agent; RFC 9562, section 5.5."""
        # As `uuid.uuid5` does, whose module takes 3 ms to load: every hook that answers, and every command, has one.
        digest = hashlib.sha1(_SESSIONS + f"{agent}\n{key}".encode(), usedforsecurity=False).digest()
        return cls(_spelled(int.from_bytes(digest[:16], "big"), version=5))


def _spelled(number: int, version: int) -> str:
    """128 bits as a UUID of this version and of the usual variant."""
    bits = number & ~(0xF << 76 | 0x3 << 62) | version << 76 | 0x2 << 62
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _some(matches: list[str]) -> str:
    return ", ".join(matches[:5]) + (", …" if len(matches) > 5 else "")


def is_prefix(text: str) -> bool:
    """Whether `text` could be the start of an id."""
    return _PREFIX.fullmatch(text) is not None
