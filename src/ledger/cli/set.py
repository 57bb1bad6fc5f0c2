"""`ledger set`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.intake import value_given
from ledger.cli.options import JsonValue, Key, Policy, Private, Saw, TextFile, ValueFile
from ledger.cli.words import cut, one_line
from ledger.cli.write import require_seen, scope_of, target_of, told
from ledger.errors import NotFoundError

if TYPE_CHECKING:
    from ledger.actions.append import Appended, Writer
    from ledger.actions.read import Found
    from ledger.actions.session import Session
    from ledger.api import Ledger
    from ledger.core.entry import Entry

# The policies under which what stands may differ from what was written, and a value is a whole.
_WEIGHING = {
    "max": "it is greater",
    "min": "it is smaller",
    "text": "it holds what others wrote, too",
}
_SHOWN = 60

Value = Annotated[
    str | None, typer.Argument(help="The value, as a text exactly.", metavar="[VALUE]", show_default=False)
]
Ttl = Annotated[
    int | None, typer.Option(help="Seconds after which readers no longer count it.", min=1, metavar="SECONDS")
]

HAS_USER_SCOPE = True


def command(
    context: typer.Context,
    key: Key,
    value: Value = None,
    json_value: JsonValue = None,
    file: ValueFile = None,
    text_file: TextFile = None,
    policy: Policy = None,
    ttl: Ttl = None,
    private: Private = False,
    saw: Saw = None,
) -> None:
    """Give a key a value.

    VALUE is a text, exactly as given; under the policies counter, max and min a number is taken as one.
    Other values come as JSON, or from a file.
    """
    from ledger.actions.set_text import setting_text
    from ledger.actions.writers import setting
    from ledger.core.key import check_key

    check_key(key)
    given = value_given(value, json_value, file, text_file)

    def make(ledger: Ledger, session: Session) -> Writer:
        target = target_of(key, session, private=private, policy=policy, ttl=ttl, saw=saw)
        base = None if target.saw is None else _entry_at(ledger, key, str(target.saw), target.session)
        target = target._replace(base=base)
        return setting(target, given) if value is None else setting_text(target, given)

    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        require_seen(ledger, saw)
        done = session.write([make(ledger, session)], scope_of(call, private=private))
        standing = _standing(ledger, session, key, done)
        told(call, session.id, done, {"stands": standing is None})
    if standing is not None:
        call.out.words(_beaten(key, standing))


def _entry_at(ledger: Ledger, key: str, event: str, session: str | None) -> Entry | None:
    """What the event left at the key; None where that is nothing."""
    try:
        return ledger.get(key, at=event, session=session).entry
    except NotFoundError:
        return None


def _standing(ledger: Ledger, session: Session, key: str, done: Appended) -> Found | None:
    """What stands at the key, where that is not what was written: under some policies the greater value stays."""
    from ledger.core.policies.policy import text_of

    event = done.events[-1]
    if event.data.get("policy") not in _WEIGHING:
        return None
    try:
        found = ledger.get(key, session=session.id)
    except NotFoundError:  # deleted in between
        return None
    return None if text_of(found.entry.cell.value) == text_of(event.data["value"]) else found


def _beaten(key: str, found: Found) -> str:
    shown = cut(one_line(found.entry.cell.value), _SHOWN)
    return f"{shown} stands at {key}: {_WEIGHING.get(found.entry.policy, 'it was written since')}."
