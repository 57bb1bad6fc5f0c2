"""Switches: parts of the ledger that somebody has turned off, for every process on this machine at once.

A switch that is off is a file in the folder `off`, and a folder that is not there says that everything is on: to look
costs one call of the system, and no answer is kept, so that a process that has been running for days notices with
its next operation. The file counts by its name alone; what it says is for people.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import NamedTuple

from ledger.errors import InvalidError, Problem, RefusedError
from ledger.storage.files import FILE_MODE, make_folder, refusals, sync_folder, write_file
from ledger.storage.layout import Layout

SYNC, HOOKS, REMOTE, ALL = "sync", "hooks", "remote", "all"
NAMES = (SYNC, HOOKS, REMOTE, ALL)

STOPPED = {
    SYNC: "sharing between sessions",
    HOOKS: "recording by hooks",
    REMOTE: "exchange with other machines",
    ALL: "every write",
}


class Switch(NamedTuple):
    """One switch that is off: since when (UTC), by whom, and why; "" where that is not known."""

    name: str
    time: str = ""
    session: str = ""
    agent: str = ""
    because: str = ""

    def words(self) -> str:
        """Since when it is off, by whom, and why, in a few words."""
        who = f", by {self.agent}" if self.agent else ""
        who += f" ({self.session[:8]})" if self.session else ""
        when = f" since {self.time[:19]}Z" if self.time else ""
        return f"off{when}{who}{f': {self.because}' if self.because else ''}"


def switches(layout: Layout) -> list[Switch]:
    """Every switch that is off, in the order of `NAMES`."""
    there = _names_off(layout)
    return [_read(layout, name) for name in NAMES if name in there]


def is_off(layout: Layout | None, name: str) -> bool:
    """Whether a switch is off, by itself or because everything is; never for a ledger in memory."""
    if layout is None:
        return False
    there = _names_off(layout)
    return name in there or ALL in there


def require_on(layout: Layout | None, name: str) -> None:
    """Raise RefusedError if a switch is off: it says since when, by whom, and how to turn it on."""
    if layout is None or not (there := _names_off(layout)):
        return
    stopping = ALL if ALL in there else name
    if stopping in there:
        raise RefusedError(
            f"{STOPPED[stopping]} is {_read(layout, stopping).words()}",
            hint=f"reading works; when the cause is gone: ledger on {stopping}",
        )


def require_name(name: str) -> None:
    """Raise InvalidError for what is no switch."""
    if name not in NAMES:
        raise InvalidError("there is no such switch:", [Problem(name, f"is none of: {', '.join(NAMES)}")])


def turn_off(layout: Layout, switch: Switch) -> bool:
    """Turn a switch off; False where it was off already, whose file then stays as it is.

    On a full disk its file may be empty: it counts all the same. Raises StorageError where no file can be made.
    """
    require_name(switch.name)
    if switch.name in _names_off(layout):
        return False
    path = layout.off / switch.name
    told = {name: text for name, text in switch._asdict().items() if text and name != "name"}
    with refusals(path):
        make_folder(layout.off)
        try:
            write_file(path, f"{json.dumps(told)}\n".encode(), durable=True)
        except OSError:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE))
        sync_folder(layout.root)
    return True


def turn_on(layout: Layout, name: str) -> bool:
    """Turn a switch on; False where it was on already. Raises StorageError where its file cannot be removed."""
    require_name(name)
    path = layout.off / name
    with refusals(path):
        try:
            (layout.off if name == ALL and layout.off.is_file() else path).unlink()
        except FileNotFoundError:
            return False
        with suppress(OSError):  # not empty: another switch is off
            layout.off.rmdir()
        sync_folder(layout.root)
    return True


def _names_off(layout: Layout) -> list[str]:
    try:
        return os.listdir(layout.off_path)  # noqa: PTH208 - looked at by every write: a Path costs more than the call
    except FileNotFoundError:
        return []
    except NotADirectoryError:  # made by hand, in need: then it means all
        return [ALL]


def _read(layout: Layout, name: str) -> Switch:
    try:
        told = json.loads((layout.off / name).read_bytes())
        texts = {field: str(told.get(field, "")) for field in Switch._fields if field != "name"}
    except (OSError, ValueError, AttributeError):
        return Switch(name)  # cut short, or written by somebody else: it is off all the same
    return Switch(name, **texts)
