"""One line an event: how lists of events look to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.cli.output import Output
from ledger.cli.words import ago, cut, visible
from ledger.core.events import subject_of

if TYPE_CHECKING:
    from ledger.actions.log import Logged

SHORT = 10  # hex digits of a commit: at a million events two are alike in less than one ledger in two
WHO = 16
WHEN = 10


def line_of(out: Output, one: Logged, now: int) -> str:
    """`<commit>  <when>  <agent/session>  <subject>`, at most as wide as the terminal."""
    when = ago(one.commit.author.time * 1_000_000, now)
    subject = subject_of(one.event)
    if out.width is not None:
        subject = cut(subject, max(out.width - SHORT - WHEN - WHO - 6, 16))
    parts = (
        out.paint(one.commit.oid[:SHORT], "id"),
        out.paint(when.ljust(WHEN), "time"),
        out.paint(who(one).ljust(WHO), "who"),
        subject,
    )
    return "  ".join(parts).rstrip()


def who(one: Logged) -> str:
    """The agent, and the first characters of the session."""
    return f"{cut(visible(one.commit.author.name), WHO - 5)}/{one.event.session[:4]}"
