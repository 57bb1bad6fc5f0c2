"""Bring: what came from elsewhere becomes part of main whole and sound, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.actions.git import Git

from ledger.actions.append import Draft, append_private, append_shared
from ledger.actions.bring import Brought, bring
from ledger.actions.tip import Author
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.core.clock import DAY
from ledger.core.ids import SessionId
from ledger.errors import DamageError, NewerFormatError, NotFoundError, RefusedError
from ledger.storage.layout import MAIN, private_ref
from ledger.storage.switches import SYNC, Switch, turn_off

HERE, THERE = (Author(str(SessionId.of("agent", name)), "agent") for name in ("here", "there"))
NOTE = Draft("note.added", {"text": "seen"})
Pair = tuple[Ledger, Ledger]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two clones of one ledger."""
    create_ledger(tmp_path / "here")[0].close()
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    with open_ledger(tmp_path / "here") as here, open_ledger(tmp_path / "there") as there:
        yield here, there


def setting(key: str, value: str) -> Draft:
    return Draft("context.set", {"key": key, "policy": "lww", "value": value})


def main(ledger: Ledger) -> str:
    return str(ledger.place.store.ref(MAIN))


def fetched(pair: Pair, ref: str = MAIN) -> str:
    """What plain git brings from there to here: the tip of main there."""
    here, there = pair
    git = Git(here.layout.git_dir)
    git("fetch", "-q", str(there.layout.git_dir), f"+{ref}:refs/remotes/there/main")
    return git("rev-parse", "refs/remotes/there/main")


def test_where_main_has_nothing_of_its_own_it_is_a_fast_forward(pair: Pair) -> None:
    here, there = pair
    append_shared(there.place, THERE, [setting("k", "theirs"), NOTE])
    tip = fetched(pair)
    assert bring(here.place, HERE, tip) == Brought(tip, 2, is_fast_forward=True)
    assert here.get("k").entry.cell.value == "theirs"


def test_where_both_have_written_it_is_a_merge_and_the_conflict_is_told(pair: Pair) -> None:
    here, there = pair
    append_shared(here.place, HERE, [setting("k", "ours")])
    append_shared(there.place, THERE, [setting("k", "theirs"), setting("other", "theirs")])
    tip = fetched(pair)
    found = bring(here.place, HERE, tip)
    assert (found.main, found.commits, found.is_fast_forward, found.conflicts) == (main(here), 2, False, ("k",))
    assert here.place.store.commit(found.main).parents[1] == tip
    assert here.get("k").entry.cell.value == "theirs"
    assert verify(here.place, full=True).problems == ()


def test_what_main_holds_already_is_not_brought_again(pair: Pair) -> None:
    here, there = pair
    append_shared(here.place, HERE, [NOTE])
    append_shared(there.place, THERE, [NOTE])
    tip = fetched(pair)
    bring(here.place, HERE, tip)
    before = main(here)
    assert bring(here.place, HERE, tip) == Brought(before)
    assert main(here) == before


def test_what_the_session_had_of_its_own_comes_along(pair: Pair) -> None:
    here, there = pair
    append_private(here.place, HERE, [setting("mine", "x")])
    append_shared(there.place, THERE, [NOTE])
    bring(here.place, HERE, fetched(pair))
    assert here.get("mine").entry.cell.value == "x"
    assert list(here.place.store.refs()) == [MAIN]


def test_a_commit_that_breaks_the_law_is_named_and_main_stays(pair: Pair) -> None:
    here, there = pair
    append_shared(there.place, THERE, [setting("k", "theirs")])
    git = Git(there.layout.git_dir)
    raw = git.raw(main(there))
    tree = git.tree_with(raw[5:45].decode(), "context/forged.yaml", b"value: 1\n")
    git.move(git.object("commit", b"tree " + tree.encode() + raw[45:]), "refs/heads/forged")
    tip, before = fetched(pair, "refs/heads/forged"), main(here)
    with pytest.raises(DamageError, match=r"context/forged\.yaml"):
        bring(here.place, HERE, tip)
    assert main(here) == before
    assert list(here.place.store.refs()) == [MAIN]


def test_a_history_of_which_a_part_is_missing_is_not_brought(pair: Pair) -> None:
    here, there = pair
    append_shared(there.place, THERE, [NOTE])
    append_shared(there.place, THERE, [NOTE])
    last = here.place.store.write_commit(there.place.store.commit_raw(main(there)))
    before = main(here)
    with pytest.raises(NotFoundError):
        bring(here.place, HERE, last)
    assert main(here) == before


def test_another_ledger_is_not_brought_into_this_one(pair: Pair, tmp_path: Path) -> None:
    here, _ = pair
    with create_ledger(tmp_path / "other")[0] as other:
        tip = fetched((here, other))
    with pytest.raises(RefusedError, match="no common root"):
        bring(here.place, HERE, tip)


def test_a_newer_fold_is_not_brought(pair: Pair) -> None:
    here, there = pair
    append_shared(there.place, THERE, [Draft("ledger.upgraded", {"fold": 99, "format": 1})])
    with pytest.raises(NewerFormatError):
        bring(here.place, HERE, fetched(pair))


def test_a_history_from_the_future_is_held_back_until_its_time_comes(pair: Pair) -> None:
    here, there = pair
    now = there.place.now
    there.place.now = lambda: now() + 9 * DAY * 1000
    append_shared(there.place, THERE, [NOTE])
    tip = fetched(pair)
    with pytest.raises(RefusedError, match="held back"):
        bring(here.place, HERE, tip)
    here.place.now = lambda: now() + 3 * DAY * 1000
    assert bring(here.place, HERE, tip).is_fast_forward


def test_while_sync_is_off_and_for_a_private_session_nothing_is_brought(pair: Pair) -> None:
    here, there = pair
    append_shared(there.place, THERE, [NOTE])
    tip, before = fetched(pair), main(here)
    with pytest.raises(RefusedError, match="private"):
        bring(here.place, HERE._replace(wants_privacy=True), tip)
    turn_off(here.layout, Switch(SYNC))
    with pytest.raises(RefusedError, match="sharing"):
        bring(here.place, HERE, tip)
    assert main(here) == before


def test_what_a_private_session_wrote_here_is_not_brought_from_anywhere(pair: Pair) -> None:
    here, there = pair
    session = here.session("agent", "apart", private=True)
    session.set("k", "mine")
    Git(there.layout.git_dir)("fetch", "-q", str(here.layout.git_dir), f"+{private_ref(session.id)}:{MAIN}")
    append_shared(there.place, THERE, [NOTE])
    before = main(here)
    for tip in (fetched(pair), here.place.store.refs()[private_ref(session.id)]):
        with pytest.raises(RefusedError, match="private session wrote"):
            bring(here.place, HERE, tip)
    assert main(here) == before
