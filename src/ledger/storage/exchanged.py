"""Exchanged: what is remembered of each remote: its head when it was last seen, how the last tries went, and when.

One small JSON file a remote, for every process of this machine. It is a memory, not a promise: without it the remote is
asked as one never seen.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ledger.core.breaker import Breaker
from ledger.storage.files import make_folder, refusals, write_file
from ledger.storage.layout import Layout
from ledger.storage.store import Oid

MOST = 3  # each doubles the time until the next push


class Exchanged(NamedTuple):
    """A remote as it was last met; times in microseconds since 1970, 0 for never.

    `seen` is where its main stood, `tried` and `synced` when it was last tried and last in step with ours, `error` what
    went wrong last, "" where nothing did. `crowd` counts how often of late others were faster at pushing, from 0 to 3;
    `attachments` stands for the attachments that both sides had.
    """

    seen: Oid = ""
    tried: int = 0
    synced: int = 0
    error: str = ""
    breaker: Breaker = Breaker()
    crowd: int = 0
    attachments: str = ""

    def after(self, seen: Oid, now: int, *, is_crowded: bool) -> Exchanged:
        """What is remembered after an exchange; whether in it somebody else was faster at pushing."""
        crowd = min(MOST, self.crowd + 1) if is_crowded else max(0, self.crowd - 1)
        return Exchanged(seen, now, now, crowd=crowd, attachments=self.attachments)


def exchanged(layout: Layout, remote: str) -> Exchanged:
    """What is remembered of a remote; nothing where the file is not there, or not to be read."""
    try:
        told: dict[str, Any] = json.loads((layout.remotes / f"{remote}.json").read_bytes())
        breaker = Breaker(int(told["failures"]), int(told["failed"]))
        texts, numbers = (str(told["seen"]), str(told["error"])), (int(told["tried"]), int(told["synced"]))
        crowd, attachments = min(MOST, max(0, int(told.get("crowd", 0)))), str(told.get("attachments", ""))
        return Exchanged(texts[0], *numbers, texts[1], breaker, crowd, attachments)
    except (OSError, ValueError, KeyError, TypeError):
        return Exchanged()


def remember_exchanged(layout: Layout, remote: str, what: Exchanged) -> None:
    """Remember it; whoever calls holds `Layout.sync_lock`."""
    fields = {name: value for name, value in what._asdict().items() if name != "breaker"}
    document = fields | what.breaker._asdict()
    path = layout.remotes / f"{remote}.json"
    with refusals(path):
        make_folder(layout.remotes)
        write_file(path, f"{json.dumps(document)}\n".encode(), durable=False)


def forget_exchanged(layout: Layout, remote: str) -> None:
    """Remember nothing of a remote any longer."""
    path = layout.remotes / f"{remote}.json"
    with refusals(path):
        path.unlink(missing_ok=True)
