"""Launcher: the one program that all hooks on this machine run, and the commands by which they find it.

`<ledger>/hook` is written from `hooks/hook.sh`, with the ledger's path and the interpreter's in it, so that a hook
looks for nothing: no `ledger` on PATH (Debian has another program of that name), no module, no setting.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Collection, Mapping
from importlib.resources import files as resources
from pathlib import Path

from ledger.errors import InvalidError, Problem
from ledger.storage.files import make_folder, refusals, write_file
from ledger.storage.layout import Layout
from ledger.storage.spool import make, require_words

HOOK_MODE = 0o700

Hooks = Collection[tuple[str, str]]

_BLANK = re.compile(b"@([A-Z]+)@")
_TOOLS = ("dd", "mv", "sync")
_TRIAL = b"to be synced"
_SECONDS = 5.0

# How a hook in settings that a team shares finds the ledger, on each member's machine or nowhere: no path is in it,
# and no git is run (3 ms). In a linked worktree `.git` is a file that names the worktree's own git folder, in which
# `commondir` names the shared one. What belongs to somebody else is not run: a folder above may be open to all.
_FIND = (
    "d=${CLAUDE_PROJECT_DIR:-$PWD}; "
    'until [ -e "$d/.git" ] || [ -e "$d/.ledger" ] || [ "$d" = "${d%/*}" ]; do d=${d%/*}; done; '
    'g=$d/.git; [ -f "$g" ] && read -r _ g <"$g" && case $g in /*) ;; *) g=$d/$g;; esac; '
    'c=.; [ -f "$g/commondir" ] && read -r c <"$g/commondir"; case $c in /*) g=$c;; *) g=$g/$c;; esac; '
    'h=${LEDGER_DIR:-$g/ledger}/hook; [ -e "$h" ] || h=$d/.ledger/hook; '
)
_RUN = '[ -x "$h" ] && [ -O "$h" ] && exec "$h" "$@"; exit 0'


def equip(layout: Layout, python: str, answering: Hooks = (), of_leases: Hooks = ()) -> bool:
    """Write the ledger's launcher, and make what it needs; whether anything had to be written.

    `python` is the interpreter that has this program; `answering` the hooks, by agent and event, that print an
    answer, and `of_leases` those of them that can only speak of leases. Raises InvalidError for a hook that can have
    no name, StorageError where the ledger cannot be written.
    """
    for agent, event in (*answering, *of_leases):
        require_words(agent, event)
    wanted = _text(layout, python, {"ANSWERED": answering, "LEASES": of_leases})
    with refusals(layout.root):
        for folder in (layout.live, layout.beats):
            make_folder(folder)
        make(layout)
        if not layout.place_id.exists():
            write_file(layout.place_id, f"{secrets.token_hex(16)}\n".encode(), durable=True)
        if _is_there(layout.hook, wanted):
            return False
        write_file(layout.hook, wanted, durable=True, mode=HOOK_MODE)
    return True


def shared_command(agent: str, event: str) -> str:
    """The command for settings that a team shares: it names no machine's path, and is silent where no ledger is."""
    require_words(agent, event)
    return f"exec sh -c {shlex.quote(_FIND + _RUN)} ledger {agent} {event}"


def local_command(layout: Layout, agent: str, event: str) -> str:
    """The command for settings of one machine; it is silent once the ledger is gone.

    Raises InvalidError for a ledger whose path cannot be written in settings: it is no UTF-8.
    """
    require_words(agent, event)
    path = str(layout.hook.absolute())
    try:
        path.encode()
    except UnicodeEncodeError as error:
        rule = "is not UTF-8, and settings can hold nothing else"
        raise InvalidError(
            "this ledger's path cannot be written in settings:",
            [Problem(os.fsencode(path).decode(errors="replace"), rule)],
            hint="move the project to another path",
        ) from error
    return f"exec sh -c {shlex.quote('h=$0; ' + _RUN)} {shlex.quote(path)} {agent} {event}"


def _text(layout: Layout, python: str, patterns: Mapping[str, Hooks]) -> bytes:
    package = resources("ledger")
    tools = _tools(layout) or dict.fromkeys(_TOOLS, "")
    values = {
        "LEDGER": str(layout.root.absolute()),
        "PYTHON": python,
        "PACKAGE": str(package),
        **{name.upper(): path for name, path in tools.items()},
    }
    blanks = {name: os.fsencode(shlex.quote(value)) for name, value in values.items()}
    # Patterns of the shell: the words have no character that means anything in one.
    for name, hooks in patterns.items():
        blanks[name] = "|".join(sorted(f"{agent}~{event}" for agent, event in hooks)).encode() or b"''"
    template = (package / "hooks" / "hook.sh").read_bytes()
    return _BLANK.sub(lambda found: blanks[found[1].decode()], template)


def _tools(layout: Layout) -> dict[str, str] | None:
    """The programs by which the shell makes a payload safe; None where they are missing, or do not sync one file."""
    found = {name: shutil.which(name) or "" for name in _TOOLS}
    draft = layout.spool / "tmp" / f"trial~{secrets.token_hex(16)}"
    trial = [found["dd"], f"of={draft}", "bs=64k", "conv=fsync"]
    try:
        # Some programs called sync take no names, and sync everything: those say nothing of one that is not there.
        works = (
            all(found.values())
            and _ends_well(trial)
            and draft.read_bytes() == _TRIAL
            and _ends_well([found["sync"], str(draft)])
            and not _ends_well([found["sync"], f"{draft}-absent"])
        )
    finally:
        draft.unlink(missing_ok=True)
    return found if works else None


def _ends_well(command: list[str]) -> bool:
    ran = subprocess.run(command, input=_TRIAL, capture_output=True, timeout=_SECONDS, check=False)
    return ran.returncode == 0


def _is_there(path: Path, wanted: bytes) -> bool:
    try:
        return path.read_bytes() == wanted and path.stat().st_mode & 0o777 == HOOK_MODE
    except FileNotFoundError:
        return False
