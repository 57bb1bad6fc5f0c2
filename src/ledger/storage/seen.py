"""What was recorded already: the origins of events and the lines of transcripts, by session.

A projection: it can be deleted, and is then rebuilt from the history and the attachments. It exists so
that a fact is recorded once, whichever way it comes, without a search through the whole history.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self

from ledger.errors import StorageError
from ledger.storage.files import make_folder, refusals
from ledger.storage.store import Oid

_TABLES = """
create table if not exists head (oid text not null);
create table if not exists origin (session text, ref blob, primary key (session, ref)) without rowid;
create table if not exists line (session text, digest blob, times integer, primary key (session, digest)) without rowid;
create table if not exists attachment (session text, ref blob, primary key (session, ref)) without rowid;
create table if not exists file (digest blob primary key, facts integer) without rowid;
create table if not exists tail (path blob primary key, size integer, digest blob, is_over integer) without rowid;
"""


def digest(text: str | bytes) -> bytes:
    """16 bytes that stand for a ref or a line; what was redacted elsewhere is not kept here in clear either."""
    return hashlib.blake2b(
        text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, digest_size=16
    ).digest()


class Tailed(NamedTuple):
    """How far a growing transcript has been read: so many bytes, their digest, and whether that was its end."""

    size: int
    digest: bytes
    is_over: bool


class Seen:
    """What was recorded already; use it as a context manager: leaving it without an error keeps what was added.

    Leaving it raises StorageError where the disk refused.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._db = path, _open(path)

    def heads(self) -> list[Oid]:
        """The commits up to which all origins are in here."""
        return [str(row[0]) for row in self._db.execute("select oid from head")]

    def move_heads(self, oids: Iterable[Oid]) -> None:
        """Say that all origins up to these commits are in here."""
        self._db.execute("delete from head")
        self._db.executemany("insert into head values (?)", ((oid,) for oid in oids))

    def add_head(self, oid: Oid) -> None:
        """Say so of one more commit."""
        self._db.execute("insert into head values (?)", (oid,))

    def origins(self, session: str) -> set[bytes]:
        """The digests of the refs of everything recorded of a session."""
        return {row[0] for row in self._db.execute("select ref from origin where session = ?", (session,))}

    def add_origins(self, rows: Iterable[tuple[str, str]]) -> None:
        """Remember (session, ref) pairs."""
        self._db.executemany(
            "insert or ignore into origin values (?, ?)", ((session, digest(ref)) for session, ref in rows)
        )

    def lines(self, session: str) -> Counter[bytes]:
        """How often each line of a session's transcripts is kept already, by digest."""
        return Counter(dict(self._db.execute("select digest, times from line where session = ?", (session,))))

    def add_lines(self, session: str, ref: str, lines: Counter[bytes]) -> None:
        """Remember that the attachment of that ref keeps these lines that often; once, however often it is said."""
        added = self._db.execute("insert or ignore into attachment values (?, ?)", (session, digest(ref)))
        if not added.rowcount:
            return
        self._db.executemany(
            "insert into line values (?, ?, ?) on conflict do update set times = times + excluded.times",
            ((session, line, times) for line, times in lines.items()),
        )

    def facts_of_file(self, content: bytes) -> int | None:
        """How many facts a file with this digest held when it was read whole; None if it never was."""
        row = self._db.execute("select facts from file where digest = ?", (content,)).fetchone()
        return None if row is None else int(row[0])

    def add_file(self, content: bytes, facts: int) -> None:
        """Remember a file that was read whole."""
        self._db.execute("insert or replace into file values (?, ?)", (content, facts))

    def tail(self, path: str) -> Tailed | None:
        """How far the transcript at `path` has been read; None if it never was."""
        row = self._db.execute("select size, digest, is_over from tail where path = ?", (digest(path),)).fetchone()
        return None if row is None else Tailed(int(row[0]), bytes(row[1]), bool(row[2]))

    def add_tail(self, path: str, read: Tailed) -> None:
        """Remember how far a transcript has been read."""
        self._db.execute("insert or replace into tail values (?, ?, ?, ?)", (digest(path), *read))

    def keep(self) -> None:
        """Keep what was added so far."""
        self._db.commit()

    def close(self) -> None:
        """Forget what was not kept, and let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            if kind is None:
                self.keep()
            elif isinstance(error, sqlite3.Error):
                raise error
        except sqlite3.Error as fault:
            raise StorageError(f"{self._path}: {fault}", hint="it is rebuilt when it is removed") from fault
        finally:
            self.close()


def _open(path: Path) -> sqlite3.Connection:
    make_folder(path.parent)
    try:
        return _connect(path)
    except sqlite3.DatabaseError:
        # A projection that cannot be read is rebuilt, not mended: nothing is lost with it.
        with refusals(path):
            path.unlink(missing_ok=True)
        try:
            return _connect(path)
        except sqlite3.Error as fault:
            raise StorageError(f"{path}: {fault}") from fault


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30)
    try:
        # Not synced: after a power cut it may be gone, and is rebuilt.
        db.execute("pragma synchronous = off")
        db.executescript(_TABLES)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
