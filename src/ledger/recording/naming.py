"""Naming: what to call a fact to which its agent gives no id, so that hook and transcript call it the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ledger.recording.shapes import clean


def content_of(value: Any) -> str:
    """A digest of what it is, however its fields are ordered; the same facts are told apart by counting."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return "~" + hashlib.sha256(text.encode()).hexdigest()[:16]


def words_of(text: str) -> str:
    """The same for a text, however it is spaced."""
    return content_of(" ".join(clean(text).split()))


def call_of(tool: str, given: Any) -> str:
    """The same for a call of a tool."""
    return content_of([tool, given])
