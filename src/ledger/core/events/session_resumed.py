"""`session.resumed`: the same run goes on; where it had ended, it is on the roster again."""

from __future__ import annotations

from ledger.core.events.kind import Kind
from ledger.core.events.session import enter, titles, unit_of_session

KIND = Kind(type="session.resumed", titles=titles, footprint=unit_of_session, apply=enter)
