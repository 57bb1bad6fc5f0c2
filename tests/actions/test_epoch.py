"""The root of an epoch: its tree is the state that the stretch starts from, and its digest proves it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ledger.actions.epoch import state_digest
from ledger.actions.tip import Author, raw_commit
from ledger.actions.verify import Report, verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.core import canonical
from ledger.core.clock import next_id, stamp
from ledger.core.event import Event
from ledger.core.state import LEDGER
from ledger.storage.layout import MAIN, Layout


def test_the_digest_is_what_sha256sum_prints_of_what_sha256sum_prints() -> None:
    files = [("b", b"2"), ("a/c", b"1")]
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(files))
    assert state_digest(files) == hashlib.sha256(lines.encode()).hexdigest()
    assert state_digest(reversed(files)) == state_digest(files)


def new_epoch(ledger: Ledger, digest: str | None = None, said: int = 2) -> str:
    """Put main on a new root that carries the present state, as truncating does."""
    store = ledger.place.store
    old = store.ref(MAIN)
    assert old is not None
    before = store.commit(old).tree
    document = canonical.loads(store.read_file(before, LEDGER) or b"") | {"epoch": said}
    tree = store.edit_tree(before, {LEDGER: canonical.dumps(document).encode()})
    now = ledger.place.now()
    event = Event(
        id=str(next_id(now // 1000, None, 1)),
        type="epoch.started",
        v=1,
        session=ledger.person().id,
        time=stamp(now),
        data={"epoch": 2, "digest": digest or state_digest(store.files(tree)), "superseded": [old]},
    )
    root = store.write_commit(raw_commit(ledger.place, Author(event.session, "person"), event, (), tree))
    assert store.move_ref(MAIN, root, old)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ledger, _ = create_ledger(tmp_path / "ledger")
    with ledger:
        ledger.person().set("auth/decision", "device flow")
    # The witnesses of the old epoch, which a command that starts a new one replaces.
    Layout(tmp_path / "ledger").heads.unlink()
    for journal in Layout(tmp_path / "ledger").journal.iterdir():
        journal.unlink()
    return tmp_path / "ledger"


def verified(folder: Path) -> Report:
    with open_ledger(folder) as ledger:
        return verify(ledger.place, full=True)


def test_history_goes_on_from_the_state_of_its_epoch(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        new_epoch(ledger)
        ledger.person().set("auth/decision", "password", policy="lww")
        ledger.person().increment("tries", 2)
        assert ledger.get("auth/decision").entry.cell.value == "password"
    report = verified(folder)
    assert (report.ok, report.commits) == (True, 3)


def test_lines_of_one_epoch_merge_from_the_state_that_it_starts_from(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        new_epoch(ledger)
        one, two = ledger.session("agent", "one"), ledger.session("agent", "two")
        one.start()
        one.set("mine", "draft", scope="session")
        two.set("auth/decision", "password")
        one.publish()
        one.set("auth/reason", "fast")
    assert verified(folder).ok


def test_a_root_with_another_state_than_its_digest_names_is_found(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        root = new_epoch(ledger, digest="0" * 64)
    found = [(p.kind, p.commit) for p in verified(folder).problems]
    assert ("root", root) in found


def test_a_root_that_says_another_epoch_than_its_state_is_found(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        root = new_epoch(ledger, said=3)
    assert ("root", root, LEDGER) in [(p.kind, p.commit, p.path) for p in verified(folder).problems]
