"""Leaving: what of a ledger goes to a remote, for somebody who has to allow it, and what does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ledger.actions.attachments import count_attachments
from ledger.actions.find import main_tip, walk
from ledger.core.clock import stamp
from ledger.storage.layout import PRIVATE
from ledger.storage.place import Place

_TYPES = 4  # that are named


@dataclass(frozen=True, slots=True)
class Leaving:
    """What goes: events and their sessions, since when (UTC), of which types; and what `stays`, in words."""

    events: int
    sessions: int
    since: str
    types: str
    stays: tuple[str, ...]
    attachments: int = 0


def leaving(place: Place, *, attachments: bool = False) -> Leaving:
    """What would go to a remote now, with attachments or without."""
    types, sessions, since = Counter[str](), set[str](), 0
    for commit in walk(place, [main_tip(place)]):
        types[commit.message.partition(b" ")[0].split(b"\n")[0].decode("utf-8", "replace")] += 1
        sessions.add(commit.author.email)
        since = commit.committer.time
    named = [f"{number:,} {name}" for name, number in types.most_common(_TYPES)]
    rest = len(types) - len(named)
    private = len(place.store.refs(PRIVATE))
    stays = [f"{private} private session{'' if private == 1 else 's'}"] if private else ["private sessions"]
    stays += ["what sessions have of their own", *([] if attachments else ["attachments"])]
    stays += ["the code that checkpoints hold"]
    return Leaving(
        events=types.total(),
        sessions=len(sessions),
        since=stamp(since * 1_000_000) if since else "",
        types=", ".join([*named, *([f"and {rest} more types"] if rest > 0 else [])]),
        stays=tuple(stays),
        attachments=count_attachments(place) if attachments else 0,
    )
