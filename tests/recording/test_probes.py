"""Probes are read by each agent's own module as that agent's, at every event that a hook is registered for."""

from __future__ import annotations

import json

import pytest

from ledger.recording.payloads.dialects import DIALECTS, recognise
from ledger.recording.probes import PREFIX, probe
from ledger.recording.registering import AGENTS

HOOKS = [(name, hook.event) for name, dialect in DIALECTS.items() for hook in dialect.HOOKS]


@pytest.mark.parametrize(("agent", "event"), HOOKS)
def test_a_probe_is_read_as_its_agents_own(agent: str, event: str) -> None:
    payload = json.loads(probe(agent, event, f"{PREFIX}1", "/p"))
    dialect = recognise(payload, agent)
    assert agent == dialect.NAME
    assert dialect.hear(payload, "2026-11-22T15:13:04.123456Z").session == f"{PREFIX}1"


def test_every_agent_that_is_heard_can_be_installed() -> None:
    assert set(AGENTS) == set(DIALECTS)


def test_no_agent_has_two_hooks_at_one_event() -> None:
    """A file is looked through by event: two of ours at one would be taken for a double."""
    assert len(set(HOOKS)) == len(HOOKS)
