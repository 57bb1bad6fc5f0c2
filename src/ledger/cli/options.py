"""Arguments and options that several commands share, each with its one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.cli.call import Call

Key = Annotated[str, typer.Argument(help="A key, such as auth/decision.", metavar="KEY", show_default=False)]
Rev = Annotated[str, typer.Argument(help="A REV; see `ledger --help`.", metavar="REV", show_default=False)]
At = Annotated[str | None, typer.Option("--at", help="The state at REV instead of now.", metavar="REV")]
Policy = Annotated[str | None, typer.Option("--policy", help="How writes to this key combine.", metavar="NAME")]
JsonValue = Annotated[str | None, typer.Option("--json-value", help="The value as JSON.", metavar="JSON")]
ValueFile = Annotated[
    Path | None, typer.Option("--file", help="The value from a file of YAML or JSON; - reads stdin.", metavar="FILE")
]
TextFile = Annotated[
    Path | None,
    typer.Option("--text-file", help="The value is the text of a file, exactly; - reads stdin.", metavar="FILE"),
]
Private = Annotated[bool, typer.Option("--private", help="In the session's own context, which only it sees.")]
Saw = Annotated[
    str | None,
    typer.Option(
        "--saw",
        help="The event (in full) that this write replaces, or 'none'; a write in between becomes a conflict.",
        metavar="EVENT",
    ),
]

REVS = (
    "A REV is an event or a commit (by its first characters), a session, a date (2026-11-20), "
    "a time (2026-11-20T15:00) or a while ago (2h ago)."
)


def _taken(context: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    # Given before or after the command's name, an option counts; what is not given takes nothing back.
    if value and isinstance(context.find_root().obj, Call):
        context.find_root().obj.options[param.name] = value
    return value


def _helped(context: typer.Context, value: bool) -> None:
    if value and not context.resilient_parsing:
        typer.echo(context.get_help())
        raise typer.Exit


def scoped(
    user: Annotated[
        bool,
        typer.Option(
            "--user",
            help="In the ledger of the user's own, which counts in every project.",
            callback=_taken,
            expose_value=False,
        ),
    ] = False,
) -> None:
    """The option of the commands that reach the user's own ledger too; a module that wants it says HAS_USER_SCOPE."""


def shared(
    as_json: Annotated[
        bool, typer.Option("--json", help="Answer with one JSON document.", callback=_taken, expose_value=False)
    ] = False,
    as_lines: Annotated[
        bool,
        typer.Option("--jsonl", help="Answer with JSON, one document a line.", callback=_taken, expose_value=False),
    ] = False,
    ledger: Annotated[
        str | None,
        typer.Option(
            help="The ledger's folder, instead of the project's own. [LEDGER_DIR]",
            metavar="PATH",
            callback=_taken,
            expose_value=False,
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(
            help="The session to act as: its id, by its first characters too, or the agent's own id. [LEDGER_SESSION]",
            metavar="ID",
            callback=_taken,
            expose_value=False,
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing beside the answer.", callback=_taken, expose_value=False)
    ] = False,
    show_help: Annotated[
        bool,
        typer.Option("--help", "-h", help="Show this and exit.", is_eager=True, callback=_helped, expose_value=False),
    ] = False,
) -> None:
    """The options of every command; each notes in the call what it was given."""
