"""Noting facts: every reader writes its drafts here, so that each fact is told once."""

from __future__ import annotations

from typing import Any

from ledger.recording.adapter import Draft
from ledger.recording.cutting import LABEL, cut
from ledger.recording.moment import NEVER, moment
from ledger.recording.shapes import name


class Scribe:
    """Collects the drafts of one transcript: keeps time, session and the refs already used.

    `time` is that of the latest record that had one; `session` that of the latest that named one.
    """

    def __init__(self, agent: str, session: str) -> None:
        self.session = name(session)
        self.time = NEVER
        self._agent = agent
        self._refs: set[tuple[str, str]] = set()
        self._drafts: list[Draft] = []

    def at(self, stamp: Any) -> None:
        """Take the time of a record; one without a readable time keeps that of the record before."""
        self.time = moment(stamp) or self.time

    def is_open(self) -> bool:
        """True once the current session's start is noted."""
        return (self.session, "session.started") in self._refs

    def open(self, *, time: str | None = None, **facts: Any) -> None:
        """Note the start of the current session, once; `facts` are its fields, absent ones None."""
        if not self.is_open():
            labels = {key: cut(value, LABEL) if isinstance(value, str) else None for key, value in facts.items()}
            started = {"agent": self._agent, "key": self.session, **labels}
            self._add("session.started", "session.started", started, time, self.session)

    def note(
        self,
        kind: str,
        ref: str,
        data: dict[str, Any],
        *,
        time: str | None = None,
        session: str | None = None,
        again: bool = False,
    ) -> None:
        """Note a fact; one whose ref is known is the same fact, unless it may happen `again`."""
        self.open()
        session = session or self.session
        if again:
            ref = self._free(session, ref)
        if (session, ref) not in self._refs:
            self._add(kind, ref, data, time, session)

    def knows(self, ref: str) -> bool:
        """True if the current session has a fact of this ref."""
        return (self.session, ref) in self._refs

    def take(self) -> tuple[Draft, ...]:
        """The drafts noted since the last call."""
        taken = tuple(self._drafts)
        self._drafts.clear()
        return taken

    def _add(self, kind: str, ref: str, data: dict[str, Any], time: str | None, session: str) -> None:
        said = {key: value for key, value in data.items() if value not in (None, "", [], {})}
        self._refs.add((session, ref))
        self._drafts.append(Draft(kind, time or self.time, said, ref, session))

    def _free(self, session: str, ref: str) -> str:
        free, turn = ref, 1
        while (session, free) in self._refs:
            turn += 1
            free = f"{ref}.{turn}"
        return free
