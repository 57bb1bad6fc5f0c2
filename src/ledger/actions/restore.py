"""Restore: a ledger from a backup, proved before it takes its place."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.actions.backup import CONFIG, EVENTS, FORMAT, HEADS, MANIFEST, PAYLOADS, SPOOL, digest_of
from ledger.actions.verify import Report, verify
from ledger.errors import DamageError, NewerFormatError, NotFoundError, RefusedError
from ledger.storage import opening
from ledger.storage.bundle import read_bundle
from ledger.storage.files import refusals, sync_folder, write_file
from ledger.storage.layout import Layout
from ledger.storage.place import Place

Opener = Callable[[Path], Place]


@dataclass(frozen=True, slots=True)
class Restored:
    """A ledger as it was restored: its folder, what verification found, and how long it took."""

    folder: Path
    report: Report
    seconds: float


def restore(backup: Path, to: Path, open_place: Opener) -> Restored:
    """Make the ledger `to` from a backup's folder, or from a bundle of its events alone.

    `open_place` opens the folder for verification. The ledger appears whole and verified, or not at all. Raises
    RefusedError if `to` exists, NotFoundError if the backup does not, DamageError if it is not what was written.
    """
    began = time.perf_counter()
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise RefusedError(f"{to} exists already", hint="nothing is ever overwritten; name another folder with --to")
    files = _files_of(backup)
    with _draft_of(to) as draft:
        layout = opening.create(draft)
        _take(layout, files)
        report = _proved(draft, open_place)
        draft.replace(to)
        sync_folder(to.parent)
    return Restored(to, report, time.perf_counter() - began)


@contextmanager
def _draft_of(to: Path) -> Iterator[Path]:
    draft = to.with_name(f".{to.name}.draft")
    with refusals(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _files_of(backup: Path) -> dict[str, Path]:
    if not backup.exists():
        raise NotFoundError(f"{backup} does not exist", hint="give the folder that `ledger backup` named")
    if backup.is_file():
        return {EVENTS: backup}
    if not (backup / MANIFEST).is_file():
        raise NotFoundError(f"{backup} is no backup: it has no {MANIFEST}", hint="give the folder, or a bundle file")
    return _checked(backup, _manifest(backup / MANIFEST))


def _manifest(file: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(file.read_bytes())
        form, files = int(manifest["format"]), manifest["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamageError(f"{file} is damaged: {error}", hint="use another backup") from error
    if form > FORMAT:
        raise NewerFormatError(form, FORMAT)
    return {str(entry["name"]): entry for entry in files}


def _checked(backup: Path, manifest: dict[str, Any]) -> dict[str, Path]:
    files = {name: backup / name for name in manifest if ".." not in Path(name).parts and not Path(name).is_absolute()}
    wrong = [
        name
        for name, entry in manifest.items()
        if name not in files or not files[name].is_file() or digest_of(files[name]) != entry["sha256"]
    ]
    if wrong or EVENTS not in files:
        named = ", ".join(wrong or [EVENTS])
        raise DamageError(f"this backup is damaged: {named} is not what was written", hint="use another backup")
    return files


def _take(layout: Layout, files: dict[str, Path]) -> None:
    for name, git_dir in ((EVENTS, layout.git_dir), (PAYLOADS, layout.payloads_dir)):
        if name in files:
            read_bundle(git_dir, files[name])
    for name, target in ((CONFIG, layout.config), (HEADS, layout.heads)):
        if name in files:
            write_file(target, files[name].read_bytes(), durable=True)
    for name, file in files.items():
        if name.startswith(f"{SPOOL}/"):
            write_file(layout.root / name, file.read_bytes(), durable=True)


def _proved(draft: Path, open_place: Opener) -> Report:
    place = open_place(draft)
    try:
        report = verify(place, full=True)
    finally:
        place.close()
    if not report.ok:
        first = report.problems[0]
        raise DamageError(
            f"what this backup holds is damaged: {first.kind} at {first.commit}: {first.detail}",
            hint="nothing was restored; use another backup",
        )
    return report
