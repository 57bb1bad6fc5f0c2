"""`ledger off`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.intake import text_given
from ledger.errors import NotALedgerError, UsageError
from ledger.storage.layout import Layout
from ledger.storage.switches import NAMES, STOPPED, Switch, switches

if TYPE_CHECKING:
    from ledger.actions.append import Draft
    from ledger.actions.switch import Recorded, Switched

Name = Annotated[str, typer.Argument(help=f"One of {', '.join(NAMES)}.", metavar="SWITCH", show_default=False)]
Because = Annotated[str | None, typer.Option("--because", help="Why.", metavar="TEXT")]


def command(context: typer.Context, name: Name, because: Because = None) -> None:
    """Turn a part of the ledger off, for every process on this machine, at once and until it is turned on again.

    sync: what sessions share stays on their own lines, and main stands still. hooks: hooks record and answer nothing.
    remote: nothing is exchanged with other machines. all: nothing is written at all. Reading always works.
    """
    from ledger.actions.switch import switch_draft, turn_off

    call, layout = Call.of(context), layout_of(context, name)
    because = text_given(because, "reason") if because else None
    draft = switch_draft(name, on=False, because=because)
    done = turn_off(layout, account(call, name, because or ""), lambda: record(call, draft))
    answer(call, name, done, on=False)
    stopped = STOPPED[name]
    call.out.words(f"Off: {stopped}. Once it may go on: ledger on {name}" if done.changed else already(layout, name))


def layout_of(context: typer.Context, name: str) -> Layout:
    """Where the call's ledger lies, found without opening it: a switch must work where a ledger cannot be opened."""
    from ledger.storage import opening

    if name not in NAMES:
        raise UsageError(f"no such switch: {name}", hint=f"one of: {', '.join(NAMES)}")
    root = Call.of(context).folder or opening.find(Path.cwd())
    if root is None or not Layout(root).git_dir.is_dir():
        raise NotALedgerError(
            f"no ledger belongs to {Path.cwd()}" if root is None else f"{root} is not a ledger",
            hint="name the one you mean with --ledger",
        )
    return Layout(root)


def record(call: Call, draft: Draft) -> Recorded:
    """Write the event of a switch in the name of the call's session."""
    from ledger.actions.switch import Recorded

    with call.ledger() as ledger:
        session = call.writer(ledger)
        return Recorded(session.author, session.write([draft]))


def answer(call: Call, name: str, done: Switched, *, on: bool, more: dict[str, Any] | None = None) -> None:
    """Tell programs what was done; to people, why it could not be recorded."""
    why = done.unrecorded
    written = (
        {"session": None, "events": []}
        if done.recorded is None
        else documents.written(done.recorded.author.session, done.recorded.done)
    )
    document = {"switch": name, "on": on, "changed": done.changed, "unrecorded": None if why is None else why.message}
    call.out.answer(document | written | (more or {}), list)
    if why is not None:
        call.out.words(f"Not recorded: {why.message}")


def account(call: Call, name: str, because: str) -> Switch:
    """What is known of the switch before anything is recorded: not yet whether there is a session of that name."""
    from ledger.actions.tip import PERSON
    from ledger.api import system_sources
    from ledger.core.clock import stamp
    from ledger.core.ids import SessionId

    sources = call.sources or system_sources()
    who = ("", "") if call.named else (str(SessionId.of(PERSON, sources.person)), PERSON)
    return Switch(name, stamp(sources.now()), *who, because)


def already(layout: Layout, name: str) -> str:
    """Since when a switch is off, in words."""
    (there,) = (one for one in switches(layout) if one.name == name)
    return f"Already {there.words()}."
