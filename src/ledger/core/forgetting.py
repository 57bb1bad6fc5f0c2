"""Forgetting: an event, or a document of a state, without what is to be forgotten, and still one that the law can fold.

An event keeps its id, type, session and time, what it saw and which fact it is; a mark stands where the content was.
What touches nothing but a forgotten key, or no state at all, becomes a tombstone: `redaction.applied` under its id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ledger.core import schema
from ledger.core.event import Event
from ledger.core.events import kind_of, message_of
from ledger.core.fold import footprint
from ledger.core.state import Document, context_path
from ledger.errors import Problem, RefusedError

MARK = "[forgotten]"
WORD = "forgotten"  # where the mark is no name, as in a key
TOMBSTONE = "redaction.applied"

# What says where something belongs, not what it is.
_STRUCTURE = frozenset(
    {"agent", "attachment", "by", "host", "key", "lease", "leases", "parent", "policy", "scope", "seen"}
    | {"task", "tree", "ttl"}
)

Attachment = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What is to be forgotten: the content of events by their ids, keys as a whole, texts wherever they stand; and why.

    `attachments` gives for the id of an attachment what stands in its place.
    """

    because: str
    ids: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    texts: tuple[re.Pattern[str], ...] = ()
    attachments: Mapping[str, Attachment] = field(default_factory=dict)

    def event(self, event: Event) -> Event:
        """The event without it: the same object where it holds none of it.

        Raises RefusedError where what is left would be no valid event.
        """
        found = event
        if event.type != TOMBSTONE:
            found = self._without_key(event) or (self._emptied(event) if event.id in self.ids else event)
        return self._with_attachments(self._without_texts(found))

    def document(self, path: str, document: Document) -> tuple[str, Document] | None:
        """A file of a state without it, and the path that it has then; None where the file goes."""
        if self._is_of_key(path):
            return None
        kept = {name: value for name, value in document.items() if name != "losers"}
        losers = [loser for loser in document.get("losers", ()) if loser["event"] not in self.ids]
        if "losers" in document and not losers:
            return None
        if document.get("event") in self.ids and "value" in document:
            if document.get("policy") != "lww":
                return None
            kept["value"] = MARK
        cleaned = self._cleaned(kept | ({"losers": losers} if losers else {}), MARK)
        return self.text(path, WORD), cleaned

    def text(self, text: str, mark: str = MARK) -> str:
        """A text with the mark wherever one of the texts stood."""
        for pattern in self.texts:
            text = pattern.sub(mark, text)
        return text

    def holds(self, text: str) -> bool:
        """Whether one of the texts stands in a text."""
        return any(pattern.search(text) for pattern in self.texts)

    def _is_of_key(self, path: str) -> bool:
        _, scope, key = path.removesuffix(".yaml").rpartition("context/")
        if not scope:
            _, scope, key = path.removesuffix(".yaml").rpartition("conflicts/")
        return bool(scope) and key in self.keys

    def _without_key(self, event: Event) -> Event | None:
        """What is left of an event on a forgotten key; None for every other."""
        if not self.keys or not self._writes(event).intersection(self.keys):
            return None
        left = [one for one in event.data.get("entries", ()) if one["key"] not in self.keys]
        return replace(event, data=event.data | {"entries": left}) if left else self._tombstone(event)

    def _writes(self, event: Event) -> frozenset[str]:
        units = set(footprint(event))
        named = [event.data.get("key"), *(one.get("key") for one in event.data.get("entries", ()))]
        is_scoped = event.data.get("scope") == "session"
        keys = (key for key in named if isinstance(key, str))
        return frozenset(key for key in keys if is_scoped or context_path(key) in units)

    def _emptied(self, event: Event) -> Event:
        if not event.changes_state:
            return self._tombstone(event)
        data = dict(event.data)
        for name in [name for name in data if name not in _STRUCTURE]:
            data = _first_valid(event, [data | {name: blank} for blank in _blanks(name, data[name])]) or data
        left = [Problem(f"data.{name}", "cannot be emptied") for name in data if _has_content(name, data[name])]
        if left:
            raise RefusedError(
                f"event {event.id} ({event.type}) would be none without its content: {', '.join(p.path for p in left)}",
                hint="forget the whole key, or the text: ledger forget KEY, ledger forget --text TEXT",
            )
        return replace(event, data=data)

    def _without_texts(self, event: Event) -> Event:
        for mark in (MARK, WORD):
            cleaned = self._marked(event, mark)
            if cleaned is event:
                return event
            if not _new_problems(event, cleaned):
                return cleaned
        if not event.changes_state:
            return self._tombstone(event)
        broken = _new_problems(event, self._marked(event, WORD))
        raise RefusedError(
            f"event {event.id} ({event.type}) would be none without that text: {'; '.join(map(str, broken[:3]))}",
            hint="give a text that is not a part of names, ids or dates",
        )

    def _marked(self, event: Event, mark: str) -> Event:
        data, origin = self._cleaned(event.data, mark), self._cleaned(event.origin, mark)
        if data == event.data and origin == event.origin:
            return event
        return replace(event, data=data, origin=origin)

    def _cleaned(self, value: Any, mark: str) -> Any:
        return _mapped(value, lambda text: self.text(text, mark), names=True) if self.texts else value

    def _with_attachments(self, event: Event) -> Event:
        kept = event.data.get("attachment")
        other = self.attachments.get(kept["id"]) if isinstance(kept, dict) and "id" in kept else None
        return event if other is None else replace(event, data=event.data | {"attachment": dict(other)})

    def _tombstone(self, event: Event) -> Event:
        return Event(
            id=event.id,
            type=TOMBSTONE,
            v=1,
            session=event.session,
            time=event.time,
            data={"events": [event.id], "type": event.type, "because": self.because},
            origin=self._cleaned(event.origin, MARK),
        )


def _blanks(name: str, value: Any) -> list[Any]:
    """What may stand in the place of a field's content, the emptiest first."""
    if name == "entries":
        return [[{**one, "value": MARK} if "value" in one else one for one in value]]
    return [MARK, _mapped(value, lambda _: MARK)] if name == "value" else [_mapped(value, lambda _: MARK)]


def _has_content(name: str, value: Any) -> bool:
    if name in _STRUCTURE:
        return False
    if name == "entries":
        return any(_has_content("value", one.get("value")) for one in value)
    return any(text != MARK for text in _texts(value))


def _first_valid(event: Event, candidates: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    return next((data for data in candidates if not _new_problems(event, replace(event, data=data))), None)


def _new_problems(before: Event, after: Event) -> list[Problem]:
    """What is wrong with an event that was not wrong with it before; its footprint may follow its key."""
    known = set(schema.event_problems(before))
    broken = [problem for problem in schema.event_problems(after) if problem not in known]
    if broken or kind_of(after) is None:
        return broken
    return schema.size_problems(message_of(after))


def _mapped(value: Any, change: Callable[[str], str], *, names: bool = False) -> Any:
    """A value with every text in it changed; with `names`, those of its fields too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change, names=names) for item in value]
    if isinstance(value, dict):
        return {change(name) if names else name: _mapped(item, change, names=names) for name, item in value.items()}
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
