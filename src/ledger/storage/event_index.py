"""The event index: every event as a row, and every word in it, in one SQLite file beside the ledger.

A projection: it can be deleted at any time and is built again from the commits. Many read it while one extends it
(write-ahead log); what an interrupted writer had begun is not there. Texts of which few differ are kept once, in
`name`, and ids as bytes; the view `events` shows them as `core.columns` tells.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from ledger.core.columns import COLUMNS, Column, Row, Value
from ledger.core.wanted import Wanted, is_below, is_in_family, is_part, is_within
from ledger.errors import BusyError, StorageError, UsageError
from ledger.storage.files import make_folder, refusals
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock
from ledger.storage.store import Oid

_IDS = {"id", "replaces"}
_HEX = {"commit_id", "origin", "value_digest", "input_digest"}
_AUTHOR = ("agent", "session", "host")
_CACHE = -65_536  # kibibytes
_PATIENCE = 30.0  # seconds that one who writes waits for another
_READING = 5.0  # seconds that a reader may take before the index is thrown away under it
_IN_MEMORY = ":memory:"
_AROUND = 16  # words of a snippet
_BEGIN, _END = "\ue000", "\ue001"  # characters that mean nothing, around each word that was looked for

Pieces = tuple[tuple[str, bool], ...]

TOKENS = "unicode61 remove_diacritics 2 tokenchars '_'"
_TERM = re.compile(r'(-?)(?:"([^"]*)"|([^\s"*]+))(\*?)')


Stored = tuple[Value | bytes, ...]


class Entry(NamedTuple):
    """What the index keeps of one event: its row, the keys and files that it names, and its words."""

    row: Stored
    keys: tuple[str, ...]
    files: tuple[str, ...]
    words: str


def stored(row: Row) -> Stored:
    """A row as the index keeps it, but for the texts of which there are few: ids as bytes."""
    values: list[Value | bytes] = list(row)
    for at in _BYTES:
        text = values[at]
        if text is not None:
            values[at] = bytes.fromhex(str(text).replace("-", ""))
    return tuple(values)


class Match(NamedTuple):
    """An event that a search found: its commit, and how well it fits; the less the better."""

    commit: Oid
    rank: float


class BrokenIndexError(StorageError):
    """The index is damaged, or none of ours: `discard` it, and build it again."""


class EventIndex:
    """The index in the file `path`, which is made where there is none; `:memory:` is one for this process alone.

    Every verb raises BrokenIndexError where the file is not what it should be, StorageError where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._names = path, dict[tuple[str, str], int]()
        if path.name != _IN_MEMORY:
            make_folder(path.parent)
        with _faults(path):
            self.db = _connect(path)

    @classmethod
    def in_memory(cls) -> Self:
        """An index for this process alone."""
        return cls(Path(_IN_MEMORY))

    def heads(self) -> list[Oid]:
        """The commits up to which all events are in here."""
        return [bytes(row[0]).hex() for row in self._rows("select oid from head")]

    def count(self) -> int:
        """How many events are in here."""
        return int(next(self._rows("select count(*) from event"))[0])

    def add(self, entries: Iterable[Entry], heads: Iterable[Oid]) -> None:
        """Add events, parents first, and say up to which commits all are in here now: all of it, or nothing."""
        with self._writing():
            first = self._next()
            rows, keys, files, words = [], [], [], []
            for number, entry in enumerate(entries, start=first):
                rows.append((number, *self._named(entry.row)))
                keys += [
                    (self._names.get(("key_name", key)) or self._name("key_name", key), number) for key in entry.keys
                ]
                files += [(self._names.get(("file", path)) or self._name("file", path), number) for path in entry.files]
                words.append((number, entry.words))
            self.db.executemany(_INSERT, rows)
            self.db.executemany("insert or ignore into event_key values (?, ?)", keys)
            self.db.executemany("insert or ignore into event_file values (?, ?)", files)
            self.db.executemany("insert into word (rowid, words) values (?, ?)", words)
            self.db.execute(_BEATEN_NOW, (first,))
            self.db.execute(_BEATEN_BEFORE, (first, first))
            self.db.execute("delete from head")
            self.db.executemany("insert or ignore into head values (?)", [(bytes.fromhex(oid),) for oid in heads])

    def find(self, wanted: Wanted, limit: int | None = None) -> Iterator[Oid]:
        """The commits whose events fulfil every condition, the newest first."""
        where, values = self._where(wanted)
        most = "" if limit is None else f" limit {limit}"
        order = "order by e.recorded_us desc, e.n desc"
        for (oid,) in self._rows(f"select e.commit_id from event e where {where} {order}{most}", values):
            yield bytes(oid).hex()

    def search(self, wanted: Wanted, limit: int, offset: int = 0) -> list[Match]:
        """The events that hold the words and fulfil the other conditions, those that fit best first."""
        where, values = self._where(replace(wanted, words=None))
        found = self._rows(
            "select e.commit_id, bm25(word) from word join event e on e.n = word.rowid"
            f" where word match ? and {where} order by bm25(word), e.recorded_us desc limit ? offset ?",
            [as_query(wanted.words or ""), *values, limit, offset],
        )
        return [Match(bytes(oid).hex(), float(rank)) for oid, rank in found]

    def prompt_before(self, commit: Oid) -> Oid | None:
        """The commit of the last prompt of the same session before an event; None where there is none."""
        found = self._rows(
            "select p.commit_id from event e join event p on p.session = e.session and p.recorded_us <= e.recorded_us"
            " where e.commit_id = ? and p.n < e.n and p.type = (select n from name where what = 'type' and text = ?)"
            " order by p.recorded_us desc, p.n desc limit 1",
            (bytes.fromhex(commit), "prompt.submitted"),
        )
        return next((bytes(oid).hex() for (oid,) in found), None)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with _faults(self._path):
            self.db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._names.clear()  # what was added to them is not there
                with suppress(sqlite3.Error):
                    self.db.execute("rollback")
                raise
            self.db.execute("commit")

    def _rows(self, sql: str, values: Sequence[Value | bytes] = ()) -> Iterator[tuple[Any, ...]]:
        with _faults(self._path):
            yield from self.db.execute(sql, values)

    def _next(self) -> int:
        return int(self.db.execute("select coalesce(max(n), 0) + 1 from event").fetchone()[0])

    def _named(self, row: Stored) -> list[Value | bytes]:
        """The row with a number in place of each text of which there are few."""
        values = list(row)
        for at, name in _FEW:
            text = values[at]
            if isinstance(text, str):
                values[at] = self._names.get((name, text)) or self._name(name, text)
        return values

    def _name(self, what: str, text: str) -> int:
        self.db.execute("insert or ignore into name (what, text) values (?, ?)", (what, text))
        known = self._names[what, text] = int(self.db.execute(_NAMED, (what, text)).fetchone()[0])
        return known

    def _where(self, wanted: Wanted) -> tuple[str, list[Value]]:
        """The conditions in SQL. Which names fulfil one is found out first: there are few of them beside the events."""
        parts, values = ["1"], list[Value]()
        for column, chosen in (("session", wanted.sessions), ("agent", wanted.agents)):
            if chosen:
                parts.append(f"e.{column} in ({self._numbers(column, chosen, str.__eq__)})")
        if wanted.types:
            parts.append(f"e.type in ({self._numbers('type', wanted.types, is_in_family)})")
        if wanted.keys:
            numbers = self._numbers("key_name", wanted.keys, is_below)
            parts.append(f"e.n in (select n from event_key where key in ({numbers}))")
        if wanted.paths:
            numbers = self._numbers("file", wanted.paths, is_within)
            parts.append(f"e.n in (select n from event_file where file in ({numbers}))")
        if wanted.authors:
            anyhow = (self._numbers(column, wanted.authors, _holds) for column in _AUTHOR)
            parts.append("(" + " or ".join(f"e.{c} in ({n})" for c, n in zip(_AUTHOR, anyhow, strict=True)) + ")")
        for sign, moment in ((">=", wanted.since), ("<=", wanted.until)):
            if moment is not None:
                parts.append(f"e.time_us {sign} ?")
                values.append(moment)
        if wanted.words is not None:
            parts.append("e.n in (select rowid from word where word match ?)")
            values.append(as_query(wanted.words))
        return " and ".join(parts), values

    def _numbers(self, what: str, wanted: Sequence[str], fits: Callable[[str, str], bool]) -> str:
        named = self._rows("select n, text from name where what = ?", (what,))
        return ", ".join(str(number) for number, text in named if any(fits(str(text), one) for one in wanted))


def as_query(text: str) -> str:
    """What a person typed, as a query of FTS5: all words have to be there.

    `"two words"` in this order, `auth*` as a beginning, and `-word` not at all. Raises UsageError where nothing is
    left to look for.
    """
    wanted, unwanted = list[str](), list[str]()
    for minus, phrase, word, star in _TERM.findall(text):
        term = (phrase or word).replace('"', "")
        if any(character.isalnum() or character == "_" for character in term):
            (unwanted if minus else wanted).append(f'"{term}"{star}')
    if not wanted:
        raise UsageError(f"there is no word to look for in {text!r}", hint="name one that has to be there")
    return " ".join([f"({' '.join(wanted)})", *(f"NOT {term}" for term in unwanted)])


def _holds(name: str, part: str) -> bool:
    return is_part(part, name)


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as fault:
        raise StorageError(f"{path}: {fault}", hint="it is built again when it is removed") from fault
    except sqlite3.DatabaseError as fault:
        raise BrokenIndexError(f"{path}: {fault}", hint="it is built again when it is removed") from fault


def snippets(texts: Sequence[str], words: str) -> list[Pieces]:
    """Of each text the stretch in which the words stand closest, in pieces, each with whether it is one of them."""
    with closing(sqlite3.connect(_IN_MEMORY)) as db:
        db.execute(f'create virtual table word using fts5 (words, tokenize="{TOKENS}")')
        plain = str.maketrans("", "", _BEGIN + _END)
        db.executemany("insert into word (rowid, words) values (?, ?)", enumerate(t.translate(plain) for t in texts))
        sql = "select rowid, snippet(word, 0, ?, ?, '…', ?) from word where word match ?"
        found = dict(db.execute(sql, (_BEGIN, _END, _AROUND, as_query(words))).fetchall())
    return [tuple(_pieces(found.get(number, ""))) for number in range(len(texts))]


def _pieces(marked: str) -> Iterator[tuple[str, bool]]:
    for part in marked.split(_BEGIN):
        hit, ends, rest = part.rpartition(_END)
        if ends:
            yield hit, True
        if rest:
            yield rest, False


def discard(layout: Layout) -> None:
    """Throw the index away, with all that is in it. Whoever reads it is waited for, but not for ever."""
    gone = layout.index / f"events.gone.{os.getpid()}"
    with ExitStack() as stack, refusals(layout.events_index):
        with suppress(BusyError):
            stack.enter_context(Lock(layout.index_lock).hold(_READING))
        with suppress(FileNotFoundError):
            layout.events_index.rename(gone)
        for left in layout.index.glob("events.gone.*"):
            shutil.rmtree(left, ignore_errors=True)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(str(path), timeout=_PATIENCE, isolation_level=None)
    try:
        db.execute("pragma journal_mode = wal")
        # A power cut may take the last transactions, and leaves those before them whole.
        db.execute("pragma synchronous = normal")
        db.execute(f"pragma cache_size = {_CACHE}")
        found = db.execute("pragma user_version").fetchone()[0]
        if found != _VERSION:
            if found or db.execute("select count(*) from sqlite_schema").fetchone()[0]:
                raise sqlite3.DatabaseError(f"it has format {found}, not {_VERSION}")
            db.executescript(_TABLES)
        db.execute("select oid from head").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db


def _shown(column: Column) -> str:
    """How the view `events` shows a column."""
    name = column.name
    if column.few:
        return f"t_{name}.text as {name}"
    if name in _IDS:
        cuts = "||'-'||".join(f"substr(lower(hex(e.{name})), {at}, {size})" for at, size in _UUID)
        return f"case when e.{name} is not null then {cuts} end as {name}"
    return f"lower(nullif(hex(e.{name}), '')) as {name}" if name in _HEX else f"e.{name} as {name}"


_FEW = [(at, column.name) for at, column in enumerate(COLUMNS) if column.few]
_BYTES = [at for at, column in enumerate(COLUMNS) if column.name in _IDS | _HEX]
_UUID = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
_KINDS = {"text": "", "integer": "integer", "real": "real"}
_FIELDS = ", ".join(f"{c.name} {'integer' if c.few else _KINDS[c.kind]}" for c in COLUMNS)
_JOINS = " ".join(f"left join name as t_{c.name} on t_{c.name}.n = e.{c.name}" for c in COLUMNS if c.few)
_SHOWN = ", ".join([*map(_shown, COLUMNS), "e.counts as counts"])
_SCRIPT = f"""
create table head (oid blob primary key) without rowid;
create table name (n integer primary key, what text not null, text text not null, unique (what, text));
create table event (n integer primary key, {_FIELDS}, counts integer not null default 1);
create index event_recorded on event (recorded_us);
create index event_type on event (type, recorded_us);
create index event_session on event (session, recorded_us);
create index event_origin on event (origin) where origin is not null;
create table event_key (key integer not null, n integer not null, primary key (key, n)) without rowid;
create table event_file (file integer not null, n integer not null, primary key (file, n)) without rowid;
create virtual table word using fts5 (words, content='', tokenize="{TOKENS}");
create view events as select {_SHOWN} from event e {_JOINS};
create view event_keys as select {_SHOWN}, named.text as handed_key
    from event_key k join name named on named.n = k.key join event e on e.n = k.n {_JOINS};
create view event_files as select {_SHOWN}, named.text as path
    from event_file f join name named on named.n = f.file join event e on e.n = f.n {_JOINS};
"""
# What changes here changes the number: an index of another number is made anew.
_VERSION = zlib.crc32(_SCRIPT.encode()) & 0x7FFF_FFFF
_TABLES = f"begin; {_SCRIPT} pragma user_version = {_VERSION}; commit;"

_NAMED = "select n from name where what = ? and text = ?"
_INSERT = f"insert into event values ({', '.join('?' * (len(COLUMNS) + 1))}, 1)"
# Of what two machines both recorded, or a fork repeats, the smallest id counts.
_BEATEN_NOW = """
update event set counts = 0 where n >= ? and origin is not null
and exists (select 1 from event o where o.origin = event.origin and o.id < event.id)
"""
_BEATEN_BEFORE = """
update event set counts = 0 where counts = 1 and n in (
    select o.n from event e join event o on o.origin = e.origin and o.id > e.id and o.n < ?
    where e.n >= ? and e.origin is not null)
"""
