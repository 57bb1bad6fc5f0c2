"""Objects: whether what is stored is whole, object by object and pack by pack, read without libgit2."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ledger.actions.examine import Problem
from ledger.storage.layout import Layout
from ledger.storage.loose import scan_loose

_CHUNK = 1 << 20
_DIGEST = 20


def object_problems(layout: Layout) -> Iterator[Problem]:
    """Every file of objects, reachable or not, whose content is not what was written; payloads included."""
    for git_dir in layout.repositories:
        for path in (*scan_loose(git_dir), *damaged_packs(git_dir)):
            name = str(path.relative_to(layout.root))
            yield Problem("damaged-object", None, name, "the file does not hold what was written")


def damaged_packs(git_dir: Path) -> list[Path]:
    """The packs and indexes that do not end with the digest of what they hold."""
    files = sorted((git_dir / "objects" / "pack").glob("pack-*"))
    return [path for path in files if path.suffix in (".pack", ".idx") and not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    """Whether a pack or an index ends with the SHA-1 of all that stands before it."""
    left = path.stat().st_size - _DIGEST
    whole = hashlib.sha1(usedforsecurity=False)
    with path.open("rb") as file:
        while left > 0:
            chunk = file.read(min(left, _CHUNK))
            if not chunk:
                return False
            whole.update(chunk)
            left -= len(chunk)
        return file.read() == whole.digest()
