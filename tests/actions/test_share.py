"""Share: a copy for everybody, under the shared key's policy, that says where it comes from and drags nothing along."""

from __future__ import annotations

import pytest

from ledger.actions.find import main_tip
from ledger.actions.log import list_events
from ledger.actions.read import read_key
from ledger.actions.roster import all_sessions
from ledger.actions.session import Session
from ledger.actions.share import share
from ledger.actions.verify import verify
from ledger.api import Ledger
from ledger.errors import InvalidError, NotFoundError, RefusedError, UsageError


def copy(ledger: Ledger, source: Session, *keys: str, to: str | None = None) -> int:
    """How many events it took."""
    return len(share(ledger.place, source, ledger.person(), keys, to).done.events)


def value(ledger: Ledger, key: str) -> object:
    return read_key(ledger.place, key).entry.cell.value


def test_what_a_session_has_of_its_own_is_shared_by_itself(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    own = me.set("plan", "mine", scope="session").events[-1].id
    done = share(ledger.place, me, ledger.person(), ["plan"])
    assert done.session == me.id
    (event,) = done.done.events
    assert (event.type, event.session) == ("context.set", me.id)
    assert event.origin == {"source": "call", "ref": f"share:{me.id}:{own}:plan"}
    assert value(ledger, "plan") == "mine"


def test_a_private_session_shares_through_the_person_and_nothing_else_comes_along(ledger: Ledger) -> None:
    me = ledger.session("agent", "1", private=True)
    me.set("secret", 1)
    own = me.set("plan", "mine").events[-1].id
    before = len(list(list_events(ledger.place, "main")))
    done = share(ledger.place, me, ledger.person(), ["plan"])
    assert done.session == ledger.person().id
    assert done.done.events[0].origin == {"source": "call", "ref": f"share:{me.id}:{own}:plan"}
    new = list(list_events(ledger.place, "main"))[: len(list(list_events(ledger.place, "main"))) - before]
    assert [one.event.type for one in new] == ["context.set", "session.started"]
    assert me.id not in [one.event.session for one in list_events(ledger.place, "main")]
    assert "private" not in all_sessions(ledger.place)[done.session]
    with pytest.raises(NotFoundError):
        value(ledger, "secret")
    assert verify(ledger.place, full=True).ok


def test_one_key_can_go_by_another_name(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("a", 1, scope="session")
    me.set("b", 2, scope="session")
    assert copy(ledger, me, "a", to="team/a") == 1
    assert value(ledger, "team/a") == 1
    with pytest.raises(UsageError, match="several keys"):
        copy(ledger, me, "a", "b", to="c")


def test_several_keys_are_shared_together_or_not_at_all(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("a", 1, scope="session")
    me.set("shared", 1)
    before = main_tip(ledger.place)
    with pytest.raises(NotFoundError, match="stands at 'b', 'shared'"):
        copy(ledger, me, "a", "b", "shared")
    assert main_tip(ledger.place) == before
    me.set("b", 2, scope="session")
    assert copy(ledger, me, "a", "b", "a") == 2


def test_what_stands_there_already_is_not_written_again(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("a", [1], scope="session")
    assert (copy(ledger, me, "a"), copy(ledger, me, "a")) == (1, 0)


def test_the_policy_of_the_shared_key_decides_and_else_that_of_the_copy(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("tags", ["a"], policy="set", scope="session")
    copy(ledger, me, "tags")
    assert read_key(ledger.place, "tags").entry.policy == "set"
    me.set("count", "many", scope="session")
    ledger.session("agent", "2").increment("count")
    with pytest.raises(InvalidError, match="under the policy 'counter'"):
        copy(ledger, me, "count")
    assert value(ledger, "count") == 1


def test_a_copy_lives_no_longer_than_its_source(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("a", 1, scope="session", ttl=100)
    now = ledger.place.now
    ledger.place.now = lambda: now() + 40_000_000
    copy(ledger, me, "a")
    assert read_key(ledger.place, "a").entry.ttl in (59, 60)
    ledger.place.now = lambda: now() + 101_000_000
    with pytest.raises(NotFoundError):
        copy(ledger, me, "a")


def test_what_is_no_key_is_refused_before_anything_is_read(ledger: Ledger) -> None:
    with pytest.raises(InvalidError):
        copy(ledger, ledger.session("agent", "1"), "No Key")


def test_with_everything_off_nothing_is_shared(disk_ledger: Ledger) -> None:
    from ledger.storage.switches import Switch, turn_off

    me = disk_ledger.session("agent", "1")
    me.set("a", 1, scope="session")
    turn_off(disk_ledger.layout, Switch("all"))
    with pytest.raises(RefusedError):
        copy(disk_ledger, me, "a")
