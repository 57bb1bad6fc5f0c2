"""Pin where a session stands, with the code as it lies there, and have that code again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.errors import once_written
from ledger.cli.intake import text_given
from ledger.cli.output import Output, Style
from ledger.cli.progress import progress
from ledger.cli.words import ago, columns, counted, cut, size, visible
from ledger.core.clock import micros
from ledger.errors import RefusedError

if TYPE_CHECKING:
    from ledger.actions.append import Appended, Writer
    from ledger.actions.checkpoint import Append, Checkpoint
    from ledger.actions.put_back import PutBack
    from ledger.actions.session import Session
    from ledger.actions.tree_diff import TreeDiff
    from ledger.actions.working_tree import Saved
    from ledger.api import Ledger
    from ledger.storage.putting_back import Plan

Title = Annotated[str, typer.Option("--title", help="What is reached by now.", metavar="TEXT")]
WithTree = Annotated[
    bool | None,
    typer.Option("--worktree/--no-worktree", help="With the code of the working tree around here, or without."),
]
Of = Annotated[str | None, typer.Option("--of", help="Only those of that session.", metavar="SESSION")]
Number = Annotated[int, typer.Option("-n", "--number", help="At most this many.", metavar="N", min=0)]
Name = Annotated[str, typer.Argument(help="A checkpoint; see `ledger --help`.", metavar="REV", show_default=False)]
Other = Annotated[
    str | None, typer.Argument(help="Another one; without it, the files as they are now.", metavar="[REV]")
]
Patch = Annotated[bool, typer.Option("--patch", help="Show the lines that differ.")]
Paths = Annotated[
    list[str] | None, typer.Argument(help="Only these files, and what lies below these folders.", metavar="[PATH]...")
]
To = Annotated[Path | None, typer.Option("--to", help="Into that folder, where nothing is overwritten.", metavar="DIR")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this it is only shown, and nothing changes.")]

SHORT = 18  # characters of an id that tell events of one millisecond apart
_SHOWN = 40  # files that a page names
_STYLES: dict[str, Style] = {
    "added": "added",
    "write": "added",
    "deleted": "removed",
    "delete": "removed",
    "keep": "time",
}


def create(context: typer.Context, title: Title = "", worktree: WithTree = None) -> None:
    """Pin where the session stands, with the code as it lies there, and print the checkpoint's id.

    What was written since the last one is folded again and compared first. The code goes into the ledger's own
    folder, tracked files and untracked ones that are not ignored; what looks like a secret or exceeds 5 MiB is left
    out. The project's index, stash and refs are not touched.
    """
    from ledger.actions.checkpoint import BY_HAND, checkpoint

    call = Call.of(context)
    words = text_given(title, "title")
    with call.ledger() as ledger, progress("capturing", is_wanted=not call.out.is_quiet) as show:
        session, top = call.writer(ledger), _worktree(worktree)
        append = _append(session)
        made = checkpoint(ledger.place, session.author, BY_HAND, top, title=words, append=append, progress=show)
    with once_written(made.event[:SHORT]):
        call.out.answer(document(made), lambda: [made.event])
    call.out.words(_made(made))


def list_all(context: typer.Context, of: Of = None, number: Number = 50) -> None:
    """List the checkpoints, the newest first."""
    from itertools import islice

    from ledger.actions.checkpoint import list_checkpoints

    call = Call.of(context)
    with call.ledger() as ledger:
        session = None if of is None else _session(ledger, of)
        found = list(islice(list_checkpoints(ledger.place, session), number))
    call.out.answer([document(one) for one in found], lambda: _table(call.out, found, call.now()))
    if not found:
        call.out.words("No checkpoints yet. To make one: ledger checkpoint")


def show(context: typer.Context, name: Name) -> None:
    """Show a checkpoint: what its working tree holds, and what was left out of it."""
    from ledger.actions.checkpoint import find_checkpoint
    from ledger.actions.put_back import saved_in
    from ledger.actions.working_tree import size_of
    from ledger.errors import NotFoundError

    call = Call.of(context)
    with call.ledger() as ledger:
        found = find_checkpoint(ledger.place, name)
        saved, gone, total = None, "", 0
        try:
            saved = saved_in(ledger.place, found)
            total = size_of(ledger.place, saved)
        except NotFoundError as error:
            gone = error.message
    left = [] if saved is None else [one._asdict() for one in saved.skipped]
    more = {"kept": saved is not None, "size": total, "left_out": left}
    answer = document(found) | more | {"modules": {} if saved is None else dict(saved.modules)}
    call.out.answer(answer, lambda: _page(call.out, found, saved, gone, total, call.now()))


def diff(context: typer.Context, name: Name, other: Other = None, patch: Patch = False) -> int:
    """Show what became of the files of a checkpoint, in another one or as they are now.

    Exit code 0 says that nothing differs, 1 that something does.
    """
    from ledger.actions.checkpoint import find_checkpoint
    from ledger.actions.tree_diff import tree_diff

    call = Call.of(context)
    with call.ledger() as ledger:
        first = find_checkpoint(ledger.place, name)
        second = None if other is None else find_checkpoint(ledger.place, other)
        found = tree_diff(ledger.place, first, second, patch=patch)
    answer: dict[str, Any] = {"from": first.event, "to": second.event if second else None}
    answer |= {"files": [one._asdict() for one in found.files], "patch": found.patch}
    call.out.answer(answer, lambda: _difference(call.out, found))
    if not found.files:
        call.out.words("Nothing differs.")
    return 1 if found.files else 0


def restore(context: typer.Context, name: Name, paths: Paths = None, to: To = None, yes: Yes = False) -> int:
    """Have the files of a checkpoint again, where they were or in another folder.

    First it is only shown. With --yes a checkpoint of what is there now is made, and then it is done. A file whose
    present content no checkpoint saves, because it is ignored, looks like a secret or is too large, keeps all of it
    from being done: exit code 4; name other PATHs then. The project's index, HEAD, stash and refs are not touched.
    """
    from ledger.actions.checkpoint import find_checkpoint
    from ledger.actions.put_back import plan_putting_back, put_back

    call = Call.of(context)
    with call.ledger() as ledger, progress("restoring", is_wanted=not call.out.is_quiet) as show:
        found = find_checkpoint(ledger.place, name)
        among = [_from_top(found, path, to) for path in paths or ()]
        target = None if to is None else to.absolute()
        if not yes:
            plan = plan_putting_back(ledger.place, found, among, target)
            return _tell_plan(call, found, plan)
        session = call.writer(ledger)
        done = put_back(ledger.place, session.author, found, among, target, _append(session), show)
    return _tell_done(call, found, done)


def document(one: Checkpoint) -> dict[str, Any]:
    """A checkpoint as JSON."""
    return asdict(one)


def _append(session: Session) -> Append:
    def append(writer: Writer) -> Appended:
        return session.write([writer])

    return append


def _worktree(wanted: bool | None) -> Path | None:
    from ledger.storage.worktree import find_worktree

    if wanted is False:
        return None
    found = find_worktree(Path.cwd())
    if found is not None:
        return found.path
    return Path.cwd() if wanted else None


def _session(ledger: Ledger, name: str) -> str:
    from ledger.actions.roster import find_past, find_session
    from ledger.errors import NotFoundError

    try:
        return find_session(ledger.place, name).session
    except NotFoundError:
        past = find_past(ledger.place, name)
        if past is None:
            raise
        return past.author.session


def _from_top(found: Checkpoint, path: str, to: Path | None) -> str:
    """A path as seen from the top of the working tree, for whoever stands in it."""
    if to is not None or not found.path:
        return path
    absolute = Path(os.path.normpath(Path.cwd() / path))
    return str(absolute.relative_to(found.path)) if absolute.is_relative_to(found.path) else path


def _made(one: Checkpoint) -> str:
    words = f"{counted(one.events, 'event')} verified."
    if one.missing:
        return f"{words} Without the working tree: {one.missing}."
    if one.worktree is None:
        return f"{words} Without a working tree."
    left = f", {one.skipped} left out (`ledger checkpoint show` says why)" if one.skipped else ""
    return f"{words} {counted(one.files, 'file')} of {one.path}{left}; {size(one.bytes)} read anew."


def _table(out: Output, found: Sequence[Checkpoint], now: int) -> Iterator[str]:
    rows = [
        (
            one.event[:SHORT],
            ago(micros(one.time), now),
            one.session[:8],
            visible(one.reason),
            "" if one.worktree is None else counted(one.files, "file"),
            visible(one.title or one.missing),
        )
        for one in found
    ]
    for line in columns(rows):
        shown = line if out.width is None else cut(line, out.width)
        yield out.paint(shown[:SHORT], "id") + shown[SHORT:]


def _page(out: Output, one: Checkpoint, saved: Saved | None, gone: str, total: int, now: int) -> Iterator[str]:
    yield from columns([(out.paint(name, "time"), value) for name, value in _head(out, one, now) if value])
    if saved is None:
        yield from ("", visible(gone))
        return
    yield from ("", f"{counted(len(saved.entries), 'file')}, {size(total)}, in {saved.tree}")
    for path, commit in saved.modules.items():
        yield f"  submodule {visible(path)} at {commit[:10]}"
    for skipped in saved.skipped[:_SHOWN]:
        yield f"  {out.paint('left out', 'removed')} {visible(skipped.path)} ({size(skipped.size)}): {skipped.reason}"
    if len(saved.skipped) > _SHOWN:
        yield f"  … and {len(saved.skipped) - _SHOWN:,} more; --json names all"


def _head(out: Output, one: Checkpoint, now: int) -> Iterator[tuple[str, str]]:
    yield "checkpoint", out.paint(one.event, "id")
    yield "session", out.paint(one.session, "who")
    yield "time", f"{one.time} ({ago(micros(one.time), now)})"
    yield "reason", visible(one.reason)
    yield "title", visible(one.title)
    yield "verified", counted(one.events, "event")
    yield "path", visible(one.path)
    yield "head", one.head


def _difference(out: Output, found: TreeDiff) -> Iterator[str]:
    if found.patch is not None:
        yield from visible(found.patch).rstrip("\n").split("\n")
        return
    rows = [(one.how, visible(one.path), _lines(one.added, one.removed)) for one in found.files]
    for line, (how, *_) in zip(columns(rows), rows, strict=True):
        yield out.paint(how, _STYLES[how]) + line[len(how) :] if how in _STYLES else line


def _lines(added: int | None, removed: int | None) -> str:
    return "no text" if added is None or removed is None else f"+{added} -{removed}"


def _tell_plan(call: Call, found: Checkpoint, plan: Plan) -> int:
    call.out.answer(_planned(found, plan, done=False), lambda: _steps(call.out, plan))
    if plan.blocked:
        call.out.words("Nothing was changed, nor would it be: move these away, or name the PATHs that you want back.")
        return RefusedError.exit_code
    if plan.write or plan.delete:
        call.out.words(f"Nothing was changed in {plan.top}. To do it, give the same with --yes")
    else:
        call.out.words(f"Nothing to do: {plan.top} is so already.")
    return 0


def _tell_done(call: Call, found: Checkpoint, done: PutBack) -> int:
    plan = done.plan
    answer = _planned(found, plan, done=True)
    answer |= {"before": done.before.event if done.before else None, "left": [_text(path) for path, _ in done.left]}
    call.out.answer(answer, lambda: _steps(call.out, plan))
    for path, reason in done.left:
        call.out.words(f"Left as it is: {_text(path)}: {reason}")
    if done.before is not None:
        call.out.words(f"To take it back: ledger checkpoint restore {done.before.event[:SHORT]} --yes")
    if not (plan.write or plan.delete):
        call.out.words(f"Nothing to do: {plan.top} is so already.")
    return RefusedError.exit_code if done.left else 0


def _planned(found: Checkpoint, plan: Plan, *, done: bool) -> dict[str, Any]:
    return {
        "done": done,
        "checkpoint": found.event,
        "path": str(plan.top),
        "write": [_text(path) for path in plan.write],
        "delete": [_text(path) for path in plan.delete],
        "same": plan.same,
        "kept": [_text(path) for path in plan.kept],
        "blocked": [{"path": _text(path), "reason": reason} for path, reason in plan.blocked],
    }


def _steps(out: Output, plan: Plan) -> Iterator[str]:
    for what, paths in (("write", plan.write), ("delete", plan.delete), ("keep", plan.kept)):
        for path in paths[:_SHOWN]:
            yield f"{out.paint(what.ljust(8), _STYLES[what])}{visible(_text(path))}"
        if len(paths) > _SHOWN:
            yield f"{what.ljust(8)}… and {len(paths) - _SHOWN:,} more; --json names all"
    for path, reason in plan.blocked:
        yield f"{out.paint('blocked', 'removed')} {visible(_text(path))}: {reason}"


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


PARTS = {"create": create, "list": list_all, "show": show, "diff": diff, "restore": restore}
DEFAULT = "create"
