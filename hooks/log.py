"""Log: what goes wrong where nobody looks is a line in a file of the ledger's folder."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ledger.errors import InvalidError
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.core.redaction import Redactor

_BYTES = 256 * 1024


def note(layout: Layout, name: str, text: str) -> None:
    """Leave a line in `logs/<name>`, without secrets; a log that is full begins anew, and the last one is kept."""
    path = layout.logs / name
    line = _redactor(layout).text(" ".join(text.split()))
    with suppress(OSError):
        if path.exists() and path.stat().st_size > _BYTES:
            path.replace(path.with_name(f"{name}.1"))
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "a", encoding="utf-8", errors="replace") as log:
            log.write(f"{moment} {line}\n")


def _redactor(layout: Layout) -> Redactor:
    """The ledger's own; the usual one where its rules cannot be read, which may be what is noted."""
    from ledger.core.redaction import Redactor, default_redactor
    from ledger.storage.config import read_config

    try:
        config = read_config(layout.config)
        return Redactor(config.redaction_rules, config.redaction_allow)
    except (InvalidError, OSError):
        return default_redactor()
