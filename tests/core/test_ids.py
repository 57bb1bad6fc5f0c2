"""Ids are types of their own, and are found by how they begin."""

from __future__ import annotations

import copy
import pickle
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import IDS

from ledger.core.ids import EventId, Id, SessionId, is_prefix
from ledger.errors import AmbiguousError, InvalidError, NotFoundError

ONE = "0199f3c2-7b1e-7abc-8def-0123456789ab"


@pytest.mark.parametrize(
    "text",
    ["", "x", ONE.upper(), ONE[:-1], ONE + "0", ONE + "\n", ONE.replace("-", ""), f"{{{ONE}}}", ONE.replace("0", "٠")],
)
def test_what_is_no_lower_case_uuid_is_no_id(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Id(text)
    assert [p.path for p in caught.value.problems] == ["id"]


@pytest.mark.parametrize("version", ["1", "4", "5", "6", "8"])
def test_an_event_id_of_another_version_is_refused(version: str) -> None:
    with pytest.raises(InvalidError, match="not a valid event id") as caught:
        EventId(f"{ONE[:14]}{version}{ONE[15:]}")
    assert "UUIDv7" in caught.value.problems[0].rule


def test_an_id_that_is_refused_is_not_shown_at_length() -> None:
    with pytest.raises(InvalidError) as caught:
        EventId("x" * 10_000)
    assert len(str(caught.value)) < 400


def test_an_event_id_tells_its_milliseconds_and_counter() -> None:
    assert EventId(ONE).millis == 0x0199F3C27B1E
    assert EventId(ONE).counter == 0xABC


@given(st.sampled_from(IDS))
def test_an_id_stays_what_it_is_when_it_is_copied(text: str) -> None:
    one = EventId(text)
    for copied in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert copied == one == text
        assert type(copied) is EventId


def test_the_session_id_of_an_agents_session_is_what_it_always_was() -> None:
    """Pinned: a hook and an importer of another version must mean the same session."""
    assert SessionId.of("claude-code", "7d1f9b0e") == "a9a60a4d-16a6-598d-af19-5562175df9d0"
    assert SessionId.of("codex", "7d1f9b0e") == "58597185-4523-58ad-8388-921925077c78"


@given(st.text(), st.text())
def test_the_session_id_is_a_uuid_of_version_5(agent: str, key: str) -> None:
    namespace = uuid.UUID("6f1d7c52-3b0e-5c7a-9a64-2f0f5d1a8c11")
    assert SessionId.of(agent, key) == str(uuid.uuid5(namespace, f"{agent}\n{key}"))


def test_agent_and_key_do_not_run_into_each_other() -> None:
    assert SessionId.of("a", "bc") != SessionId.of("ab", "c")


# Finding


@given(st.sampled_from(IDS), st.integers(1, 36))
def test_a_prefix_finds_the_one_id_that_has_it_or_says_which_have(text: str, length: int) -> None:
    fitting = sorted({i for i in IDS if i.startswith(text[:length])})
    if len(fitting) == 1:
        assert EventId.find(text[:length].upper(), IDS) == text
        return
    with pytest.raises(AmbiguousError) as caught:
        EventId.find(text[:length], IDS)
    assert list(caught.value.matches) == fitting


def test_an_ambiguous_prefix_is_told_with_some_that_it_fits_and_a_way_out() -> None:
    with pytest.raises(AmbiguousError) as caught:
        SessionId.find("ab", [f"ab{n}b0000-0000-5000-8000-000000000000" for n in range(7)])
    assert caught.value.message == (
        "'ab' fits 7 session ids: ab0b0000-0000-5000-8000-000000000000, ab1b0000-0000-5000-8000-000000000000, "
        "ab2b0000-0000-5000-8000-000000000000, ab3b0000-0000-5000-8000-000000000000, "
        "ab4b0000-0000-5000-8000-000000000000, …"
    )
    assert caught.value.hint == "give more characters of the one you mean"


def test_an_id_found_twice_is_not_ambiguous() -> None:
    assert EventId.find(ONE[:8], [ONE, ONE]) == ONE


@pytest.mark.parametrize("prefix", ["", "zz", "0199f3c3", " 0199", "%", ONE + "0"])
def test_what_begins_no_id_is_not_found(prefix: str) -> None:
    with pytest.raises(NotFoundError, match="no event id starts with"):
        EventId.find(prefix, [ONE])


def test_a_prefix_is_hexadecimal_and_no_longer_than_an_id() -> None:
    assert is_prefix("0199f3c2-7")
    assert not is_prefix("")
    assert not is_prefix("g")
    assert not is_prefix(ONE + "0")
