"""The index of events: what is in it is found, all of it or none is added, and a broken file is said to be one."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.core.golden_events import EVENTS

from ledger.core.columns import NAMES, files_of, keys_of, row_of, words_of
from ledger.core.event import Event
from ledger.core.wanted import Wanted
from ledger.errors import StorageError, UsageError
from ledger.storage.event_index import BrokenIndexError, Entry, EventIndex, as_query, discard, snippets, stored
from ledger.storage.layout import Layout

HEAD = "f" * 40
CREATED = EVENTS["ledger.created"]


def oid(number: int) -> str:
    return f"{number:040x}"


def entry(event: Event, number: int, *, words: str | None = None) -> Entry:
    row = stored(row_of(event, oid(number), "claude-code", "laptop"))
    return Entry(row, tuple(keys_of(event)), tuple(files_of(event)), words_of(event) if words is None else words)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events" / "events.sqlite"


@pytest.fixture
def index(path: Path) -> EventIndex:
    made = EventIndex(path)
    made.add([entry(event, number) for number, event in enumerate(EVENTS.values())], [HEAD])
    return made


def test_it_shows_each_row_as_it_was_given(index: EventIndex) -> None:
    rows = index.db.execute(f"select {', '.join(NAMES)} from events order by commit_id").fetchall()
    assert rows == [row_of(event, oid(number), "claude-code", "laptop") for number, event in enumerate(EVENTS.values())]
    assert (index.count(), index.heads()) == (len(EVENTS), [HEAD])


def test_another_process_finds_what_was_added(index: EventIndex, path: Path) -> None:
    assert EventIndex(path).count() == index.count()
    assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0


def test_all_is_added_or_nothing(index: EventIndex, path: Path) -> None:
    def some() -> object:
        yield entry(CREATED, 900)
        raise KeyError("in the middle")

    before = index.count()
    with pytest.raises(KeyError):
        index.add(some(), [oid(900)])  # type: ignore[arg-type]
    assert (index.count(), index.heads()) == (before, [HEAD])
    index.add([entry(replace(CREATED, type="acme.new"), 901)], [oid(901)])
    assert list(EventIndex(path).find(Wanted(types=("acme",)))) == [oid(901)]


def test_of_one_fact_the_smallest_id_counts_whichever_came_first(path: Path) -> None:
    first, second = EVENTS["tool.completed"], EVENTS["tool.failed"]
    origin = {"source": "hook", "ref": "tool:toolu_01GJPbufm5xfEZWJe4W2HAPL"}
    facts = [replace(event, origin=origin) for event in (first, second)]
    for order in (facts, facts[::-1]):
        index = EventIndex.in_memory()
        for number, fact in enumerate(order):
            index.add([entry(fact, number)], [])
        assert index.db.execute("select id from events where counts = 1").fetchall() == [(first.id,)]


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("device flow", '("device" "flow")'),
        ('"device flow" auth*', '("device flow" "auth"*)'),
        ("flow -cookies", '("flow") NOT "cookies"'),
        ("a/b.py", '("a/b.py")'),
        ("OR AND NOT (", '("OR" "AND" "NOT")'),
        ('say "hi', '("say" "hi")'),
    ],
)
def test_whatever_is_typed_becomes_a_query(typed: str, query: str) -> None:
    assert as_query(typed) == query
    EventIndex.in_memory().search(Wanted(words=typed), 1)


@pytest.mark.parametrize("typed", ["", "  ", "-cookies", '"" ::', "*"])
def test_without_a_word_there_is_nothing_to_look_for(typed: str) -> None:
    with pytest.raises(UsageError, match="there is no word to look for"):
        as_query(typed)


def test_words_are_found_without_accents_and_in_any_case_and_those_that_fit_best_first(path: Path) -> None:
    index = EventIndex(path)
    texts = ["the café of snake_case", "other words", "cafe cafe CAFÉ"]
    index.add([entry(CREATED, n, words=text) for n, text in enumerate(texts)], [])
    assert [match.commit for match in index.search(Wanted(words="Café"), 5)] == [oid(2), oid(0)]
    assert [match.commit for match in index.search(Wanted(words="snake_case"), 5)] == [oid(0)]
    assert index.search(Wanted(words="case"), 5) == []
    assert index.search(Wanted(words="café -snake_case"), 5)[0].commit == oid(2)
    assert index.search(Wanted(words="cafe"), 1, 1)[0].commit == oid(0)


def test_a_snippet_shows_where_the_words_stand() -> None:
    text = f"{'before ' * 40}the device flow \ue000 it is {'after ' * 40}"
    (pieces,) = snippets([text], "device flow")
    shown = "".join(piece for piece, _ in pieces)
    assert "the device flow" in shown
    assert [piece for piece, is_hit in pieces if is_hit] == ["device", "flow"]
    assert len(shown) < 200
    assert snippets(["nothing of it"], "device") == [()]


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to look like one" * 40, b"SQLite format 3\0" * 99]
)
def test_a_file_that_is_none_is_said_to_be_broken(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(BrokenIndexError):
        EventIndex(path)


def test_somebody_elses_database_is_no_index(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as foreign:
        foreign.execute("create table theirs (a)")
    foreign.close()
    with pytest.raises(BrokenIndexError, match="format"):
        EventIndex(path)


def test_one_that_was_cut_is_said_to_be_broken(index: EventIndex, path: Path) -> None:
    index.db.execute("pragma wal_checkpoint(truncate)")
    index.close()
    path.write_bytes(path.read_bytes()[: 3 * 4096])
    with pytest.raises(BrokenIndexError):
        EventIndex(path).search(Wanted(words="flow"), 5)


def test_what_the_disk_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("in the way")
    with pytest.raises(StorageError):
        EventIndex(tmp_path / "events" / "events.sqlite")


def test_it_is_thrown_away_with_all_that_lies_beside_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.locks.mkdir()
    layout.index.mkdir()
    EventIndex(layout.events_index / "events.sqlite").add([entry(CREATED, 1)], [])
    discard(layout)
    assert list(layout.index.iterdir()) == []
    discard(layout)  # where there is none
