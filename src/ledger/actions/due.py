"""Due: when a session gets a checkpoint that nobody asked for, by what was recorded of it just now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.actions.find import main_tip
from ledger.actions.tip import Author, own_tip
from ledger.core.clock import micros
from ledger.core.event import Event
from ledger.core.ids import EventId
from ledger.core.state import Document, session_path
from ledger.storage.place import Place
from ledger.storage.store import Oid
from ledger.storage.tree import TreeReader

if TYPE_CHECKING:
    from ledger.actions.checkpoint import Checkpoint

MOST_EVENTS = 256  # of a session, between two checkpoints
LONGEST = 30 * 60  # seconds

TURN, COMPACTION, END = "turn", "compaction", "end"
COMPACTS = "PreCompact"  # the hook that says so beforehand; some agents tell the fact in their transcript alone
_REASONS = {"turn.ended": TURN, "compaction.started": COMPACTION, "session.ended": END}
_CHECKPOINT = b"checkpoint.created"
_WALKED = 4_096  # commits looked at for one count: where others write that much, time decides


@dataclass(frozen=True, slots=True)
class Due:
    """A session of which something was recorded: why it may be due, "" for no reason of its own, and where it works."""

    author: Author
    reason: str
    worktree: Path | None

    def and_then(self, later: Due) -> Due:
        """Both together: the end of a session counts for more than what came before it."""
        return Due(later.author, later.reason or self.reason, later.worktree or self.worktree)


def due_after(author: Author, before: Document | None, events: Iterable[Event]) -> Due:
    """What events that were just recorded of a session mean for it; `before` is its entry on the roster till then."""
    reason, worktree = "", str((before or {}).get("worktree", ""))
    for event in events:
        reason = _REASONS.get(event.type, reason)
        worktree = str(event.data.get("worktree", worktree)) if event.type.startswith("session.") else worktree
    return Due(author, reason, Path(worktree) if worktree else None)


def roster_entry(place: Place, session: str) -> Document | None:
    """What the roster says of a session, with what it has not published yet."""
    return TreeReader(place.store, place.store.commit(_tip(place, session)).tree).get(session_path(session))


def checkpoint_if_due(place: Place, due: Due) -> Checkpoint | None:
    """Make a checkpoint where one is due: at the end of a turn or of the session if the code is another than the last
    one holds, before a compaction, after 256 events or half an hour; None where none is.

    Raises as `checkpoint` does.
    """
    # Imported here: most who record something leave checkpoints to the process behind the hooks.
    from ledger.actions.checkpoint import checkpoint, checkpoint_if_changed

    if due.reason in (TURN, END) and due.worktree is not None:
        made = checkpoint_if_changed(place, due.author, due.reason, due.worktree)
        if made is not None:
            return made
    reason = COMPACTION if due.reason == COMPACTION else _by_rule(place, due.author.session)
    return checkpoint(place, due.author, reason, due.worktree) if reason else None


def _by_rule(place: Place, session: str) -> str:
    entry = roster_entry(place, session)
    if entry is None:  # it has ended
        return ""
    since = EventId(entry["checkpoint"]).millis // 1000 if "checkpoint" in entry else micros(entry["started"]) // 10**6
    if place.now() // 1_000_000 - since >= LONGEST:
        return "time"
    return "events" if _written_since(place, session, since) >= MOST_EVENTS else ""


def _written_since(place: Place, session: str, since: int) -> int:
    """How many events a session has written since a moment (seconds), as far as it matters."""
    found = 0
    for commit in islice(place.store.walk([_tip(place, session)], order="newest"), _WALKED):
        is_own = commit.author.email == session
        is_last = is_own and commit.message.startswith(_CHECKPOINT)  # ids of one second do not tell
        if is_last or commit.committer.time < since or found >= MOST_EVENTS:
            break
        found += is_own
    return found


def _tip(place: Place, session: str) -> Oid:
    return own_tip(place.store, session) or main_tip(place)
