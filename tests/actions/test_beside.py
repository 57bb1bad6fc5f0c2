"""Beside: bundles and backups are searched as the repositories are, and what cannot be read counts as holding it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.actions.backup import back_up
from ledger.actions.beside import files_beside
from ledger.actions.tip import Author, event_of
from ledger.actions.truncate import truncate
from ledger.api import Ledger, create_ledger
from ledger.core.forgetting import Forgetting
from ledger.storage.layout import MAIN


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made, _ = create_ledger(tmp_path / "ledger")
    with made:
        me = made.session("agent", "one")
        me.set("auth/login", "sesame")
        me.increment("tries", 2)
        yield made


def beside(ledger: Ledger, backups: Path | None = None, **what: object) -> list[str]:
    forgetting = Forgetting("it leaked", **what)  # type: ignore[arg-type]
    return [path.name for path in files_beside(ledger.layout, forgetting, backups)]


def id_of(ledger: Ledger, key: str) -> str:
    main = [ledger.place.store.ref(MAIN) or ""]
    events = [event_of(commit) for commit in ledger.place.store.walk(main)]
    return next(event.id for event in events if event.data.get("key") == key)


@pytest.fixture
def bundle(ledger: Ledger) -> Path:
    """What an earlier epoch left behind."""
    made = truncate(ledger.place, Author.person(ledger.place), "main").bundle
    assert made is not None
    return made


def test_a_bundle_with_a_forgotten_event_is_found_by_id_key_and_text(ledger: Ledger) -> None:
    written, counted = id_of(ledger, "auth/login"), id_of(ledger, "tries")
    made = truncate(ledger.place, Author.person(ledger.place), "main").bundle
    assert made is not None
    found = [made.name]
    assert beside(ledger, ids=frozenset({written})) == found
    assert beside(ledger, ids=frozenset({counted})) == found  # though an increment has no text to forget
    assert beside(ledger, keys=frozenset({"auth/login"})) == found
    assert beside(ledger, texts=(re.compile("sesame"),)) == found


def test_a_bundle_with_none_of_it_stays(ledger: Ledger, bundle: Path) -> None:
    assert bundle.exists()
    assert beside(ledger, keys=frozenset({"other"})) == []
    assert beside(ledger, ids=frozenset({"00000000-0000-7000-8000-000000000000"})) == []
    assert beside(ledger, texts=(re.compile("never said"),)) == []


def test_a_bundle_that_cannot_be_read_counts_as_holding_it(ledger: Ledger, bundle: Path) -> None:
    bundle.chmod(0o600)
    bundle.write_bytes(bundle.read_bytes()[:-40])
    assert beside(ledger, keys=frozenset({"other"})) == [bundle.name]


def test_a_backup_is_found_by_its_events_and_its_files(ledger: Ledger, tmp_path: Path) -> None:
    made = back_up(ledger.place, tmp_path / "backups" / "one")
    assert beside(ledger, tmp_path / "backups", keys=frozenset({"auth/login"})) == [made.folder.name]
    assert beside(ledger, tmp_path / "backups", keys=frozenset({"other"})) == []
    (made.folder / "notes.txt").write_text("say swordfish")
    assert beside(ledger, tmp_path / "backups", texts=(re.compile("swordfish"),)) == [made.folder.name]
