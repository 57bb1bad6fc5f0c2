"""Spelling: the fields of a payload in one spelling, for agents that mix two."""

from __future__ import annotations

import re

from ledger.recording.payloads.payload import Payload

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake_case(payload: Payload) -> dict[str, object]:
    """The payload with the names of its own fields in snake_case; of two spellings of one field snake_case wins."""
    spelled = {_HUMP.sub(lambda hump: f"_{hump[1].lower()}", field): value for field, value in payload.items()}
    return spelled | {field: value for field, value in payload.items() if field in spelled}
