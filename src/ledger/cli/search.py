"""`ledger search`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.filters import Agents, Authors, Keys, Mine, Paths, Since, Types, Until, wanted_of
from ledger.cli.lines import line_of
from ledger.cli.output import Output
from ledger.cli.progress import progress
from ledger.cli.words import cut, one_line, visible

if TYPE_CHECKING:
    from ledger.actions.search import Found

_INDENT = 4
_PROMPT = 120  # columns of a prompt where nothing else limits them

Words = Annotated[
    list[str],
    typer.Argument(help='Words; "two words" in this order, auth* a beginning, -word not at all.', metavar="WORDS..."),
]
Number = Annotated[int, typer.Option("-n", "--number", help="At most this many.", min=1, max=1000, metavar="N")]
Skip = Annotated[int, typer.Option("--skip", help="Without the first N.", min=0, metavar="N")]


def command(
    context: typer.Context,
    words: Words,
    number: Number = 10,
    skip: Skip = 0,
    types: Types = None,
    mine: Mine = False,
    agents: Agents = None,
    keys: Keys = None,
    paths: Paths = None,
    authors: Authors = None,
    since: Since = None,
    until: Until = None,
) -> int:
    """Find the events that hold all the words, those that fit best first, each with the prompt that led to it.

    Everything that was recorded is searched: prompts, answers, commands and what they printed, values, decisions.
    Private sessions are not. Exit code 1 where nothing is found.
    """
    from ledger.actions.search import search

    call = Call.of(context)
    out = call.out
    with call.ledger() as ledger:
        wanted = wanted_of(
            call,
            ledger,
            call.seen(ledger) if mine else None,
            types=types,
            agents=agents,
            keys=keys,
            paths=paths,
            authors=authors,
            since=since,
            until=until,
            words=" ".join(words),
        )
        with progress("indexing", is_wanted=not out.is_quiet) as show:
            found = search(ledger.place, wanted, number, skip, show)
    out.answer([_document(one) for one in found], lambda: _page(out, found, call.now()))
    if not found:
        out.words(f"Nothing{' more' if skip else ''} holds {wanted.words!r}.")
    return 0 if found else 1


def _document(one: Found) -> dict[str, Any]:
    prompt = one.prompt
    told = None if prompt is None else {"event": str(prompt.event.id), "text": prompt.event.data.get("text", "")}
    pieces = [{"text": text, "hit": is_hit} for text, is_hit in one.snippet]
    return documents.logged(one.logged) | {"rank": round(one.rank, 6), "snippet": pieces, "prompt": told}


def _page(out: Output, found: Sequence[Found], now: int) -> Iterator[str]:
    room = _PROMPT if out.width is None else out.width - _INDENT
    for one in found:
        yield line_of(out, one.logged, now)
        text = "".join(_marked(out, visible(piece), is_hit=is_hit) for piece, is_hit in one.snippet)
        yield " " * _INDENT + one_line(text)
        if one.prompt is not None:
            asked = f"asked: {one_line(visible(str(one.prompt.event.data.get('text', ''))))}"
            yield " " * _INDENT + out.paint(cut(asked, room), "time")


def _marked(out: Output, text: str, *, is_hit: bool) -> str:
    return out.paint(text, "title") if is_hit and out.has_colour else text
