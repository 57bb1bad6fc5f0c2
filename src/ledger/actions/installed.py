"""Installed: what this ledger wrote into settings files of others, remembered so that it can be taken back."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.recording.settings import Path as KeyPath
from ledger.storage.files import refusals, write_file
from ledger.storage.layout import Layout


@dataclass(frozen=True, slots=True)
class Written:
    """One file that an installer changed.

    `before` are its bytes without us (None: there was no file), `after` the digest of what was written; `made` are the
    paths in it that were not there before (None: nobody knows), `folders` those that were made for it.
    """

    agent: str
    scope: str
    path: Path
    before: bytes | None
    after: str
    made: tuple[KeyPath, ...] | None = None
    folders: tuple[Path, ...] = ()

    def is_as_left(self, now: bytes | None) -> bool:
        """Whether nobody has changed the file since."""
        return now is not None and digest(now) == self.after


def digest(data: bytes) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def installed(layout: Layout) -> list[Written]:
    """The files that were changed and not taken back, in the order of their writing.

    A list that cannot be read is an empty one: then only our own entries are taken out of files, which needs no
    memory.
    """
    try:
        documents = json.loads(layout.installed.read_bytes())["files"]
        return [_of(one) for one in documents]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def remember(layout: Layout, one: Written) -> None:
    """Keep what was written, in the place of what was kept of that file before. Raises StorageError."""
    _keep(layout, [*(w for w in installed(layout) if w.path != one.path), one])


def forget(layout: Layout, path: Path) -> None:
    """Keep nothing more of a file. Raises StorageError."""
    _keep(layout, [w for w in installed(layout) if w.path != path])


def _keep(layout: Layout, files: list[Written]) -> None:
    text = json.dumps({"files": [_document(one) for one in files]}, indent=1)
    with refusals(layout.installed):
        if files:
            write_file(layout.installed, f"{text}\n".encode(), durable=True)
        else:
            layout.installed.unlink(missing_ok=True)


def _document(one: Written) -> dict[str, Any]:
    return {
        "agent": one.agent,
        "scope": one.scope,
        "path": str(one.path),
        "before": None if one.before is None else base64.b64encode(one.before).decode("ascii"),
        "after": one.after,
        "made": one.made,
        "folders": [str(folder) for folder in one.folders],
    }


def _of(document: dict[str, Any]) -> Written:
    before, made = document["before"], document["made"]
    return Written(
        document["agent"],
        document["scope"],
        Path(document["path"]),
        None if before is None else base64.b64decode(before),
        document["after"],
        None if made is None else tuple(tuple(path) for path in made),
        tuple(Path(folder) for folder in document["folders"]),
    )
