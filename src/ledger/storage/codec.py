"""The bytes of git objects, exactly as git writes them, and the ids that follow from them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache

from ledger.errors import DamageError, InvalidError, Problem, UsageError
from ledger.storage.store import FOLDER, Commit, Kind, Oid, Signature, TreeEntry

# Header lines that we do not write but other tools do (gpgsig, encoding, mergetag) are skipped.
_COMMIT = re.compile(
    rb"tree ([0-9a-f]{40})\n"
    rb"((?:parent [0-9a-f]{40}\n)*)"
    rb"author ([^<>\n]*) ?<([^<>\n]*)> (\d{1,18}) [+-]\d{4}\n"
    rb"committer ([^<>\n]*) ?<([^<>\n]*)> (\d{1,18}) [+-]\d{4}\n"
    rb"(?:[^\n]+\n)*\n"
)
_TREE_ENTRY = re.compile(rb"([0-7]{5,6}) ([^\0/]+)\0(.{20})", re.DOTALL)
_OID = re.compile(r"[0-9a-f]{40}")

# What git itself strips from the ends of a name (ident.c calls it crud), besides control characters.
_CRUD = " .,:;<>\"\\'" + "".join(map(chr, range(33)))
_FORBIDDEN = str.maketrans("", "", "<>\n\r\0")
_NAMELESS = "unknown"


def is_oid(text: str) -> bool:
    """Whether `text` is written like an object id."""
    return _OID.fullmatch(text) is not None


def require_oid_prefix(prefix: str) -> None:
    """Raise UsageError for what cannot be the start of an object id."""
    if not 4 <= len(prefix) <= 40 or not set(prefix) <= set("0123456789abcdef"):
        raise UsageError(f"not the start of a commit id: {prefix!r}", hint="give 4 to 40 hex digits")


def object_id(kind: Kind, data: bytes) -> Oid:
    """The id that git gives to an object of this kind and content."""
    return object_digest(kind, data).hex()


def object_digest(kind: Kind, data: bytes) -> bytes:
    """The id as 20 raw bytes, as trees and packs hold it."""
    return digest(b"%s %d\0" % (kind.encode(), len(data)) + data)


def digest(content: bytes) -> bytes:
    """The SHA-1 of bytes; git's ids take it over an object's header and content."""
    return hashlib.sha1(content, usedforsecurity=False).digest()


def sanitised(signature: Signature) -> Signature:
    """The signature that git would store: without the characters that would break the header."""
    name = signature.name.translate(_FORBIDDEN).strip(_CRUD) or _NAMELESS
    return Signature(name, signature.email.translate(_FORBIDDEN).strip(_CRUD), signature.time)


def encode_commit(tree: Oid, parents: Iterable[Oid], author: Signature, committer: Signature, message: bytes) -> bytes:
    """The bytes of a commit; equal input gives equal bytes, on every machine.

    Names and e-mails are sanitised. Raises InvalidError, with all problems, for an id that is not
    one, a time before 1970, or a NUL in the message (libgit2 cuts a message there without a word).
    """
    ancestors = tuple(parents)
    _require_commit((tree, *ancestors), (author, committer), message)
    lines = [f"tree {tree}\n", *(f"parent {p}\n" for p in ancestors)]
    lines += [f"author {_stamp(author)}\n", f"committer {_stamp(committer)}\n\n"]
    return "".join(lines).encode("utf-8", "replace") + message


def decode_commit(oid: Oid, raw: bytes) -> Commit:
    """The commit that `raw` spells; raises DamageError if it is none."""
    match = _COMMIT.match(raw)
    if match is None:
        raise DamageError(f"commit {oid} has no valid header", hint="run: ledger verify --full")
    tree, parents, *people = match.groups()
    return Commit(
        oid,
        tuple(parents.decode("ascii").split()[1::2]),
        tree.decode("ascii"),
        _signature(*people[:3]),
        _signature(*people[3:]),
        raw[match.end() :],
    )


def encode_tree(entries: Iterable[TreeEntry]) -> bytes:
    """The bytes of a tree; the entries may come in any order."""
    rows = sorted((_sort_key(e), e.mode.encode(), bytes.fromhex(e.oid)) for e in entries)
    return join_tree((mode, name.removesuffix(b"/"), digest) for name, mode, digest in rows)


def join_tree(rows: Iterable[tuple[bytes, bytes, bytes]]) -> bytes:
    """The bytes of a tree from mode, name and raw id of each entry, already in git's order."""
    return b"".join([b"%s %s\0%s" % row for row in rows])


def decode_tree(oid: Oid, raw: bytes) -> list[TreeEntry]:
    """The entries that `raw` spells, in git's order; raises DamageError if it is no tree."""
    return [
        TreeEntry(name.decode("utf-8", "surrogateescape"), mode.decode("ascii"), digest.hex())
        for mode, name, digest in tree_rows(oid, raw)
    ]


def tree_rows(oid: Oid, raw: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Mode, name and raw id of each entry, undecoded; raises DamageError if `raw` is no tree."""
    rows = _TREE_ENTRY.findall(raw)
    # 22 = the space, the NUL and the 20 bytes of the id: anything findall skipped shows up here.
    if sum(len(mode) + len(name) + 22 for mode, name, _ in rows) != len(raw):
        raise DamageError(f"tree {oid} cannot be read", hint="run: ledger verify --full")
    return rows


def _require_commit(oids: tuple[Oid, ...], people: tuple[Signature, Signature], message: bytes) -> None:
    problems = [Problem("commit", f"{oid!r} is not an object id") for oid in oids if not is_oid(oid)]
    problems += [Problem("time", f"{p.time} is out of range") for p in people if not 0 <= p.time < 2**53]
    if b"\0" in message:
        problems.append(Problem("message", "holds a NUL byte"))
    if problems:
        raise InvalidError("this commit cannot be written:", problems)


def _stamp(signature: Signature) -> str:
    name, email, time = sanitised(signature)
    return f"{name} <{email}> {time} +0000"


def _signature(name: bytes, email: bytes, time: bytes) -> Signature:
    return Signature(*_person(name, email), int(time))


@lru_cache(maxsize=1024)  # a history has few authors: half the time of decoding a commit
def _person(name: bytes, email: bytes) -> tuple[str, str]:
    return name.rstrip(b" ").decode("utf-8", "replace"), email.decode("utf-8", "replace")


def _sort_key(entry: TreeEntry) -> bytes:
    # git sorts a folder as if its name ended in a slash.
    name = entry.name.encode("utf-8", "surrogateescape")
    return name + b"/" if entry.mode == FOLDER else name
