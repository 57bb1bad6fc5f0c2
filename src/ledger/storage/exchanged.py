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


class Exchanged(NamedTuple):
    """A remote as it was last met; times in microseconds since 1970, 0 for never.

    `seen` is where its main stood, `tried` and `synced` when it was last tried and last in step with ours, `error` what
    went wrong last, "" where nothing did.
    """

    seen: Oid = ""
    tried: int = 0
    synced: int = 0
    error: str = ""
    breaker: Breaker = Breaker()


def exchanged(layout: Layout, remote: str) -> Exchanged:
    """What is remembered of a remote; nothing where the file is not there, or not to be read."""
    try:
        told: dict[str, Any] = json.loads((layout.remotes / f"{remote}.json").read_bytes())
        breaker = Breaker(int(told["failures"]), int(told["failed"]))
        return Exchanged(str(told["seen"]), int(told["tried"]), int(told["synced"]), str(told["error"]), breaker)
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
