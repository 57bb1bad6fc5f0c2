"""The options by which events are chosen, shared by the commands that list or count them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.call import Call
from ledger.core.wanted import Wanted
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.api import Ledger

Several = list[str] | None

Types = Annotated[
    Several,
    typer.Option("--type", help="Only events of this type, or of its family (context.).", metavar="TYPE"),
]
Mine = Annotated[bool, typer.Option("--mine", help="Only the events of the session that --session names, or yours.")]
Agents = Annotated[Several, typer.Option("--agent", help="Only those of this agent.", metavar="AGENT")]
Keys = Annotated[Several, typer.Option("--key", help="Only those on this key, or below it.", metavar="KEY")]
Paths = Annotated[
    Several, typer.Option("--path", help="Only those that touch this file, or one in this folder.", metavar="PATH")
]
Authors = Annotated[
    Several, typer.Option("--author", help="Only where agent, session or machine has this in its name.", metavar="NAME")
]
Since = Annotated[str | None, typer.Option("--since", help="Only what happened then or later.", metavar="TIME")]
Until = Annotated[str | None, typer.Option("--until", help="Only what happened then or before.", metavar="TIME")]


def wanted_of(
    call: Call,
    ledger: Ledger,
    session: str | None,
    *,
    types: Several = None,
    agents: Several = None,
    keys: Several = None,
    paths: Several = None,
    authors: Several = None,
    since: str | None = None,
    until: str | None = None,
    words: str | None = None,
) -> Wanted:
    """The conditions that the options name; raises UsageError for a type that there is not, and for what is no time."""
    _require_types(ledger, types or ())
    return Wanted(
        sessions=() if session is None else (session,),
        agents=tuple(agents or ()),
        types=tuple(types or ()),
        keys=tuple(keys or ()),
        paths=tuple(paths or ()),
        authors=tuple(authors or ()),
        since=time_of(call, "since", since, starts_day=True),
        until=time_of(call, "until", until),
        words=words,
    )


def time_of(call: Call, option: str, text: str | None, *, starts_day: bool = False) -> int | None:
    """The moment that an option names, in microseconds since 1970; raises UsageError where it names none."""
    if text is None:
        return None
    from ledger.core.moment import moment_of

    moment = moment_of(text.strip().lower(), call.now(), starts_day=starts_day)
    if moment is None:
        raise UsageError(f"--{option} {text!r} is no time", hint="such as 2026-11-20, 2026-11-20T15:00, or '2h ago'")
    return moment


def _require_types(ledger: Ledger, wanted: Sequence[str]) -> None:
    """Refuse what can be no event's type here: those of the program count, those that the ledger declares, families."""
    if not wanted:
        return
    from difflib import get_close_matches

    from ledger.core.events import TYPES

    there = {*TYPES, *ledger.policy().get("types", {})}
    there |= {name[:at] for name in there for at, character in enumerate(name) if character == "."}
    unknown = [name for name in wanted if name.rstrip(".") not in there]
    if unknown:
        near = [match for name in unknown for match in get_close_matches(name, sorted(there), n=3)]
        raise UsageError(
            f"no event has the type {' or '.join(map(repr, unknown))}",
            hint=f"did you mean {' or '.join(near)}?" if near else "`ledger schema` and `ledger policy` list the types",
        )
