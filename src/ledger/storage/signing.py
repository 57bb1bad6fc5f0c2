"""Signing: commits with an SSH key, as git itself signs and checks them, by OpenSSH's `ssh-keygen`.

The header is git's own `gpgsig` (`gpg.format=ssh`), over the commit without it; the format of the signature is
PROTOCOL.sshsig of OpenSSH. To sign and to check take a process each, 4 to 6 ms.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import struct
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from ledger.errors import BusyError, RefusedError

_NAMESPACE = "git"
_SECONDS = 20.0
_HEADER = re.compile(rb"\ngpgsig ([^\n]*(?:\n [^\n]*)*)\Z")
_ARMOUR = re.compile(rb"-----BEGIN SSH SIGNATURE-----\n(.*)-----END SSH SIGNATURE-----\n?", re.DOTALL)
_MAGIC = b"SSHSIG"


class Signed(NamedTuple):
    """A commit taken apart: the bytes that were signed, the signature in its armour, and the public key in it."""

    payload: bytes
    armour: bytes
    key: bytes


def sign(raw: bytes, key: str) -> bytes:
    """The commit with a signature by the key in that file; raises RefusedError where the key does not sign.

    A public key's file does too, where an agent holds the private one. Nobody is asked for a passphrase.
    """
    path = os.path.expanduser(key)  # noqa: PTH111 - what is given may be no path at all
    done = _ssh_keygen(["-Y", "sign", "-n", _NAMESPACE, "-f", path], raw)
    armour = done[1]
    if done[0] != 0 or not _ARMOUR.fullmatch(armour):
        raise RefusedError(
            f"nothing can be signed with {key}: {done[2] or 'ssh-keygen gave no signature'}",
            hint="config.toml names it: [signing] key; a key with a passphrase has to be in an agent",
        )
    head, _, message = raw.partition(b"\n\n")
    lines = armour.rstrip(b"\n").replace(b"\n", b"\n ")
    return head + b"\ngpgsig " + lines + b"\n\n" + message


def taken_apart(raw: bytes) -> Signed | None:
    """A signed commit taken apart; None for one without an SSH signature that can be read."""
    head, _, message = raw.partition(b"\n\n")
    match = _HEADER.search(head)
    if match is None:
        return None
    armour = match[1].replace(b"\n ", b"\n") + b"\n"
    key = _key_in(armour)
    if key is None:
        return None
    return Signed(head[: match.start()] + b"\n\n" + message, armour, key)


def is_good(signed: Signed) -> bool:
    """Whether the signature is the key's, over just these bytes; whose the key is, others judge."""
    with tempfile.NamedTemporaryFile(prefix="ledger-signature-") as file:
        file.write(signed.armour)
        file.flush()
        return _ssh_keygen(["-Y", "check-novalidate", "-n", _NAMESPACE, "-s", file.name], signed.payload)[0] == 0


def key_of(line: str) -> bytes | None:
    """The public key of a line as in `id_ed25519.pub`; None where it is none."""
    for word in line.split():
        if word.startswith("AAAA"):
            try:
                return base64.b64decode(word, validate=True)
            except binascii.Error:
                return None
    return None


def _key_in(armour: bytes) -> bytes | None:
    match = _ARMOUR.fullmatch(armour)
    if match is None:
        return None
    try:
        blob = base64.b64decode(match[1], validate=False)
        if not blob.startswith(_MAGIC) or len(blob) < 14:
            return None
        (size,) = struct.unpack(">I", blob[10:14])
    except (binascii.Error, struct.error):
        return None
    return blob[14 : 14 + size] if 0 < size <= len(blob) - 14 else None


def _ssh_keygen(arguments: Sequence[str], data: bytes) -> tuple[int, bytes, str]:
    import subprocess

    seen = {name: value for name, value in os.environ.items() if name != "SSH_ASKPASS"}
    seen |= {"LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}
    try:
        ran = subprocess.run(
            ["ssh-keygen", *arguments],
            input=data,
            capture_output=True,
            env=seen,
            timeout=_SECONDS,
            check=False,
            start_new_session=True,
        )
    except FileNotFoundError as fault:
        raise RefusedError("ssh-keygen is not installed, or not on PATH", hint="install OpenSSH's client") from fault
    except subprocess.TimeoutExpired as fault:
        raise BusyError(f"ssh-keygen took longer than {_SECONDS:g} s") from fault
    return ran.returncode, ran.stdout, " ".join(ran.stderr.decode("utf-8", "replace").split())
