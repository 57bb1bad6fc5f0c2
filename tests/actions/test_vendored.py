"""Policies of other packages in a whole ledger: merged with the package, refused without it, and never half."""

from __future__ import annotations

import pytest
from tests.acme.src.acme_ledger import ranked

from ledger.actions.append import Draft
from ledger.actions.declare import declaring_policy
from ledger.actions.replay import replay
from ledger.actions.rollback import plan_rollback, rollback_drafts
from ledger.actions.verify import verify
from ledger.api import Ledger
from ledger.errors import PolicyError, RefusedError
from ledger.storage.layout import MAIN
from ledger.testing import policies


@pytest.fixture
def forked(ledger: Ledger) -> Ledger:
    """A ledger in which a key was written on main and, meanwhile, on a session's own line."""
    with policies(ranked):
        ledger.person().write([declaring_policy("best", "acme.ranked")])
        ledger.person().add("best", "fd")
        apart = ledger.session("codex", "1")
        apart.record([Draft("context.added", {"key": "best", "policy": "acme.ranked", "values": ["jq"]})])
        ledger.person().add("best", "rg", "ripgrep")
    return ledger


def test_lines_that_both_wrote_are_merged_by_the_package_and_verify(forked: Ledger) -> None:
    with policies(ranked):
        forked.session("codex", "1").publish()
        assert forked.get("best").entry.cell.value == ["fd", "jq", "rg", "ripgrep"]
        assert verify(forked.place, full=True).ok
        assert replay(forked.place).ok


def test_without_the_package_they_are_not_merged_and_nothing_moves(forked: Ledger) -> None:
    apart, main = forked.session("codex", "1"), forked.place.store.ref(MAIN)
    for write in (apart.publish, lambda: apart.set("other", "x")):
        with pytest.raises(PolicyError, match=r"acme\.ranked"):
            write()
    assert forked.place.store.ref(MAIN) == main
    assert forked.get("best").entry.cell.value == ["fd", "rg", "ripgrep"]
    forked.person().set("other", "x")
    apart.record([Draft("note.added", {"text": "its own line goes on"})])
    with policies(ranked):
        apart.publish()
        assert forked.get("best").entry.cell.value == ["fd", "jq", "rg", "ripgrep"]
        assert verify(forked.place, full=True).ok


def test_verify_names_each_commit_that_it_could_not_check_and_remembers_none_as_sound(forked: Ledger) -> None:
    report = verify(forked.place, full=True)
    assert not report.ok
    assert {(one.kind, one.detail) for one in report.problems} == {
        ("unchecked", "not checked: the policy 'acme.ranked' is not installed here")
    }
    assert len(report.problems) == 3
    with policies(ranked):
        assert verify(forked.place).checked == report.commits


def test_what_stood_earlier_comes_back_under_its_own_policy(forked: Ledger) -> None:
    with policies(ranked):
        first = next(forked.place.store.walk([str(forked.place.store.ref(MAIN))], order="newest")).parents[0]
        forked.person().write(rollback_drafts(forked.place, first, plan_rollback(forked.place, first)))
        found = forked.get("best").entry
        assert (found.cell.value, found.policy) == (["fd"], "acme.ranked")
        assert verify(forked.place, full=True).ok


def test_a_policy_without_examples_is_not_declared() -> None:
    class Bare:
        name, combines = "acme.bare", True
        problems, diff, apply = staticmethod(ranked.problems), staticmethod(ranked.diff), staticmethod(ranked.apply)

    with policies(Bare()), pytest.raises(RefusedError, match="gives no examples"):
        declaring_policy("best", "acme.bare")


def test_declaring_takes_nothing_unlawful() -> None:
    class First:
        name, combines, examples = "acme.first", True, ranked.examples
        problems, diff = staticmethod(ranked.problems), staticmethod(ranked.diff)

        @staticmethod
        def apply(cell: ranked.Cell, write: ranked.Write) -> ranked.Outcome:
            return ranked.Outcome(ranked.Cell(cell.value or write.fields.get("values")))

    with policies(First()), pytest.raises(RefusedError, match=r"policy 'acme\.first' breaks law \d: .*, for "):
        declaring_policy("best", "acme.first")
