"""What the writing commands share: the target, and what is said once something is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.errors import once_written
from ledger.cli.lines import SHORT
from ledger.errors import InvalidError, NotFoundError, UsageError

if TYPE_CHECKING:
    from ledger.actions.append import Appended, Draft, Writer
    from ledger.actions.session import Session
    from ledger.actions.writers import Target
    from ledger.api import Ledger

_HOW_TO_SEE = "`ledger get KEY --json` gives it as `event`; 'none' says that nothing stood there"


def write(
    call: Call, make: Callable[[Session], Draft | Writer], *, private: bool = False, saw: str | None = None
) -> None:
    """Write one event in the name of the call's session, and say which."""
    with call.ledger() as ledger:
        session = call.writer(ledger)
        require_seen(ledger, saw)
        done = session.write([make(session)], scope_of(call, private=private))
        told(call, session.id, done)


def scope_of(call: Call, *, private: bool) -> str:
    """Where a write goes, in the ledger that the call is about; raises UsageError where two are named."""
    if private and call.is_for_user:
        raise UsageError("--private and --user name two scopes", hint="leave one of them out")
    return "session" if private else "shared"


def told(call: Call, session: str, done: Appended, more: Mapping[str, Any] | None = None) -> None:
    """Answer with what was written, and `more` fields; to people, in words beside the answer."""
    from ledger.core.events import subject_of

    with once_written(newest(done)):
        call.out.answer(documents.written(session, done) | dict(more or {}), list)
    if call.form == "human":
        if not done.events:
            call.out.words("Nothing to write: it is so already.")
        for event, commit in zip(done.events, done.commits, strict=True):
            call.out.words(f"{commit[:SHORT]}  {subject_of(event)}")


def newest(done: Appended) -> str | None:
    """The commit that a write ended with, by its first digits; None if nothing was written."""
    return done.commits[-1][:SHORT] if done.commits else None


def target_of(
    key: str,
    session: Session,
    *,
    private: bool = False,
    policy: str | None = None,
    ttl: int | None = None,
    saw: str | None = None,
) -> Target:
    """The key that is written, as the options of a command say."""
    from ledger.actions.writers import Target

    owner = session.id if private else None
    return Target(key, owner, policy, ttl, seen_by_writer(saw), sees_tip=saw is None)


def seen_by_writer(saw: str | None) -> str | None:
    """The id that `--saw` gives; None for 'none', raises UsageError for what is no event id."""
    from ledger.core.ids import EventId

    if saw is None or saw.lower() == "none":
        return None
    try:
        return str(EventId(saw.lower()))
    except InvalidError as error:
        raise UsageError(f"--saw: {saw!r} is no event id in full", hint=_HOW_TO_SEE) from error


def require_seen(ledger: Ledger, saw: str | None) -> None:
    """Refuse to replace what was never seen here; raises NotFoundError for an id that no event has."""
    from ledger.actions.find import find_commit

    event = seen_by_writer(saw)
    if event is None:
        return
    try:
        find_commit(ledger.place, event)
    except NotFoundError as error:
        raise NotFoundError(f"--saw: this ledger has no event {event}", hint=_HOW_TO_SEE) from error
