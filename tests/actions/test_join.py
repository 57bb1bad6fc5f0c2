"""Join: one tip that reaches both, whose tree is the fold of the union, whoever merges and however often."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from ledger.actions.append import Draft, append_private, append_shared, publish
from ledger.actions.join import events_of, join
from ledger.actions.tip import Author, tip_at
from ledger.actions.verify import verify
from ledger.api import Ledger, memory_ledger
from ledger.core.ids import SessionId
from ledger.core.state import LEDGER
from ledger.errors import NewerFormatError, RefusedError
from ledger.storage.layout import MAIN, session_ref
from ledger.storage.store import Oid

NOTE = Draft("note.added", {"text": "seen"})
ONE, TWO = (Author(str(SessionId.of("agent", name)), "agent") for name in ("1", "2"))


def count(by: int) -> Draft:
    return Draft("context.incremented", {"key": "count", "policy": "counter", "by": by})


def skewed(now: Callable[[], int], by: int) -> int:
    return now() + by


def own_tip(ledger: Ledger, author: Author) -> Oid:
    return str(ledger.place.store.ref(session_ref(author.session)))


def joined(ledger: Ledger, author: Author, ours: Oid, theirs: Oid) -> Oid:
    return join(ledger.place, author, tip_at(ledger.place.store, ours), tip_at(ledger.place.store, theirs))[0].oid


def tree(ledger: Ledger, oid: Oid) -> Oid:
    return ledger.place.store.commit(oid).tree


def test_scenario_1_theirs_has_nothing_new_and_ours_stands(ledger: Ledger) -> None:
    main = str(ledger.place.store.ref(MAIN))
    append_private(ledger.place, ONE, [NOTE])
    mine = own_tip(ledger, ONE)
    assert joined(ledger, ONE, mine, main) == mine


def test_scenario_2_ours_has_nothing_new_and_theirs_stands(ledger: Ledger) -> None:
    main = str(ledger.place.store.ref(MAIN))
    append_private(ledger.place, ONE, [NOTE])
    mine = own_tip(ledger, ONE)
    assert joined(ledger, ONE, main, mine) == mine


def test_scenario_3_both_have_and_the_merge_is_a_commit_of_its_own(ledger: Ledger) -> None:
    append_private(ledger.place, ONE, [count(1)])
    append_private(ledger.place, TWO, [count(2)])
    mine, theirs = own_tip(ledger, ONE), own_tip(ledger, TWO)
    merged = ledger.place.store.commit(joined(ledger, ONE, mine, theirs))
    event = events_of([merged])[0]
    assert merged.parents == (mine, theirs)
    assert event.type == "sync.merged"
    assert event.data == {"ours": mine, "theirs": theirs, "events": 1, "refolded": ["context/count.yaml"]}


def test_both_directions_of_a_merge_give_the_same_state(ledger: Ledger) -> None:
    append_private(ledger.place, ONE, [count(1), NOTE])
    append_private(ledger.place, TWO, [count(2)])
    mine, theirs = own_tip(ledger, ONE), own_tip(ledger, TWO)
    assert tree(ledger, joined(ledger, ONE, mine, theirs)) == tree(ledger, joined(ledger, TWO, theirs, mine))


def test_a_counter_that_is_merged_twice_over_a_criss_cross_is_still_right(ledger: Ledger) -> None:
    append_shared(ledger.place, ONE, [count(1)])
    append_private(ledger.place, ONE, [count(2)])
    append_private(ledger.place, TWO, [count(4)])
    mine, theirs = own_tip(ledger, ONE), own_tip(ledger, TWO)
    left, right = joined(ledger, ONE, mine, theirs), joined(ledger, TWO, theirs, mine)
    assert len(ledger.place.store.merge_bases(left, right)) == 2
    ledger.place.store.move_ref(session_ref(ONE.session), joined(ledger, ONE, left, right), mine)
    publish(ledger.place, ONE)
    assert ledger.get("count").entry.cell.value == 7
    assert verify(ledger.place, full=True).problems == ()


@pytest.mark.parametrize("seed", range(10))
def test_lines_that_are_merged_at_random_all_come_to_the_same_state(seed: int) -> None:
    """Clocks an hour apart, merges in any direction; at the end everybody has everything."""
    ledger, chance = memory_ledger(), random.Random(seed)
    place, now = ledger.place, ledger.place.now
    authors = [Author(str(SessionId.of("agent", f"{n}")), "agent") for n in range(3)]
    for author in authors:
        append_private(place, author, [NOTE])
    for step in range(30):
        author, other = chance.sample(authors, 2)
        place.now = partial(skewed, now, chance.randrange(-3600, 3600) * 1_000_000)
        key = f"k{chance.randrange(3)}"
        drafts = [
            count(1),
            Draft("context.set", {"key": key, "policy": "lww", "value": step}),
            Draft("context.added", {"key": "tags", "policy": "set", "values": [step % 4]}),
            Draft("context.deleted", {"key": key}),
        ]
        append_private(place, author, [chance.choice(drafts)])
        if chance.random() < 0.5:
            mine = own_tip(ledger, author)
            place.store.move_ref(
                session_ref(author.session), joined(ledger, author, mine, own_tip(ledger, other)), mine
            )
    ends = []
    for author in authors:
        tip = own_tip(ledger, author)
        for other in chance.sample(authors, 3):
            tip = joined(ledger, author, tip, own_tip(ledger, other))
        ends.append(tree(ledger, tip))
    assert len(set(ends)) == 1
    assert verify(place, full=True).problems == ()


def test_a_line_of_a_newer_fold_is_not_merged(ledger: Ledger) -> None:
    append_private(ledger.place, ONE, [Draft("ledger.upgraded", {"fold": 99, "format": 1})])
    append_shared(ledger.place, TWO, [NOTE])
    with pytest.raises(NewerFormatError):
        publish(ledger.place, ONE)


def test_two_ledgers_are_not_merged_into_one(ledger: Ledger) -> None:
    root = ledger.place.store.commit_raw(str(ledger.place.store.ref(MAIN)))
    foreign = ledger.place.store.write_commit(root.replace(b"ledger <", b"ledger <other", 1))
    assert ledger.place.store.commit(foreign).tree == tree(ledger, str(ledger.place.store.ref(MAIN)))
    with pytest.raises(RefusedError, match="no common root"):
        joined(ledger, ONE, str(ledger.place.store.ref(MAIN)), foreign)
    assert ledger.place.store.read_file(tree(ledger, foreign), LEDGER) is not None
