"""Epoch: the digest of the state that a new stretch of history starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def state_digest(files: Iterable[tuple[str, bytes]]) -> str:
    """The SHA-256, as 64 hex digits, of what `sha256sum` prints for the files of a state, sorted by path.

    So anyone can work it out from a checkout: `git ls-files | LC_ALL=C sort | xargs sha256sum | sha256sum`.
    """
    whole = hashlib.sha256()
    for path, data in sorted(files):
        whole.update(f"{hashlib.sha256(data).hexdigest()}  {path}\n".encode())
    return whole.hexdigest()
