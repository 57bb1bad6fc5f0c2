"""Hearing: what the payloads of one session add to what is recorded of it already.

Facts are told by their refs. The session's life is told by the state besides: it enters the roster with the first
thing that is heard of it, comes back when it speaks after its end, and ends once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ledger.actions.adapt import GIT, Said
from ledger.actions.append import Draft, Writer
from ledger.actions.ignoring import covers_at
from ledger.actions.liveness import has_run_since
from ledger.actions.session import ending
from ledger.actions.tip import Author, is_private
from ledger.core.state import Reader, session_path
from ledger.recording.adapter import Draft as Fact
from ledger.recording.ignored import without_contents
from ledger.storage.numbered import Numbered
from ledger.storage.place import Place
from ledger.storage.seen import Seen, digest
from ledger.storage.worktree import find_worktree

STARTED, RESUMED, ENDED = "session.started", "session.resumed", "session.ended"
SPEAKING = (STARTED, RESUMED, "prompt.submitted")

_LONGEST = {"branch": 256, "cwd": 4096, "worktree": 4096}


@dataclass(slots=True)
class Told:
    """What is to be written, the marks by which it is known afterwards, and how many payloads told nothing new."""

    writers: list[Writer | Draft] = field(default_factory=list)
    marks: set[bytes] = field(default_factory=set)
    known: int = 0


class _New(NamedTuple):
    fact: Fact
    ref: str
    source: str


class Hearing:
    """What is recorded of one session, and what its payloads add to that."""

    def __init__(self, place: Place, seen: Seen, session: str, agent: str, numbered: Numbered) -> None:
        self.place, self.numbered = place, numbered
        self.author = Author(session, agent)
        self._known = seen.origins(session)
        self._covers = functools.cache(functools.partial(covers_at, place.layout))

    def tell(self, saids: Sequence[Said]) -> Told:
        """What is new in the payloads, in their order; nothing is remembered yet."""
        told, is_in = Told(), False
        after_end = self._recorded_end(saids)
        for position, said in enumerate(saids):
            new = [one for one in self._facts(said) if self._is_new(one.ref, told)]
            before = len(told.writers)
            if not is_in or any(one.fact.type == STARTED for one in new):
                told.writers += self._entrance(said, new, saids[position:], told, is_over=position < after_end)
            is_in = is_in or len(told.writers) > before
            told.writers += [self._writer(one) for one in new if one.fact.type not in (STARTED, RESUMED)]
            is_in = is_in and all(one.fact.type != ENDED for one in new)
            told.known += len(told.writers) == before
        return told

    def remember(self, told: Told) -> None:
        """What was told is recorded by now."""
        self._known |= told.marks

    def _recorded_end(self, saids: Sequence[Said]) -> int:
        """How many payloads lie before an end that is recorded: a drain was killed after it wrote them all."""
        ends = [position for position, said in enumerate(saids) if self._mark(_of_capture(ENDED, said)) in self._known]
        return max(ends, default=0)

    def _facts(self, said: Said) -> Iterator[_New]:
        covers = self._covers(said.heard.cwd)
        facts = [fact if covers is None else without_contents(fact, covers) for fact in said.heard.drafts]
        if said.heard.doing == "ended" and all(fact.type != ENDED for fact in facts):
            facts.append(Fact(ENDED, said.time, {}, ENDED, said.heard.session))
        refs = [self.place.redactor.text(fact.ref) for fact in facts]
        numbers = self.numbered.refs(said.captured.id, refs, said.raw, said.captured.time)
        for fact, ref in zip(facts, numbers, strict=True):
            source = "git" if said.captured.agent == GIT else "hook"
            yield _New(fact, _of_capture(fact.type, said) if fact.type in (RESUMED, ENDED) else ref, source)

    def _is_new(self, ref: str, told: Told) -> bool:
        mark = self._mark(ref)
        if mark in self._known or mark in told.marks:
            return False
        told.marks.add(mark)
        return True

    def _mark(self, ref: str) -> bytes:
        return digest(self.place.redactor.text(ref))

    def _entrance(
        self, said: Said, new: Sequence[_New], following: Sequence[Said], told: Told, *, is_over: bool
    ) -> Iterator[Writer | Draft]:
        own = {one.fact.type: one.fact for one in new}
        if STARTED in own:
            yield self._draft(STARTED, own[STARTED], said, STARTED)
        elif self._is_unheard_of(said, new) and self._is_new(STARTED, told):
            yield self._start(said, following)
        elif not is_over and self._speaks(said, new):
            ref = _of_capture(RESUMED, said)
            if RESUMED in own or self._is_new(ref, told):
                yield self._return(self._draft(RESUMED, own.get(RESUMED), said, ref))

    def _is_unheard_of(self, said: Said, new: Sequence[_New]) -> bool:
        return said.agent != "" and (bool(new) or said.heard.doing is not None)

    def _speaks(self, said: Said, new: Sequence[_New]) -> bool:
        """Whether a session that has ended is at work again by this: what comes late does not bring it back."""
        if any(one.fact.type in SPEAKING for one in new):
            return True
        is_working = said.heard.doing == "working" and (bool(new) or not said.heard.drafts)
        return is_working and has_run_since(said.captured.pid, said.captured.time)

    def _start(self, said: Said, following: Sequence[Said]) -> Writer | Draft:
        """The start of a session whose first payload is another one; its own may come behind it."""
        facts = (fact for one in following for fact in one.heard.drafts if fact.type == STARTED)
        fact = next(facts, None)
        draft = replace(self._draft(STARTED, fact, said, STARTED), time=_time(said))
        return draft if fact is not None else self._unless_there(draft, is_there_if_crashed=True)

    def _return(self, draft: Draft) -> Writer:
        return self._unless_there(draft, is_there_if_crashed=False)

    def _unless_there(self, draft: Draft, *, is_there_if_crashed: bool) -> Writer:
        path = session_path(self.author.session)

        def write(reader: Reader) -> Draft | None:
            entry = reader.get(path)
            is_there = entry is not None and (is_there_if_crashed or "crashed" not in entry)
            return None if is_there else draft

        return write

    def _writer(self, one: _New) -> Writer | Draft:
        draft = Draft(one.fact.type, one.fact.data, one.fact.time, {"source": one.source, "ref": one.ref})
        return draft if one.fact.type != ENDED else self._end(draft)

    def _end(self, draft: Draft) -> Writer:
        write = ending(self.author.session, draft.data.get("reason"))

        def end(reader: Reader) -> Draft | None:
            made = write(reader)
            return None if made is None else replace(made, time=draft.time, origin=draft.origin)

        return end

    def _draft(self, kind: str, fact: Fact | None, said: Said, ref: str) -> Draft:
        told = {} if fact is None else fact.data
        time = said.time if fact is None else fact.time
        return Draft(kind, self._roster(said, told), time, _origin(ref))

    def _roster(self, said: Said, told: dict[str, Any]) -> dict[str, Any]:
        """Who the session is and where it works: as its agent tells, and what the project says of that folder."""
        cwd = str(told.get("cwd") or said.heard.cwd)
        found: dict[str, Any] = {"agent": said.agent, "key": said.heard.session, "cwd": cwd, "host": self.place.host}
        found |= _worktree(cwd) | told
        if self.author.wants_privacy or is_private(self.place.store, self.author.session):
            found["private"] = True
        return {name: value for name, value in found.items() if value != "" and _fits(name, value)}


def _worktree(cwd: str) -> dict[str, Any]:
    if not cwd.startswith("/") or "\0" in cwd:
        return {}
    try:
        found = find_worktree(Path(cwd))
    except OSError:  # a folder that is gone by now, or closed to us
        return {}
    return {} if found is None else {"worktree": str(found.path), "branch": found.branch}


def _fits(name: str, value: Any) -> bool:
    return len(value) <= _LONGEST.get(name, len(value)) if isinstance(value, str) else True


def _of_capture(kind: str, said: Said) -> str:
    # A session ends and comes back any number of times: the payload tells one time from the others.
    return f"{kind}:{said.captured.id}"


def _time(said: Said) -> str:
    """When the session was first heard of: the first of its facts, for the agent's own times may lie before ours."""
    return min([said.time, *(fact.time for fact in said.heard.drafts)])


def _origin(ref: str) -> dict[str, Any]:
    return {"source": "hook", "ref": ref}
