"""Search: the events that hold some words, those that fit best first, each with what it belongs to."""

from __future__ import annotations

from typing import NamedTuple

from ledger.actions.indexing import Progress, ask
from ledger.actions.log import Logged
from ledger.actions.tip import event_of
from ledger.core.columns import words_of
from ledger.core.wanted import Wanted
from ledger.storage.event_index import EventIndex, Match, Pieces, snippets
from ledger.storage.place import Place
from ledger.storage.store import Oid


class Found(NamedTuple):
    """An event with the words: how well it fits (the less the better), where they stand, and the prompt before it.

    `snippet` is a stretch of the event's text in pieces, each with whether it is one of the words.
    """

    logged: Logged
    rank: float
    snippet: Pieces
    prompt: Logged | None


class _Hit(NamedTuple):
    match: Match
    prompt: Oid | None


def search(place: Place, wanted: Wanted, limit: int, skip: int = 0, progress: Progress | None = None) -> list[Found]:
    """At most `limit` events that hold `wanted.words` and fulfil its other conditions, after the first `skip`.

    Raises UsageError where there is no word to look for. Private sessions are not searched.
    """

    def look(index: EventIndex) -> list[_Hit]:
        return [_Hit(match, index.prompt_before(match.commit)) for match in index.search(wanted, limit, skip)]

    hits = ask(place, look, progress)
    found = [_logged(place, hit.match.commit) for hit in hits]
    texts = snippets([words_of(one.event) for one in found], wanted.words or "")
    return [
        Found(one, hit.match.rank, text, None if hit.prompt in (None, one.commit.oid) else _logged(place, hit.prompt))
        for one, hit, text in zip(found, hits, texts, strict=True)
    ]


def _logged(place: Place, oid: Oid) -> Logged:
    commit = place.store.commit(oid)
    return Logged(event_of(commit), commit)
