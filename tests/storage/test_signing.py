"""Signing: git's own format, and what is no signature is none, however it is broken."""

from __future__ import annotations

import base64
import os
import struct
import subprocess
from pathlib import Path

import pytest

from ledger.errors import BusyError, RefusedError
from ledger.storage import signing
from ledger.storage.signing import is_good, key_of, sign, taken_apart

COMMIT = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nwords\n"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "ann"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def test_what_is_signed_comes_apart_into_what_it_was_and_whose_it_is(key: Path) -> None:
    signed = taken_apart(sign(COMMIT, str(key)))
    assert signed is not None
    assert signed.payload == COMMIT
    assert signed.key == key_of((key.parent / "ann.pub").read_text())
    assert is_good(signed)
    assert not is_good(signed._replace(payload=COMMIT.replace(b"words", b"swords")))


def armoured(blob: bytes) -> bytes:
    return b"-----BEGIN SSH SIGNATURE-----\n " + base64.b64encode(blob) + b"\n -----END SSH SIGNATURE-----"


@pytest.mark.parametrize(
    "header",
    [
        b"-----BEGIN PGP SIGNATURE-----\n iQ==\n -----END PGP SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\n AAA\n -----END SSH SIGNATURE-----",  # cut within the base64
        armoured(b"SSHSIG"),
        armoured(b"OTHERS" + struct.pack(">II", 1, 4) + b"keys"),
        armoured(b"SSHSIG" + struct.pack(">II", 1, 5) + b"keys"),  # a key longer than what is there
        armoured(b"SSHSIG" + struct.pack(">II", 1, 0)),
    ],
)
def test_a_signature_that_cannot_be_read_is_none(header: bytes) -> None:
    head, _, message = COMMIT.partition(b"\n\n")
    assert taken_apart(head + b"\ngpgsig " + header + b"\n\n" + message) is None


def test_a_commit_without_one_has_none() -> None:
    assert taken_apart(COMMIT) is None
    assert taken_apart(COMMIT + b"\ngpgsig in the message is but words\n") is None


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 AAAA!", "/home/of/ann/id.pub"])
def test_a_line_without_a_public_key_has_none(line: str) -> None:
    assert key_of(line) is None


def test_without_ssh_keygen_it_is_said_what_to_install(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusedError, match="ssh-keygen is not installed"):
        sign(COMMIT, str(key))


def test_one_that_hangs_is_not_waited_for(key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh-keygen"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(signing, "_SECONDS", 0.2)
    with pytest.raises(BusyError, match="took longer than"):
        sign(COMMIT, str(key))
