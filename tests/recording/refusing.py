"""Transcripts that tell facts which the ledger refuses: our own readers are careful to tell none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.recording import claude_code
from ledger.recording.adapter import Draft, Reader, Record
from ledger.recording.transcripts import ADAPTERS


class _Reader:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def session(self) -> str:
        return self._reader.session

    def drafts(self, record: Record) -> tuple[Draft, ...]:
        return tuple(map(_without_its_text, self._reader.drafts(record)))

    def rest(self) -> tuple[Draft, ...]:
        return tuple(map(_without_its_text, self._reader.rest()))


class _Adapter:
    NAME, TITLE = claude_code.NAME, claude_code.TITLE
    owns, session_of = staticmethod(claude_code.owns), staticmethod(claude_code.session_of)

    def reader(self, session: str) -> Reader:
        return _Reader(claude_code.reader(session))


def _without_its_text(draft: Draft) -> Draft:
    """A prompt as no prompt may be."""
    return replace(draft, data={"by": "user"}) if draft.type == "prompt.submitted" else draft


def refuse_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claude Code's transcripts tell of prompts without a text from now on."""
    monkeypatch.setitem(ADAPTERS, claude_code.NAME, _Adapter())
