"""`session.started`: a run of an agent, or of a person at the command line, begins."""

from __future__ import annotations

from ledger.core.events.kind import Kind
from ledger.core.events.session import enter, titles, unit_of_session

KIND = Kind(type="session.started", titles=titles, footprint=unit_of_session, apply=enter)
