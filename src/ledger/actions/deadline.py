"""Deadline: work done in a process of its own, so that what hangs there hangs nobody else."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar, cast

from ledger.errors import BusyError, LedgerError, StorageError

Done = TypeVar("Done")

_LEAVING = 1.0  # seconds: a process that has told what it did ends by itself within a few ms


def within(seconds: float, work: Callable[[], Done]) -> Done:
    """What `work` gives back, done in a fork of this process; raises BusyError when `seconds` have passed.

    The git library can hang with the interpreter locked, where no thread and no signal ends it: a process can be
    killed. Raises the LedgerError that `work` raised, and StorageError where the process died.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(theirs, work))
    child.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            raise BusyError(
                f"it was not done within {seconds:g} s, and was stopped; what was done by then stands",
                hint="run it again, with a longer --deadline; `ledger verify --full` names an object that hangs",
            )
        done, error = ours.recv()
        child.join(_LEAVING)
    except EOFError as fault:
        raise StorageError("the process that did it died", hint="run it again: what was done stands") from fault
    finally:
        child.kill()
        child.join()
        ours.close()
    if error is not None:
        raise _raised(*error)
    return cast("Done", done)


def _work(theirs: Connection, work: Callable[[], object]) -> None:
    try:
        theirs.send((work(), None))
    except LedgerError as error:
        theirs.send((None, (error.message, error.hint, error.exit_code)))


def _raised(message: str, hint: str | None, exit_code: int) -> LedgerError:
    # The classes take different arguments; what a script relies on is the exit code, and that crosses over.
    error = LedgerError(message, hint=hint)
    error.exit_code = exit_code
    return error
