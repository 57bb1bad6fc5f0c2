"""JSON with comments and trailing commas: what a settings file says, and where in its text. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ledger.errors import InvalidError, Problem

DEPTH = 100  # nested deeper than any settings are

TRIVIA = re.compile(r"(?>(?:[ \t\r\n]++|//[^\r\n]*+|/\*(?s:.*?)\*/)*)")
_STRING = re.compile(r'"(?>(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_WORD = re.compile(r"true|false|null")


class Child(NamedTuple):
    """One member of an object, its key included, or one item of a list (`key` is None)."""

    start: int
    key: str | None
    node: Node

    @property
    def end(self) -> int:
        """Where it ends, its comma not included."""
        return self.node.end


@dataclass(frozen=True, slots=True)
class Node:
    """One value: where it begins and ends in the text, and what it holds."""

    start: int
    end: int
    kind: Literal["object", "list", "scalar"]
    scalar: Any = None
    children: tuple[Child, ...] = ()

    @property
    def value(self) -> Any:
        """The value as Python has it; of a key that stands twice, the last."""
        if self.kind == "object":
            return {child.key: child.node.value for child in self.children}
        return [child.node.value for child in self.children] if self.kind == "list" else self.scalar

    def named(self, key: str) -> Iterator[Child]:
        """The members of that name."""
        return (child for child in self.children if child.key == key)


def parse(text: str, what: str = "these settings") -> Node:
    """The value that a text holds; raises InvalidError with line and column for what cannot be read."""
    reader = _Reader(text, what)
    root, position = reader.value(reader.skip(1 if text.startswith("\ufeff") else 0), 0)
    if position < len(text):
        raise reader.refusal(position, "nothing may follow the value")
    return root


def refused(text: str, position: int, rule: str, what: str) -> InvalidError:
    """The error for what stands at a position of the text."""
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return InvalidError(
        f"{what} cannot be changed:",
        [Problem(f"line {line}, column {column}", rule)],
        hint="nothing was written; mend the file, then try again",
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    text: str
    what: str

    def refusal(self, position: int, rule: str) -> InvalidError:
        return refused(self.text, position, rule, self.what)

    def skip(self, position: int) -> int:
        """Behind what may stand anywhere: spaces and comments."""
        found = TRIVIA.match(self.text, position)
        position = position if found is None else found.end()
        if self.text.startswith("/*", position):
            raise self.refusal(position, "a comment that does not end")
        return position

    def value(self, position: int, depth: int) -> tuple[Node, int]:
        """The value that begins here, and the position behind it and its trivia."""
        if depth > DEPTH:
            raise self.refusal(position, f"values nest at most {DEPTH} deep")
        opening = self.text[position : position + 1]
        node = self._container(position, depth) if opening in ("{", "[") else self._scalar(position)
        return node, self.skip(node.end)

    def _scalar(self, position: int) -> Node:
        for pattern in (_STRING, _NUMBER, _WORD):
            found = pattern.match(self.text, position)
            if found is not None:
                return Node(position, found.end(), "scalar", json.loads(found[0]))
        raise self.refusal(position, "a value is expected here")

    def _container(self, start: int, depth: int) -> Node:
        kind: Literal["object", "list"] = "object" if self.text[start] == "{" else "list"
        closing = "}" if kind == "object" else "]"
        children: list[Child] = []
        position = self.skip(start + 1)
        while not self.text.startswith(closing, position):
            child, position = self._child(position, depth, is_member=kind == "object")
            children.append(child)
            position = self._comma(position, closing)
        return Node(start, position + 1, kind, None, tuple(children))

    def _child(self, position: int, depth: int, *, is_member: bool) -> tuple[Child, int]:
        start, key = position, None
        if is_member:
            key, position = self._key(position)
        node, position = self.value(position, depth + 1)
        return Child(start, key, node), position

    def _key(self, position: int) -> tuple[str, int]:
        found = _STRING.match(self.text, position)
        if found is None:
            raise self.refusal(position, "a key in double quotes is expected here")
        colon = self.skip(found.end())
        if not self.text.startswith(":", colon):
            raise self.refusal(colon, "a colon is expected here")
        return json.loads(found[0]), self.skip(colon + 1)

    def _comma(self, position: int, closing: str) -> int:
        if self.text.startswith(",", position):
            return self.skip(position + 1)
        if not self.text.startswith(closing, position):
            raise self.refusal(position, f"a comma or {closing} is expected here")
        return position
