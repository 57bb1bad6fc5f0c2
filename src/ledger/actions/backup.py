"""Backup: the whole ledger in one folder that any git can read, with a digest of every file."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.actions.read import reader_at
from ledger.core.state import LEDGER
from ledger.errors import RefusedError, UsageError
from ledger.storage.bundle import require_sound_bundle, write_bundle
from ledger.storage.files import make_folder, refusals, sync_folder, write_file
from ledger.storage.layout import Layout
from ledger.storage.opening import is_git_folder
from ledger.storage.place import Place

FORMAT = 1
MANIFEST = "manifest.json"
EVENTS = "ledger.bundle"
PAYLOADS = "payloads.bundle"
CONFIG = "config.toml"
HEADS = "heads"
SPOOL = "spool"

_ELSEWHERE = "what deletes that deletes the backup too: name a folder elsewhere, best on another disk"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup as it was made: its folder, the ledger's id, and each file with its SHA-256 and size."""

    folder: Path
    ledger: str
    files: tuple[dict[str, Any], ...]
    seconds: float

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file["size"] for file in self.files)


def back_up(place: Place, folder: Path) -> Backup:
    """Copy the ledger into the new folder `folder`; it appears whole and verified, or not at all.

    Writers may go on meanwhile. Raises RefusedError if the folder exists and is not empty, or lies where it would be
    lost together with the ledger; StorageError.
    """
    layout = place.layout
    if layout is None:
        raise UsageError("a ledger in memory cannot be backed up")
    began = time.perf_counter()
    _require_apart(layout, folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RefusedError(f"{folder} exists already", hint="name a folder that does not exist yet")
    ledger = str((reader_at(place).get(LEDGER) or {}).get("id", ""))
    draft = folder.with_name(f".{folder.name}.draft")
    with refusals(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        try:
            files = _fill(layout, draft, ledger)
            draft.replace(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_folder(folder.parent)
    return Backup(folder, ledger, tuple(files), time.perf_counter() - began)


def _require_apart(layout: Layout, folder: Path) -> None:
    inside = folder.resolve()
    for above in (inside, *inside.parents):
        if above == layout.root.resolve():
            raise RefusedError(f"{folder} lies in the ledger itself", hint=_ELSEWHERE)
        if is_git_folder(above):
            raise RefusedError(f"{folder} lies in the git folder {above}", hint=_ELSEWHERE)


def _fill(layout: Layout, draft: Path, ledger: str) -> list[dict[str, Any]]:
    make_folder(draft)
    # Events first: an attachment is stored before the event that names it, so that the later bundle has it.
    for git_dir, name in ((layout.git_dir, EVENTS), (layout.payloads_dir, PAYLOADS)):
        if write_bundle(git_dir, draft / name):
            require_sound_bundle(git_dir, draft / name)
    for source, name in ((layout.config, CONFIG), (layout.heads, HEADS)):
        if source.exists():
            write_file(draft / name, source.read_bytes(), durable=True)
    _copy_spool(layout.spool, draft / SPOOL)
    files = [_described(draft, path) for path in sorted(draft.rglob("*")) if path.is_file()]
    manifest = {"format": FORMAT, "ledger": ledger, "files": files}
    write_file(draft / MANIFEST, f"{json.dumps(manifest, indent=2)}\n".encode(), durable=True)
    sync_folder(draft)
    return files


def _copy_spool(spool: Path, target: Path) -> None:
    # What waits there is acknowledged already; half-written drafts in tmp are not.
    for name in ("new", "rejected"):
        for file in sorted(path for path in (spool / name).glob("*") if path.is_file()):
            make_folder(target)
            make_folder(target / name)
            write_file(target / name / file.name, file.read_bytes(), durable=True)


def _described(folder: Path, file: Path) -> dict[str, Any]:
    return {"name": file.relative_to(folder).as_posix(), "sha256": digest_of(file), "size": file.stat().st_size}


def digest_of(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
