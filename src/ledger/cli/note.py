"""`ledger note`."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.intake import text_given
from ledger.cli.write import write

Text = Annotated[str, typer.Argument(help="What to remark.", metavar="TEXT", show_default=False)]
About = Annotated[
    str | None, typer.Option("--about", help="What it is about: a key, a file, anything.", metavar="TEXT")
]


def command(context: typer.Context, text: Text, about: About = None) -> None:
    """Leave a remark in the log."""
    from ledger.actions.append import Draft

    data = {"text": text_given(text, "text")}
    if about is not None:
        data["about"] = text_given(about, "subject")
    write(Call.of(context), lambda _: Draft("note.added", data))
