"""A clone goes over to a later epoch with all that is its own, and what was forgotten or cut does not come back."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from tests.actions.git import Git
from tests.actions.test_forget import SECRET, forgotten, holding, logged

from ledger.actions.bring import Brought, bring
from ledger.actions.epoch import epoch_of
from ledger.actions.replay import replay
from ledger.actions.tip import Author
from ledger.actions.truncate import truncate
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.errors import RefusedError
from ledger.storage.layout import MAIN

Clones = tuple[Ledger, Ledger, Ledger]


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Three clones of one ledger with a secret in it; each has then written something of its own."""
    with create_ledger(tmp_path / "a")[0] as ledger:
        me = ledger.session("agent", "one")
        me.start()
        me.set("auth/phrase", SECRET)
        me.increment("tries", 2)
        me.note(f"say {SECRET}")
    for name in ("b", "c"):
        shutil.copytree(tmp_path / "a", tmp_path / name)
    for name in ("a", "b", "c"):
        with open_ledger(tmp_path / name) as ledger:
            mine = ledger.session("agent", f"in-{name}")
            mine.start()
            mine.set(f"from/{name}", name)
            mine.increment("tries", 1)
            mine.set("own", name, scope="session")
    return [tmp_path / name for name in ("a", "b", "c")]


def fetched(to: Path, source: Path) -> str:
    git = Git(to / "ledger.git")
    git("fetch", "-q", str(source / "ledger.git"), f"+{MAIN}:refs/remotes/other/main")
    return git("rev-parse", "refs/remotes/other/main")


def bring_from(source: Path, to: Path) -> Brought:
    tip = fetched(to, source)
    with open_ledger(to) as ledger:
        return bring(ledger.place, Author.person(ledger.place), tip)


def exchange(folders: list[Path]) -> None:
    """Everybody brings what the one before has, twice around."""
    for here, there in [*zip(folders, folders[1:] + folders[:1], strict=True)] * 2:
        bring_from(here, there)


def tree(folder: Path) -> str:
    with open_ledger(folder) as ledger:
        store = ledger.place.store
        return store.commit(store.ref(MAIN) or "").tree


def proved(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        report = verify(ledger.place, full=True)
        assert report.ok, report.problems
        assert replay(ledger.place).ok


def test_what_was_forgotten_in_one_clone_is_gone_from_all_once_they_have_exchanged(folders: list[Path]) -> None:
    exchange(folders)
    with open_ledger(folders[0]) as ledger:
        forgotten(ledger, texts=(SECRET,))
    for folder in folders[1:]:
        assert holding(folder, SECRET)
        with open_ledger(folder) as ledger:
            ledger.session("agent", f"late-{folder.name}").increment("tries", 1)
        assert bring_from(folders[0], folder).epoch == 2
    exchange(folders)
    for folder in folders:
        assert holding(folder, SECRET) == []
        proved(folder)
    assert len({tree(folder) for folder in folders}) == 1
    with open_ledger(folders[0]) as ledger:
        assert ledger.get("tries").entry.cell.value == 2 + 3 + 2
        assert [ledger.get(f"from/{name}").entry.cell.value for name in "abc"] == ["a", "b", "c"]


def test_what_a_clone_never_shared_comes_along(folders: list[Path]) -> None:
    a, b, _ = folders
    with open_ledger(a) as ledger:
        forgotten(ledger, texts=(SECRET,))
    done = bring_from(a, b)
    assert (done.epoch, done.is_fast_forward) == (2, False)
    with open_ledger(b) as ledger:
        assert ledger.get("from/b").entry.cell.value == "b"
        assert ledger.get("tries").entry.cell.value == 4
        assert ledger.session("agent", "in-b").get("own").entry.cell.value == "b"
    assert holding(b, SECRET) == []
    proved(b)


def test_the_old_history_cannot_be_brought_in_again(folders: list[Path]) -> None:
    a, b, _ = folders
    with open_ledger(a) as ledger:
        forgotten(ledger, texts=(SECRET,))
        ids = [event.id for event in logged(ledger)]
    with pytest.raises(RefusedError, match="of epoch 1, and this ledger is in epoch 2"):
        bring_from(b, a)
    with open_ledger(a) as ledger:
        assert [event.id for event in logged(ledger)] == ids


def test_an_epoch_that_was_missed_is_no_hindrance(folders: list[Path]) -> None:
    a, b, _ = folders
    with open_ledger(a) as ledger:
        forgotten(ledger, texts=(SECRET,))
        forgotten(ledger, "from/a")
        assert epoch_of(ledger.place.store, ledger.place.store.ref(MAIN) or "") == 3
    assert bring_from(a, b).epoch == 3
    with open_ledger(b) as ledger:
        assert ledger.get("from/b").entry.cell.value == "b"
        assert [found.key for found in ledger.keys("from")] == ["from/b"]
    proved(b)


def test_what_was_cut_does_not_come_back_from_a_clone(folders: list[Path]) -> None:
    a, b, _ = folders
    exchange(folders)
    with open_ledger(a) as ledger:
        truncate(ledger.place, Author.person(ledger.place), "main")
    with open_ledger(b) as ledger:
        ledger.session("agent", "late").increment("tries", 10)
    assert bring_from(a, b).epoch == 2
    bring_from(b, a)
    for folder in (a, b):
        with open_ledger(folder) as ledger:
            assert ledger.get("tries").entry.cell.value == 15
            assert len(logged(ledger)) == 3  # the root, the start of the late session, and what it wrote
        proved(folder)
    assert tree(a) == tree(b)


def test_where_it_cannot_be_told_what_was_cut_nothing_is_lost_nor_doubled(folders: list[Path]) -> None:
    """The clone wrote before the cut and has never seen the head that was cut."""
    a, b, _ = folders
    with open_ledger(a) as ledger:
        done = truncate(ledger.place, Author.person(ledger.place), "main")
    with pytest.raises(RefusedError, match="whether they were among it cannot be told"):
        bring_from(a, b)
    Git(b / "ledger.git")("fetch", "-q", str(done.bundle), f"{MAIN}:refs/old/main")
    assert bring_from(a, b).epoch == 2
    with open_ledger(b) as ledger:
        assert ledger.get("tries").entry.cell.value == 4
        assert ledger.get("from/a").entry.cell.value == "a"
    proved(b)


def test_a_root_that_names_no_commit_of_ours_is_refused(folders: list[Path], tmp_path: Path) -> None:
    with create_ledger(tmp_path / "other")[0] as ledger:
        ledger.person().set("k", 1)
        truncate(ledger.place, Author.person(ledger.place), "main")
    with pytest.raises(RefusedError):
        bring_from(tmp_path / "other", folders[0])


def test_two_epochs_of_one_number_are_refused(folders: list[Path]) -> None:
    a, b, _ = folders
    for folder in (a, b):
        with open_ledger(folder) as ledger:
            forgotten(ledger, texts=(SECRET,))
    with pytest.raises(RefusedError, match="epochs that began apart"):
        bring_from(a, b)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_was_written_where_all_come_to_one_state(folders: list[Path], seed: int) -> None:
    """Random writes, exchanges, cuts and forgetting in one clone: afterwards all agree, and no increment is lost."""
    chance = random.Random(seed)
    exchange(folders)
    total = 5
    for step in range(12):
        folder = chance.choice(folders)
        with open_ledger(folder) as ledger:
            ledger.session("agent", f"s{chance.randrange(4)}-{folder.name}").increment("tries", 1)
            total += 1
            if chance.random() < 0.5:
                ledger.session("agent", f"s-{folder.name}").set(f"random/{chance.randrange(3)}", step)
        if chance.random() < 0.3:
            exchange_forward(folders)
    exchange_forward(folders)
    with open_ledger(folders[0]) as ledger:
        if chance.random() < 0.5:
            forgotten(ledger, texts=(SECRET,))
        else:
            truncate(ledger.place, Author.person(ledger.place), chance.choice(logged(ledger)[2:]).id)
    for folder in folders[1:]:
        with open_ledger(folder) as ledger:
            ledger.session("agent", f"after-{folder.name}").increment("tries", 1)
            total += 1
    exchange_forward(folders)
    exchange_forward(folders)
    assert len({tree(folder) for folder in folders}) == 1
    for folder in folders:
        with open_ledger(folder) as ledger:
            assert ledger.get("tries").entry.cell.value == total
        proved(folder)


def exchange_forward(folders: list[Path]) -> None:
    """From the first to all others, then from each to the first: the first one's epoch is never older."""
    first, *others = folders
    for other in others:
        bring_from(first, other)
    for other in others:
        bring_from(other, first)
    for other in others:
        bring_from(first, other)
