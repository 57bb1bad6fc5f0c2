"""Where a command's answer goes: data to standard output, words to standard error."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ledger.cli.errors import ReaderGoneError, say
from ledger.cli.words import visible

Form = Literal["human", "json", "jsonl"]
Style = Literal["id", "time", "who", "added", "removed", "title"]

_CODES: dict[Style, str] = {"id": "33", "time": "2", "who": "36", "added": "32", "removed": "31", "title": "1"}


@dataclass(frozen=True, slots=True)
class Output:
    """How one command answers: the form asked for, whether words are wanted, and whether colour is."""

    form: Form = "human"
    is_quiet: bool = False
    has_colour: bool = False
    is_terminal: bool = False
    indent: int = 0

    @property
    def width(self) -> int | None:
        """The columns of the terminal less `indent`; None where a file or program reads, and nothing is cut."""
        return max(1, shutil.get_terminal_size().columns - self.indent) if self.is_terminal else None

    def answer(self, document: Any, text: Callable[[], Iterable[str]]) -> None:
        """Give one answer: the document as JSON where that is asked for, else the lines of `text`."""
        if self.form == "human":
            self.lines(text())
        elif self.form == "jsonl" and isinstance(document, list):
            self.stream(document)
        else:
            self._write(self._json(document, indent=None if self.form == "jsonl" else 2))

    def stream(self, documents: Iterable[Any]) -> None:
        """Give one JSON document a line, each as soon as it is there."""
        for document in documents:
            self._write(self._json(document))

    def lines(self, lines: Iterable[str]) -> None:
        """Give lines of data to a person; on a terminal nothing in them can steer it but our own colours."""
        for line in lines:
            self._write(line)

    def raw(self, text: str) -> None:
        """Give a text exactly as it is, with a line end; on a terminal, controls in it are spelled out."""
        self._write(visible(text) if self.is_terminal else text)

    def words(self, text: str) -> None:
        """Say something beside the answer; not said where `--quiet` asks for silence."""
        if not self.is_quiet:
            say(visible(text))

    def paint(self, text: str, style: Style) -> str:
        """The text in the colour of its kind, where colour is wanted."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.has_colour and text else text

    def _json(self, document: Any, indent: int | None = None) -> str:
        text = to_json(document, indent)
        return text if not self.is_terminal else _STEERING.sub(lambda found: json.dumps(found[0])[1:-1], text)

    def _write(self, line: str) -> None:
        try:
            sys.stdout.write(line + "\n")
        except BrokenPipeError:
            raise ReaderGoneError from None


# What turns the direction of writing, is not seen, or ends a line: JSON can spell it out.
_STEERING = re.compile("[\u0080-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def to_json(document: Any, indent: int | None = None) -> str:
    """The document as JSON, every character as itself but for lone surrogates, which only paths can hold."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return text if text.isascii() or _is_sound(text) else json.dumps(document, indent=indent)


def _is_sound(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
