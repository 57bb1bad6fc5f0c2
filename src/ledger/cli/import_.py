"""`ledger import`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.errors import once_written
from ledger.cli.lines import SHORT
from ledger.cli.output import Output
from ledger.cli.progress import progress
from ledger.cli.words import counted, size, visible
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.actions.import_transcripts import Imported, Rejected

Words = Annotated[
    list[str],
    typer.Argument(
        help="claude-code, codex or gemini, if only theirs are meant; then files, or folders that hold some.",
        metavar="[AGENT] PATH...",
        show_default=False,
    ),
]


_LISTED = 10  # lines not understood, and files passed over for one reason


def command(context: typer.Context, words: Words) -> None:
    """Take in the transcripts of past sessions of Claude Code, Codex and Gemini CLI.

    Whose a file is, its content tells. Secrets are replaced before anything is written; importing again adds
    nothing but what is new. What the ledger's rules refuse is set aside and told, and the exit code is then 1.
    """
    from ledger.actions.find import main_tip
    from ledger.actions.import_transcripts import import_transcripts, total_bytes

    agent, paths = _agent_and_paths(words)
    call = Call.of(context)
    with call.ledger() as ledger, progress("importing", is_wanted=not call.out.is_quiet) as show:
        total, done = total_bytes([path for path in paths if path.exists()]), 0

        def told(number: int) -> None:
            nonlocal done
            done += number
            show(done, total)

        imported = import_transcripts(ledger.place, paths, agent, told)
        commit = main_tip(ledger.place)[:SHORT] if imported.events else None
    with once_written(commit):
        call.out.answer(_document(imported), lambda: _page(call.out, imported))
    _say(call, imported)
    if imported.refused:
        raise typer.Exit(1)


def _agent_and_paths(words: list[str]) -> tuple[str | None, list[Path]]:
    from ledger.recording.transcripts import ADAPTERS

    agent = words[0] if words[0] in ADAPTERS else None
    if agent is None and len(words) > 1 and not Path(words[0]).exists() and Path(words[1]).exists():
        raise UsageError(
            f"{words[0]} is neither an agent nor a path", hint=f"the agents are {', '.join(sorted(ADAPTERS))}"
        )
    paths = [Path(word) for word in (words if agent is None else words[1:])]
    if not paths:
        raise UsageError("no file is named", hint=f"ledger import {agent} PATH...")
    return agent, paths


def _document(imported: Imported) -> dict[str, Any]:
    return {
        "events": imported.events,
        "skipped": imported.skipped,
        "rejected": [one._asdict() for one in imported.rejected],
        "sessions": imported.sessions,
        "bytes": imported.bytes,
        "passed_over": [{"file": file, "reason": reason} for file, reason in imported.passed_over.items()],
        "seconds": round(imported.seconds, 6),
    }


def _page(out: Output, imported: Imported) -> Iterator[str]:
    yield (
        f"{out.paint(counted(imported.events, 'event'), 'title')} from {counted(len(imported.sessions), 'session')}; "
        f"{imported.skipped:,} were there already; {size(imported.bytes)} of transcript kept"
    )


def _say(call: Call, imported: Imported) -> None:
    _say_rejected(call, "not understood", [one for one in imported.rejected if one.event is None], "lines")
    _say_rejected(call, "refused", imported.refused, "events")
    for reason, files in _by_reason(imported.passed_over).items():
        if len(files) == 1:
            call.out.words(f"passed over: {files[0]}: {reason}")
            continue
        call.out.words(f"passed over: {len(files):,} files: {reason}")
        for file in files[:_LISTED]:
            call.out.words(f"  {file}")
        if len(files) > _LISTED:
            call.out.words(f"  and {len(files) - _LISTED:,} more; --json lists them all")


def _say_rejected(call: Call, what: str, rejected: Sequence[Rejected], noun: str) -> None:
    for one in rejected[:_LISTED]:
        event = f"{one.event}: " if one.event else ""
        where = f"{visible(one.file)}:{one.line}"
        call.out.words(f"{what}: {where}: {event}{one.reason} (the line itself is kept)")
    if len(rejected) > _LISTED:
        call.out.words(f"{what}: {len(rejected) - _LISTED:,} more {noun}; --json lists them all")


def _by_reason(passed_over: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file, reason in passed_over.items():
        found.setdefault(reason, []).append(visible(file))
    return found
