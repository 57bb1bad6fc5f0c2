"""Beside: what holds something that is to be forgotten and lies beside the repositories, or copies them."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ledger.actions.backup import EVENTS, MANIFEST, PAYLOADS
from ledger.actions.tip import event_of
from ledger.core.forgetting import MARK, Forgetting
from ledger.errors import DamageError, RefusedError
from ledger.storage.bundle import read_bundle
from ledger.storage.files import files_below, refusals, write_file
from ledger.storage.git import GitStore
from ledger.storage.layout import Layout
from ledger.storage.opening import create
from ledger.storage.program import require_git
from ledger.storage.store import Kind

KINDS: tuple[Kind, ...] = ("commit", "tree", "blob")


def cleaned(data: bytes, what: Forgetting) -> bytes:
    """The bytes of a file or an attachment with the mark wherever one of the texts stood."""
    for pattern in _bytes_of(what):
        data = pattern.sub(MARK.encode(), data)
    return data


def holds(data: bytes, what: Forgetting) -> bool:
    """Whether one of the texts stands in some bytes, as it is or as JSON spells it."""
    return any(pattern.search(data) for pattern in _bytes_of(what))


def _bytes_of(what: Forgetting) -> Iterator[re.Pattern[bytes]]:
    """The texts as they may stand in a file: as they are, and as JSON spells them."""
    for pattern in what.texts:
        spelled = {pattern.pattern, *_in_json(pattern.pattern)}
        for one in sorted(spelled):
            yield re.compile(one.encode("utf-8", "surrogatepass"))


def _in_json(pattern: str) -> Iterator[str]:
    literal = re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)
    if re.escape(literal) == pattern:
        for is_ascii in (True, False):
            once = json.dumps(literal, ensure_ascii=is_ascii)[1:-1]
            twice = json.dumps(once, ensure_ascii=is_ascii)[1:-1]  # a tool that answers with JSON, in a payload
            yield from (re.escape(once), re.escape(twice))


def files_beside(layout: Layout, what: Forgetting, backups: Path | None) -> Iterator[Path]:
    """Files that hold one of the texts, bundles of earlier epochs and backups in `backups` that hold any of it."""
    if what.texts:
        for folder in (layout.spool / "rejected", layout.quarantine, layout.logs, layout.numbered):
            yield from (path for path in files_below(folder) if file_holds(path, what))
    yield from (path for path in sorted(layout.archive.glob("*.bundle")) if _bundle_holds(path, what))
    if backups is not None:
        yield from (path.parent for path in sorted(backups.glob(f"*/{MANIFEST}")) if _backup_holds(path.parent, what))


def file_holds(path: Path, what: Forgetting) -> bool:
    """Whether a file holds one of the texts, in the clear or deflated as git does."""
    with refusals(path):
        data = path.read_bytes()
    if holds(data, what) or holds(path.name.encode("utf-8", "surrogateescape"), what):
        return True
    if data[:1] != b"\x78":
        # What was deflated inside a pack cannot be searched: a pack in quarantine goes as a whole.
        return data[:4] == b"PACK"
    with_room = zlib.decompressobj()
    try:
        return holds(with_room.decompress(data), what)
    except zlib.error:
        return True


def remove(files: Iterable[Path], what: Forgetting) -> None:
    """Delete files and backups; of a log only the lines that hold it."""
    for path in files:
        with refusals(path):
            if path.parent.name == "logs":
                lines = path.read_bytes().splitlines(keepends=True)
                write_file(path, b"".join(line for line in lines if not holds(line, what)), durable=True)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _backup_holds(folder: Path, what: Forgetting) -> bool:
    bundles = [folder / name for name in (EVENTS, PAYLOADS) if (folder / name).exists()]
    return any(_bundle_holds(path, what) for path in bundles) or any(
        bool(what.texts) and file_holds(path, what) for path in files_below(folder) if path not in bundles
    )


def _bundle_holds(path: Path, what: Forgetting) -> bool:
    """Whether a bundle holds any of it; one that cannot be read might, so it counts as if it did."""
    with tempfile.TemporaryDirectory() as folder:
        layout = create(Path(folder) / "ledger")
        try:
            read_bundle(layout.git_dir, path)
        except DamageError:
            return True
        store = GitStore(layout.git_dir)
        try:
            return _objects_hold(store, what) or _events_hold(store, what)
        finally:
            store.close()


def _objects_hold(store: GitStore, what: Forgetting) -> bool:
    if not what.texts:
        return False
    listed = require_git(store.path, ["cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)"])
    for line in listed.decode("ascii").splitlines():
        for kind in KINDS:
            if line.startswith(kind) and holds(store.read_object(kind, line[len(kind) + 1 :]), what):
                return True
    return False


def _events_hold(store: GitStore, what: Forgetting) -> bool:
    """Whether it holds events that are forgotten by their id or key; attachments carry none."""
    for commit in store.walk(list(store.refs().values())):
        if not commit.message.startswith(b"payload "):
            event = event_of(commit)
            try:
                if what.event(event) is not event:
                    return True
            except RefusedError:
                return True
    return False
