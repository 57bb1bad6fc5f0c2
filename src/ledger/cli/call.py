"""A call: one command as it was given, with its options, its environment, and the ledger that it is about."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ledger.cli.output import Form, Output
from ledger.cli.words import counted
from ledger.errors import LedgerError, NotFoundError, UsageError
from ledger.storage.spool import waiting

if TYPE_CHECKING:
    from ledger.actions.drain import Drained
    from ledger.actions.session import Session
    from ledger.api import Ledger, Sources

_PATIENCE = 2.0  # seconds that a call waits for somebody else who drains
_TAIL = (
    8 * 1024 * 1024
)  # bytes of a transcript that a call takes in on its way; more is left to the process behind hooks

# They begin or end a session whatever the shell's own has become, or stop a ledger that no session can be looked up in.
_ANY_SESSION = {"session start", "session resume", "session end", "off", "on", "pause", "unpause"}
# Nothing that they do depends on who asks: a shell whose session is not known here must not be kept from them.
_NO_SESSION = {
    *("backup", "doctor", "down", "du", "export json", "gc", "hooks install", "hooks status", "hooks uninstall"),
    *("import", "redact", "server-setup", "validate", "verify"),
}


@dataclass(slots=True)
class Call:
    """One command as it was given. Options count wherever they stand, before or after the command's name."""

    sources: Sources | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    options: dict[str, Any] = field(default_factory=dict)
    command: str = ""

    @classmethod
    def of(cls, context: typer.Context) -> Call:
        """The call that a command's context belongs to."""
        call = context.find_root().obj
        found = call if isinstance(call, cls) else cls()
        found.command = " ".join(_names(context))
        return found

    @property
    def form(self) -> Form:
        """The form of the answer."""
        return "jsonl" if self.options.get("as_lines") else "json" if self.options.get("as_json") else "human"

    @property
    def out(self) -> Output:
        """Where the answer goes."""
        is_terminal = sys.stdout.isatty()
        has_colour = is_terminal and not self.environment.get("NO_COLOR") and self.environment.get("TERM") != "dumb"
        return Output(self.form, bool(self.options.get("quiet")), has_colour, is_terminal)

    @property
    def folder(self) -> Path | None:
        """The ledger's folder as given by `--ledger` or LEDGER_DIR."""
        given = self.options.get("ledger") or self.environment.get("LEDGER_DIR")
        return Path(given).expanduser() if given else None

    @property
    def accepts_clock(self) -> bool:
        """Whether a clock that seems to have jumped is right after all."""
        return self.environment.get("LEDGER_ACCEPT_CLOCK") == "1"

    @property
    def is_for_user(self) -> bool:
        """Whether the call is about the ledger of the user's own."""
        return bool(self.options.get("user"))

    @contextmanager
    def ledger(self, *, only_reads: bool = False, settles: bool = False) -> Iterator[Ledger]:
        """The ledger that the call is about, open; raises NotALedgerError where there is none.

        Raises NotFoundError where the call acts as a session that never was there. What hooks captured is in it. That
        of the user's own is made for the first write; to who `only_reads` one that is not there is empty. Who `settles`
        sees sessions ended whose process went while they waited.
        """
        with self._users_own(only_reads=only_reads) if self.is_for_user else self._open() as ledger:
            self._tell_restored(ledger)
            self._drain(ledger, settles=settles)
            self._require_session(ledger)
            yield ledger

    def _open(self) -> Ledger:
        from ledger.api import open_ledger

        return open_ledger(self.folder, accepts_clock=self.accepts_clock, sources=self.sources)

    def _users_own(self, *, only_reads: bool) -> Ledger:
        from ledger.api import memory_ledger, user_folder, user_ledger

        if self.options.get("ledger"):
            raise UsageError("--user and --ledger name two ledgers", hint="leave one of them out")
        if only_reads and not user_folder().is_dir():
            return memory_ledger(sources=self.sources)
        return user_ledger(sources=self.sources)

    def writer(self, ledger: Ledger) -> Session:
        """The session in whose name the call writes: the one that was named, else the person's own."""
        named = self.named
        return ledger.person() if named is None else ledger.session_named(named)

    def reader(self, ledger: Ledger) -> str:
        """The id of the session whose own context the call sees beside what is shared: the one that would write."""
        from ledger.actions.roster import find_session
        from ledger.actions.tip import Author

        named = self.named
        return (Author.person(ledger.place) if named is None else find_session(ledger.place, named)).session

    def seen(self, ledger: Ledger) -> str:
        """The id of the session that the call is about, one that has ended too: what it did is there still."""
        from ledger.actions.roster import find_past

        try:
            return self.reader(ledger)
        except NotFoundError:
            past = find_past(ledger.place, self.named or "")
            if past is None:
                raise
            return past.author.session

    def _require_session(self, ledger: Ledger) -> None:
        is_free = self.command in _NO_SESSION and not self.options.get("session")
        if self.named is not None and not is_free and self.command not in _ANY_SESSION:
            self.seen(ledger)

    def now(self) -> int:
        """The time, in microseconds since 1970."""
        from ledger.api import system_sources

        return (self.sources or system_sources()).now()

    def _drain(self, ledger: Ledger, *, settles: bool) -> None:
        """Record what waits. Whatever comes of it, the call goes on: what was captured is safe, and can wait."""
        layout = ledger.place.layout
        if layout is None:
            return
        try:
            if waiting(layout):
                self._tell_drained(ledger.drain(wait=_PATIENCE, most_tail=_TAIL))
            elif settles:
                ledger.settle()
        except LedgerError as error:
            self.out.words(f"What hooks captured is not all recorded yet: {error.message}")
        except Exception as fault:  # noqa: BLE001 - what is wrong there must not keep anybody from reading
            self.out.words(f"What hooks captured is not all recorded yet: {type(fault).__name__}: {fault}")

    def _tell_drained(self, done: Drained) -> None:
        if done.rejected:
            self.out.words(f"{counted(done.rejected, 'captured payload')} could not be recorded: ledger doctor")

    def _tell_restored(self, ledger: Ledger) -> None:
        if ledger.restored is not None and ledger.restored.changed:
            done = ledger.restored
            brought = f"{counted(done.commits, 'commit')} and {counted(len(done.refs), 'ref')}"
            self.out.words(f"After an unclean stop: {brought} brought back.")
            for lost in done.lost:
                self.out.words(f"  not brought back: {lost}")
        if ledger.unrestored is not None:
            self.out.words(f"An unclean stop was noticed and not yet put right: {ledger.unrestored.message}")

    @property
    def named(self) -> str | None:
        """The session that the call names, by option or environment."""
        if self.is_for_user:
            return None  # the person writes, whichever of their agents runs the command
        return self.options.get("session") or self.environment.get("LEDGER_SESSION") or None


def _names(context: Any) -> list[str]:
    """The name of a command, with that of the one that it is a part of."""
    return [] if context.parent is None else [*_names(context.parent), str(context.info_name)]
