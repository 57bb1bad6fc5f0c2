"""The one place where errors become words and exit codes."""

from __future__ import annotations

import errno
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import ledger
from ledger.errors import LedgerError, StorageError, UsageError
from ledger.storage.files import HINTS

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
        code = _told(error)
        _let_go_of_what_cannot_be_printed()
    return code


@contextmanager
def once_written(commit: str | None) -> Iterator[None]:
    """Answer within this block, after a write: where the answer cannot be printed, the error names the commit."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as fault:
        if commit is None:
            raise
        reason = os.strerror(fault.errno) if fault.errno else str(fault)
        raise StorageError(
            f"written as {commit}; only the answer could not be printed: {reason}",
            hint=f"do not write it again; `ledger show {commit}` shows it",
        ) from fault


def say(text: str) -> None:
    """Write a line to standard error. Where nobody takes it, that changes neither the work nor its exit code."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:  # there is no other place to say it
        _sink(sys.stderr)


def tell(error: LedgerError) -> int:
    """Write an error of the family to standard error: what, why, and what to do next. Returns its exit code."""
    what, *why = error.message.splitlines() or [""]
    lines = [f"error: {_visible(what)}", *(_visible(line) for line in why)]
    if error.hint:
        lines.append(f"  hint: {_visible(error.hint)}")
    say(_without_secrets("\n".join(lines)))
    return error.exit_code


def _without_secrets(text: str) -> str:
    # An error quotes what it was given, and words on standard error end up in logs. Only here, as it takes 90 ms.
    try:
        from ledger.core.redaction import default_redactor

        return str(default_redactor().value(text))
    except (ImportError, OSError, MemoryError):  # out of files or memory: what went wrong is told, less what it quotes
        return re.sub("'[^']*'", "'…'", text)


def _told(error: Exception) -> int:
    if isinstance(error, LedgerError):
        return tell(error)
    if isinstance(error, OSError) and error.errno is not None:
        return tell(_of_system(error))
    say("\n".join(_report(error)))
    return 1


def _of_system(error: OSError) -> LedgerError:
    reason = os.strerror(error.errno or 0)
    what = f"{os.fsdecode(error.filename)}: {reason}" if error.filename else reason
    if error.errno in _DISK:
        return StorageError(what, hint=HINTS[error.errno])
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


def _visible(text: str) -> str:
    # A message may quote what somebody else wrote: it must not steer the terminal.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _let_go_of_what_cannot_be_printed() -> None:
    try:
        sys.stdout.flush()
    except OSError:  # told already, or the reader is gone
        _sink(sys.stdout)


def _leave_quietly() -> None:
    for stream in (sys.stdout, sys.stderr):
        _sink(stream)


def _sink(stream: TextIO) -> None:
    # Python flushes once more at its end: it would complain there, and end with a code of its own (120).
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, stream.fileno())
    except (OSError, ValueError):  # a stream without a file, as in tests
        return
    finally:
        os.close(sink)
