"""The one place where errors become words and exit codes."""

from __future__ import annotations

import errno
import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import ledger
from ledger.errors import LedgerError, StorageError, UsageError

INTERRUPTED = 130

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_REFUSED = 4


class ReaderGoneError(Exception):
    """Whoever read our output has stopped reading, as `head` does."""


def guarded(work: Callable[[], int], environment: Mapping[str, str]) -> int:
    """Do the work and return its exit code; an error is told on standard error, with what to do next.

    A traceback is shown only where LEDGER_DEBUG=1 asks for it. A reader that stops reading is no error.
    """
    try:
        code = work()
        sys.stdout.flush()
    except (ReaderGoneError, BrokenPipeError):
        _leave_quietly()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - nobody is above this; what is unexpected is reported, not hidden
        if environment.get("LEDGER_DEBUG") == "1":
            _show_traceback()
        return _told(error)
    return code


def tell(error: LedgerError) -> int:
    """Write an error of the family to standard error: what, why, and what to do next. Returns its exit code."""
    what, *why = error.message.splitlines() or [""]
    lines = [f"error: {_visible(what)}", *(_visible(line) for line in why)]
    if error.hint:
        lines.append(f"  hint: {_visible(error.hint)}")
    _say(lines)
    return error.exit_code


def _told(error: Exception) -> int:
    if isinstance(error, LedgerError):
        return tell(error)
    if isinstance(error, OSError) and error.errno is not None:
        return tell(_of_system(error))
    _say(_report(error))
    return 1


def _of_system(error: OSError) -> LedgerError:
    reason = os.strerror(error.errno or 0)
    what = f"{os.fsdecode(error.filename)}: {reason}" if error.filename else reason
    if error.errno in _DISK:
        return StorageError(what, hint="make room, or choose another disk; what was acknowledged is safe")
    if error.errno in _FORBIDDEN:
        refused = LedgerError(what, hint="check who owns it, and its modes")
        refused.exit_code = _REFUSED
        return refused
    if error.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR):
        return UsageError(what, hint="check the path")
    return StorageError(what)


def _report(error: Exception) -> list[str]:
    """A few lines to paste into a report; neither arguments nor the error's own text, for they may hold secrets."""
    return [
        f"error: this is a fault of ledger itself: {type(error).__name__}",
        f"  at {_where(error)}",
        f"  ledger {ledger.__version__}, Python {platform.python_version()}, {platform.platform()}",
        "  hint: nothing that was acknowledged is lost. Please report these lines; "
        "LEDGER_DEBUG=1 shows more (look it through for secrets before you pass it on)",
    ]


def _where(error: Exception) -> str:
    trace, where = error.__traceback__, "?"
    while trace is not None:
        code = trace.tb_frame.f_code
        where = f"{'/'.join(Path(code.co_filename).parts[-2:])}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
    return where


def _show_traceback() -> None:
    import traceback

    traceback.print_exc()


def _say(lines: list[str]) -> None:
    try:
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        _leave_quietly()


def _visible(text: str) -> str:
    # A message may quote what somebody else wrote: it must not steer the terminal.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _leave_quietly() -> None:
    # Python flushes once more at its end, and would complain there.
    sink = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(sink, stream.fileno())
        except (OSError, ValueError):  # a stream without a file, as in tests
            continue
    os.close(sink)
