"""Object bytes are git's own, and what is written reads back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import DamageError, InvalidError
from ledger.storage import codec
from ledger.storage.store import FILE, FOLDER, Signature, TreeEntry

Git = Callable[..., str]

OID = "aa18296e1ebc2c88ea6270adb6221e284007f9a2"
WHO = Signature("a", "b@c", 12)

oids = st.integers(0, 2**160 - 1).map(lambda n: f"{n:040x}")
signatures = st.builds(Signature, st.text(max_size=30), st.text(max_size=30), st.integers(0, 2**40))
names = st.text(st.characters(blacklist_characters="/\0", codec="utf-8"), min_size=1, max_size=20)


@given(oids, st.lists(oids, max_size=4), signatures, signatures, st.binary().filter(lambda b: b"\0" not in b))
def test_a_commit_reads_back_whatever_its_text(
    tree: str, parents: list[str], author: Signature, committer: Signature, message: bytes
) -> None:
    raw = codec.encode_commit(tree, parents, author, committer, message)
    commit = codec.decode_commit(OID, raw)
    assert (commit.tree, commit.parents, commit.message) == (tree, tuple(parents), message)
    assert (commit.author, commit.committer) == (codec.sanitised(author), codec.sanitised(committer))


@given(signatures)
def test_a_sanitised_signature_stays_as_it_is(signature: Signature) -> None:
    once = codec.sanitised(signature)
    assert codec.sanitised(once) == once
    assert not set("<>\n\0") & set(once.name + once.email)


@given(st.dictionaries(names, st.tuples(st.sampled_from([FILE, FOLDER]), oids)))
def test_a_tree_reads_back_in_git_order(entries: dict[str, tuple[str, str]]) -> None:
    given = [TreeEntry(name, mode, oid) for name, (mode, oid) in entries.items()]
    read = codec.decode_tree(OID, codec.encode_tree(given))
    assert sorted(read) == sorted(given)
    keys = [e.name.encode() + (b"/" if e.is_folder else b"") for e in read]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    "name", ["plain", "with <brackets>", "new\nline", " .crud, ", "", "\u00e9\u4e16", "a\0b", "\ud800", "<>"]
)
def test_git_accepts_every_name_that_is_written(git: Git, git_dir: Path, name: str) -> None:
    tree = git("write-tree").strip()
    raw = codec.encode_commit(tree, [], Signature(name, name, 5), Signature(name, name, 6), b"m")
    command = ["git", f"--git-dir={git_dir}", "hash-object", "-t", "commit", "-w", "--stdin"]
    ran = subprocess.run(command, input=raw, capture_output=True, check=False)
    assert ran.stderr == b""
    assert ran.stdout.decode().strip() == codec.object_id("commit", raw)
    assert "error" not in git("fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize(("kind", "data"), [("blob", b""), ("blob", b"\0\xff" * 999), ("tree", b"")])
def test_ids_are_those_of_git(git_dir: Path, kind: str, data: bytes) -> None:
    command = ["git", f"--git-dir={git_dir}", "hash-object", "-t", kind, "--stdin"]
    found = subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode().strip()
    assert codec.object_id("blob" if kind == "blob" else "tree", data) == found


def test_every_problem_of_a_commit_is_named() -> None:
    with pytest.raises(InvalidError) as refused:
        codec.encode_commit("short", ["x"], WHO._replace(time=-1), WHO, b"a\0b")
    assert [p.path for p in refused.value.problems] == ["commit", "commit", "time", "message"]


def test_headers_of_other_tools_are_passed_over() -> None:
    raw = codec.encode_commit(OID, [], WHO, WHO, b"signed\n")
    head, _, message = raw.partition(b"\n\n")
    signed = head + b"\ngpgsig -----BEGIN\n more\n -----END\nencoding UTF-8\n\n" + message
    assert codec.decode_commit(OID, signed).message == b"signed\n"
    assert codec.decode_commit(OID, signed.replace(b" +0000", b" -0730")).author == WHO


@pytest.mark.parametrize("cut", [0, 10, 46, 60, 90, 100])
def test_a_commit_cut_short_is_damage(cut: int) -> None:
    with pytest.raises(DamageError):
        codec.decode_commit(OID, codec.encode_commit(OID, [OID], WHO, WHO, b"m")[:cut])


@pytest.mark.parametrize("raw", [b"x", b"100644 a\0short", b"100644 a" + bytes(20), b"100644 \0" + bytes(20)])
def test_a_tree_that_cannot_be_read_is_damage(raw: bytes) -> None:
    with pytest.raises(DamageError):
        codec.decode_tree(OID, raw)
