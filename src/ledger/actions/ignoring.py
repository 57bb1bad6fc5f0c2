"""Ignoring: which paths' contents a project does not want kept, by the `.ledgerignore` where the agent works."""

from __future__ import annotations

from pathlib import Path

from ledger.recording.ignored import FILE, Covers
from ledger.storage.layout import Layout
from ledger.storage.worktree import find_worktree

_MOST = 256 * 1024  # bytes of such a file that are read


def covers_at(layout: Layout | None, folder: str = "") -> Covers | None:
    """What is ignored for somebody who works in `folder`, else in the project itself; None where nothing is.

    A file that cannot be read ignores everything: nobody may be kept from hiding something by a fault.
    """
    top = _top(layout, folder)
    if top is None:
        return None
    try:
        with (top / FILE).open("rb") as file:
            lines = file.read(_MOST).decode("utf-8", "replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return lambda _: True
    if not any(line.strip() and not line.lstrip().startswith("#") for line in lines):
        return None
    from ledger.recording.ignored import covering  # with it comes a library that most projects need not load

    return covering(lines, [str(top), str(top.resolve())])


def _top(layout: Layout | None, folder: str) -> Path | None:
    if folder.startswith("/") and "\0" not in folder:
        try:
            found = find_worktree(Path(folder))
        except OSError:
            found = None
        if found is not None:
            return found.path
    if layout is None:
        return None
    holder = layout.root.parent  # the project's git folder, or the project itself
    return holder.parent if holder.name == ".git" else holder
