"""Adapt: what a captured payload says, or why it says nothing that can be recorded.

A payload may hold anything: its sender is an agent, and what an agent hands on came from everywhere. Whatever it
holds, it ends here as what a dialect heard or as a refusal in words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ledger.core.clock import stamp
from ledger.core.ids import SessionId
from ledger.errors import BusyError, DamageError, InvalidError, LedgerError, Problem, StorageError
from ledger.recording.adapter import Draft
from ledger.recording.lines import STRICT
from ledger.recording.payloads.payload import Dialect, Heard, Payload
from ledger.storage import spool
from ledger.storage.place import Place
from ledger.storage.spool import Captured

GIT = "git"  # the agent of the payloads of git's own hooks
OURS = "ledger"  # the agent of the payloads that the ledger's own hooks write
LONGEST = 64 * 1024 * 1024
HEAD = 64 * 1024  # bytes that are kept of a longer one

_LATEST = 253_402_300_799_999_999  # the last microsecond that a time can be written for
_IDENTITY = re.compile(r'("[^"\\]{0,64}e-?_?mail[^"\\]{0,64}"\s*:\s*)"(?>(?:[^"\\]++|\\.)*)"?', re.IGNORECASE)
# From where a word begins only: a payload may be one word of 64 MiB.
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]{1,63}+(?>(?:\.[\w-]{1,63}+)+)")
_ENDS = re.compile(rb"[\s\"]")

Recognise = Callable[[Payload, str], Dialect]


class Said(NamedTuple):
    """A payload that was understood: its bytes, when it was captured (UTC), of which session, and what it says.

    `agent` is "" where the payload is the ledger's own, about a session that has been heard of otherwise.
    """

    captured: Captured
    raw: bytes
    time: str
    agent: str
    session: SessionId
    heard: Heard


class Refused(NamedTuple):
    """A payload of which no event can come: why, and its bytes; both as they are, secrets and all."""

    captured: Captured
    raw: bytes
    reason: str


Spoke = dict[int, tuple[str, str]]


def adapt(place: Place, captured: Captured, recognise: Recognise, spoke: Spoke) -> Said | Refused:
    """What a captured payload says. Raises StorageError where it cannot be read from the disk, and
    BusyError or DamageError where the ledger cannot say whose it is.

    `spoke` is who sent the payloads before it, as agent and the agent's own id of the session, by process; whoever
    sent this one is added.
    """
    raw = spool.read(captured, LONGEST + 1)
    if len(raw) > LONGEST:
        return Refused(captured, _head(raw), f"longer than {LONGEST // 2**20} MiB; its first bytes are kept")
    try:
        time = stamp(min(max(captured.time, 0), _LATEST))
        if captured.agent == GIT:
            return _of_git(place, captured, raw, time, spoke)
        payload = _parsed(raw)
        if captured.agent == OURS:
            return _own(captured, raw, time, payload)
        dialect = recognise(payload, captured.agent)
        heard = dialect.hear(payload, time)
        spoke[captured.pid] = dialect.NAME, heard.session
        return Said(captured, raw, time, dialect.NAME, SessionId.of(dialect.NAME, heard.session), heard)
    except RecursionError:
        return Refused(captured, raw, "nested too deeply")
    except (BusyError, DamageError, StorageError):
        raise  # it is the ledger that is at fault, and not the payload
    except LedgerError as error:
        return Refused(captured, raw, error.message)
    except Exception as fault:  # noqa: BLE001 - what one payload makes of a reader must not stop those behind it
        return Refused(captured, raw, f"reading it failed with {type(fault).__name__}: {fault}")


def _of_git(place: Place, captured: Captured, raw: bytes, time: str, spoke: Spoke) -> Said:
    # Imported here: what asks git is of no use to a session that commits nothing.
    from ledger.actions.git_facts import hear_git

    said = hear_git(place, raw, time, spoke)
    return Said(captured, raw, time, said.agent, said.session, said.heard)


def _own(captured: Captured, raw: bytes, time: str, payload: Payload) -> Said:
    """What an agent was given to read, as the hook that answered it noted down."""
    session = SessionId(str(payload.get("injected", "")))
    data = {name: payload[name] for name in ("keys", "at", "text") if name in payload}
    read = Draft("context.read", time, data, f"read:{captured.id}", session)
    return Said(captured, raw, time, "", session, Heard(session, (read,)))


def set_aside(place: Place, refused: Refused) -> None:
    """Keep a refused payload with its reason, both free of secrets and of e-mail addresses; it waits no longer."""
    if place.layout is not None:
        reason = _harmless(place, " ".join(refused.reason.split()))[:2000]
        spool.reject(place.layout, refused.captured, harmless(place, refused.raw), reason)


def harmless(place: Place, raw: bytes) -> bytes:
    """The bytes of a payload without its secrets, without e-mail addresses and without fields that are to hold one."""
    text, encoding = _text(raw)
    return _harmless(place, text).encode(encoding, "surrogateescape")


def _harmless(place: Place, text: str) -> str:
    return _ADDRESS.sub("[redacted:email]", _IDENTITY.sub(r'\1""', place.redactor.text(text)))


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        value = STRICT.decode(raw.decode(json.detect_encoding(raw)).removeprefix("\ufeff"))
    except UnicodeDecodeError as fault:
        raise _broken(f"not {fault.encoding} from byte {fault.start} on") from fault
    except json.JSONDecodeError as fault:
        # Its words without what it quotes: "Expecting value: line 1 column 1 (char 0)".
        raise _broken(f"not JSON: {fault.msg} in line {fault.lineno}, column {fault.colno}") from fault
    except ValueError as fault:
        raise _broken(f"not JSON: {fault} is no number of JSON") from fault
    if not isinstance(value, dict):
        raise _broken("not a JSON object")
    return value


def _broken(why: str) -> InvalidError:
    return InvalidError("this is no payload of an agent's hook:", [Problem("", why)])


def _head(raw: bytes) -> bytes:
    """The first bytes, without what may be the half of a secret at their end."""
    head = raw[:HEAD]
    ends = [found.end() for found in _ENDS.finditer(head)]
    return head[: ends[-1]] if ends else b""


def _text(raw: bytes) -> tuple[str, str]:
    """The bytes as text in which secrets can be found, and the encoding that gives them back."""
    encoding = json.detect_encoding(raw)
    # With a NUL behind every letter no rule finds anything, and UTF-16 within UTF-8 is valid; what is left are letters.
    try:
        return raw.decode(encoding).replace("\0", ""), encoding
    except UnicodeDecodeError:
        return raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"), "utf-8"
