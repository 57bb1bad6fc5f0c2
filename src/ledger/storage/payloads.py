"""PayloadStore: attachments, as blobs in the sibling repository.

Each session has one ref there, whose commit's tree names every attachment of the session, so that
no gc takes one away. An event names an attachment by its blob id, SHA-256 and size.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ledger.errors import BusyError, DamageError, InvalidError, Problem
from ledger.storage.codec import encode_commit, object_id
from ledger.storage.config import LIMIT
from ledger.storage.git import GitStore
from ledger.storage.layout import ATTACHMENTS, CHECKPOINTS, SESSIONS, session_ref
from ledger.storage.program import require_git
from ledger.storage.store import Commit, EventStore, Oid, Signature

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_AUTHOR = "ledger"
_TRIES = 40
_LONGEST_PAUSE = 0.020

Data = bytes | Iterable[bytes]


class Attachment(NamedTuple):
    """One payload as an event names it: the blob's id, the SHA-256 of its bytes in hex, its length."""

    id: Oid
    sha256: str
    size: int


class PayloadStore:
    """The attachments of a ledger, in the bare repository at `path`.

    With durability "full" an attachment is synced before `put` returns. `store` is the repository
    itself: checkpoints of a working tree are kept there too.
    """

    def __init__(self, path: Path | str, *, limit: int = LIMIT, durability: str = "full") -> None:
        self.store = GitStore(path, durable=durability == "full")
        self.limit = limit

    def put(self, session: str, data: Data, name: str) -> Attachment:
        """Keep one payload under the session's ref.

        Raises InvalidError, before anything is written, for a payload above the limit or a name
        that is more than letters, digits, dots, dashes and underscores.
        """
        return self.put_many(session, [(name, data)])[0]

    def put_many(self, session: str, payloads: Iterable[tuple[str, Data]]) -> list[Attachment]:
        """Keep several payloads with one commit; all are checked before any is written."""
        whole = [(name, self._gathered(data)) for name, data in payloads]
        _require_fit([(name, size, self.limit) for name, (_, size) in whole])
        named = [(name, data, attachment_of(data)) for name, (data, _) in whole]
        changes = {_path(name, kept.id): data for name, data, kept in named}
        self._commit(session_ref(session), changes, ", ".join(name for name, _ in whole))
        return [kept for _, _, kept in named]

    def get(self, oid: Oid, sha256: str | None = None) -> bytes:
        """The bytes of an attachment, compared with `sha256` if given.

        Raises NotFoundError if there is none, DamageError if it is not what the event names.
        """
        data = self.store.read_object("blob", oid)
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise DamageError(f"attachment {oid} is not what its event names", hint="run: ledger verify")
        return data

    def session_files(self, session: str) -> dict[str, Oid]:
        """The attachments of a session: name and the first digits of the id, and the blob's id."""
        tip = self.store.ref(session_ref(session))
        if tip is None:
            return {}
        tree = self.store.commit(tip).tree
        shards = [entry.name for entry in self.store.tree_entries(tree) if entry.is_folder]
        entries = [entry for shard in shards for entry in self.store.tree_entries(tree, f"{shard}/")]
        return {entry.name: entry.oid for entry in sorted(entries)}

    def take_in(self, session: str, blobs: Mapping[str, bytes]) -> None:
        """Keep attachments that came from elsewhere, by their path, under the session's ref."""
        self._commit(session_ref(session), dict(blobs), "from elsewhere")

    def put_together(self, session: str, files: Mapping[str, Oid], theirs: Oid | None) -> Oid:
        """Make the branch of a session that is exchanged: these files, as a step forward from `theirs`; its tip.

        All objects are here already.
        """
        if theirs is not None and attachments_in(self.store, theirs) == files:
            self._point(session, theirs)
            return theirs
        changes: dict[str, bytes | None] = {path: self.store.read_object("blob", oid) for path, oid in files.items()}
        before = None if theirs is None else self.store.commit(theirs)
        who = Signature(_AUTHOR, "", max(int(time.time()), 0 if before is None else before.committer.time))
        parents = () if before is None else (before.oid,)
        tree = self.store.edit_tree(None, changes)
        tip = self.store.write_commit(encode_commit(tree, parents, who, who, b"payloads\n"))
        self._point(session, tip)
        return tip

    def _point(self, session: str, tip: Oid) -> None:
        ref = ATTACHMENTS + session
        self.store.move_ref(ref, tip, self.store.ref(ref))

    def rewritten(self, changes: Mapping[Oid, bytes | None]) -> list[tuple[str, Oid, Oid | None]]:
        """Write every session's attachments anew, some with other bytes and some left out (None); no ref is moved.

        Gives each ref with where it is and where it should go: to one commit without history. A ref of another form,
        and of a session with nothing left, goes away if it holds one of the attachments; checkpoints are left as they
        are.
        """
        refs = {ref: oid for ref, oid in self.store.refs("refs/").items() if not ref.startswith(CHECKPOINTS)}
        with self.store.bulk():
            moves = [(ref, oid, self._anew(ref, oid, changes)) for ref, oid in refs.items()]
        return [move for move in moves if move[1] != move[2]]

    def close(self) -> None:
        """Let go of files and memory."""
        self.store.close()

    def _anew(self, ref: str, tip: Oid, changes: Mapping[Oid, bytes | None]) -> Oid | None:
        before = self.store.commit(tip)
        if not ref.startswith(SESSIONS):
            return None if changes.keys() & _reached(self.store, tip) else tip
        edits: dict[str, bytes | None] = {}
        for shard in self.store.tree_entries(before.tree):
            for entry in self.store.tree_entries(before.tree, f"{shard.name}/"):
                if entry.oid in changes:
                    edits |= _moved(f"{shard.name}/{entry.name}", changes[entry.oid])
        if not edits:
            return tip
        tree = self.store.edit_tree(before.tree, edits)
        if not self.store.tree_entries(tree):
            return None
        return self.store.write_commit(encode_commit(tree, (), before.author, before.committer, before.message))

    def _gathered(self, data: Data) -> tuple[bytes, int]:
        """The payload as a whole, and its size; of one that is too large only what shows that it is."""
        if isinstance(data, bytes):
            return data, len(data)
        gathered = bytearray()
        for chunk in data:
            gathered += chunk
            if len(gathered) > self.limit:
                break
        return bytes(gathered), len(gathered)

    def _commit(self, ref: str, changes: dict[str, bytes], what: str) -> None:
        for attempt in range(_TRIES):
            tip = self.store.ref(ref)
            before = None if tip is None else self.store.commit(tip)
            with self.store.bulk():
                oid = self._written(before, changes, what)
            if oid == tip or self.store.move_ref(ref, oid, tip):
                return
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.001 * 2**attempt)))  # noqa: S311 - jitter
        raise BusyError(f"{ref} of the attachments was moved by others {_TRIES} times", hint="try again")

    def _written(self, before: Commit | None, changes: dict[str, bytes], what: str) -> Oid:
        tree = self.store.edit_tree(None if before is None else before.tree, changes)
        if before is not None and tree == before.tree:
            return before.oid
        now = max(int(time.time()), 0 if before is None else before.committer.time)
        who = Signature(_AUTHOR, "", now)
        parents = () if before is None else (before.oid,)
        raw = encode_commit(tree, parents, who, who, f"payload {what}\n".encode())
        return self.store.write_commit(raw)


def attachment_of(data: bytes) -> Attachment:
    """The attachment that some bytes would be."""
    return Attachment(object_id("blob", data), hashlib.sha256(data).hexdigest(), len(data))


def attachments_in(store: EventStore, commit: Oid) -> dict[str, Oid]:
    """Every file that a commit of attachments holds, by its path; raises DamageError where it is none."""
    found: dict[str, Oid] = {}
    tree = store.commit(commit).tree
    for shard in store.tree_entries(tree):
        for entry in store.tree_entries(tree, f"{shard.name}/"):
            found[f"{shard.name}/{entry.name}"] = entry.oid
    return found


def is_path_of(path: str, oid: Oid) -> bool:
    """Whether an attachment lies where one of its id does."""
    shard, _, name = path.partition("/")
    return shard == oid[:2] and name.endswith(f"-{oid[2:14]}") and _NAME.fullmatch(name[:-13]) is not None


def _moved(path: str, data: bytes | None) -> dict[str, bytes | None]:
    """What becomes of a file whose bytes change: it is named after them."""
    if data is None:
        return {path: None}
    name = path.partition("/")[2].rpartition("-")[0]
    return {path: None, _path(name, object_id("blob", data)): data}


def _reached(store: GitStore, tip: Oid) -> set[Oid]:
    listed = require_git(store.path, ["rev-list", "--objects", tip]).decode("utf-8", "replace")
    return {line[:40] for line in listed.splitlines()}


def _path(name: str, oid: Oid) -> str:
    # 256 folders: with one for thousands of attachments, each new one would cost a tree of all names.
    return f"{oid[:2]}/{name}-{oid[2:14]}"


def _require_fit(payloads: list[tuple[str, int, int]]) -> None:
    problems = [Problem(name, f"is larger than {limit:,} bytes") for name, size, limit in payloads if size > limit]
    problems += [
        Problem(name, "is no name for an attachment: use letters, digits, dots, dashes and underscores")
        for name, _, _ in payloads
        if not _NAME.fullmatch(name)
    ]
    if problems:
        raise InvalidError(
            "this payload cannot be kept:", problems, hint="`payloads.max_bytes` in config.toml sets the limit"
        )
