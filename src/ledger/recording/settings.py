"""An agent's settings: our hooks put into a text and taken out of it, every other byte left as it stands. Pure.

What is put in goes to the end of what holds it, so that nobody else's place changes: one agent knows a hook that it
trusts by its position.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ledger.recording.jsonc import TRIVIA, Child, Node, parse, refused

HOOKS = "hooks"
THESE = "these settings"

Path = tuple[str, ...]
IsOurs = Callable[[str], bool]

_WHITE = " \t\r\n"
_INDENT = re.compile(r"[ \t]*")


class Wanted(NamedTuple):
    """What an agent's settings shall hold: entries by the agent's events, and single settings where none stands yet."""

    entries: Sequence[tuple[str, Mapping[str, Any]]]
    single: Mapping[str, Any] = {}


class Added(NamedTuple):
    """The text with our part in it, and the paths that were not there before: a removal takes them away again."""

    text: str
    made: tuple[Path, ...]


class Mine(NamedTuple):
    """One of our entries as it stands: the event, the value, and whether somebody else's hooks share it."""

    event: str
    value: Any
    is_shared: bool


def add(text: str, wanted: Wanted, is_ours: IsOurs, what: str = THESE) -> Added:
    """The text with every wanted entry in it, once; one of ours that differs is replaced where it stands.

    `is_ours` tells our commands from others. Raises InvalidError, with line and column, for a text that is not JSON
    with comments, or that holds something else where an agent looks for its hooks.
    """
    made: list[Path] = []
    if not text.strip(_WHITE):
        text, made = f"{text}{{}}{_newline(text)}", [()]
    for name, value in wanted.single.items():
        root = _object(text, parse(text, what), what)
        if not any(root.named(name)):
            text = _append(text, root, value, name)
            made.append((name,))
    for event, entry in _as_they_stand(text, wanted, what):
        text = _with_list(text, event, made, what)
        text = _with_entry(text, event, entry, is_ours)
    return Added(text, tuple(made))


def mine(text: str, is_ours: IsOurs, what: str = THESE) -> list[Mine]:
    """Our entries as they stand in a text, in its order; raises InvalidError for one that is not JSON with comments."""
    if not text.strip(_WHITE):
        return []
    return [
        Mine(event, child.node.value, not _is_wholly(child, is_ours))
        for event, _, child in _found(parse(text, what), is_ours)
    ]


def remove(text: str, is_ours: IsOurs, made: Sequence[Path] | None = None, what: str = THESE) -> str:
    """The text without our entries, and without what `made` says was not there before, where nothing is left in it.

    Where nobody knows what was there before (`made` is None), what our entries alone stood in goes with them. Raises
    InvalidError for a text that is not JSON with comments.
    """
    if not text.strip(_WHITE):
        return text
    emptied: set[Path] = set(made or ())
    while found := _found(parse(text, what), is_ours):
        event, holder, child = found[-1]
        text = _without_ours(text, holder, child, is_ours)
        emptied |= {(HOOKS, event), (HOOKS,)} if made is None else set()
        text = _without_empty(text, emptied)
    return _without_single(_without_empty(text, emptied), emptied, is_ours)


def says_nothing(text: str) -> bool:
    """Whether a text holds no more than what every such file begins with."""
    return not text.strip(_WHITE) or parse(text).value in ({}, {"version": 1})


# Reading


def _found(root: Node, is_ours: IsOurs) -> list[tuple[str, Node, Child]]:
    """Our entries, each with its event and the list that it stands in."""
    return [
        (event, node, child)
        for event, node in _lists(root)
        for child in node.children
        if any(map(is_ours, commands(child.node.value)))
    ]


def _lists(root: Node) -> Iterator[tuple[str, Node]]:
    for hooks in root.named(HOOKS):
        for child in hooks.node.children:
            if child.key is not None and child.node.kind == "list":
                yield child.key, child.node


def commands(value: Any) -> list[str]:
    """The commands of one entry: of its hooks, where it groups some, else its own."""
    if not isinstance(value, dict):
        return []
    hooks = value.get(HOOKS)
    each = hooks if isinstance(hooks, list) else [value]
    return [str(one.get("command", "")) for one in each if isinstance(one, dict)]


def _is_wholly(child: Child, is_ours: IsOurs) -> bool:
    return all(map(is_ours, commands(child.node.value)))


def _object(text: str, node: Node, what: str) -> Node:
    if node.kind != "object":
        raise refused(text, node.start, "an object, in braces, is expected here", what)
    return node


def _only(text: str, holder: Node, key: str, what: str) -> Node | None:
    """The member of that name; raises InvalidError where it stands twice: which of them counts, nobody knows."""
    found = list(holder.named(key))
    if len(found) > 1:
        raise refused(text, found[1].start, f"the key {key!r} stands here a second time", what)
    return found[0].node if found else None


# Adding


def _as_they_stand(text: str, wanted: Wanted, what: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The entries in the order of the events in the text, new events last.

    What is put in changes the lines behind it, and is taken out from the end: so every step back meets the lines that
    its step forth met.
    """
    places = {event: node.start for event, node in _lists(parse(text, what))}
    return sorted(wanted.entries, key=lambda one: places.get(one[0], len(text)))


def _with_list(text: str, event: str, made: list[Path], what: str) -> str:
    root = _object(text, parse(text, what), what)
    hooks = _only(text, root, HOOKS, what)
    if hooks is None:
        made.append((HOOKS,))
        return _with_list(_append(text, root, {}, HOOKS), event, made, what)
    node = _only(text, _object(text, hooks, what), event, what)
    if node is None:
        made.append((HOOKS, event))
        return _append(text, hooks, [], event)
    if node.kind != "list":
        raise refused(text, node.start, f"the hooks of {event} are expected in a list", what)
    return text


def _with_entry(text: str, event: str, entry: Mapping[str, Any], is_ours: IsOurs) -> str:
    there = _entries_of(text, event, is_ours)
    if len(there) == 1 and _is_wholly(there[0][1], is_ours):
        node = there[0][1].node
        return text if node.value == entry else _replaced(text, node, entry)
    while there:
        text = _without_ours(text, *there[-1], is_ours)
        there = _entries_of(text, event, is_ours)
    return _append(text, dict(_lists(parse(text)))[event], entry)


def _entries_of(text: str, event: str, is_ours: IsOurs) -> list[tuple[Node, Child]]:
    return [(node, child) for name, node, child in _found(parse(text), is_ours) if name == event]


def _append(text: str, holder: Node, value: Any, key: str | None = None) -> str:
    """The text with one more child at the end of an object or a list, laid out as its siblings are."""
    if not holder.children:
        return _first(text, holder, value, key)
    last = holder.children[-1].end
    after = _next_is(text, last, ",")
    at = _behind_comments(text, last if after is None else after)
    newline = _newline(text)
    is_inline = not any(
        "\n" in part for part in (text[holder.start : holder.children[0].start], text[last : holder.end])
    )
    indent = _indent_below(text, holder)
    child = _spelled(text, value, key, indent, is_flat="\n" not in text[holder.start : holder.end])
    put = f" {child}" if is_inline else f"{newline}{indent}{child}"
    if after is not None:
        return f"{text[:at]}{put},{text[at:]}"
    return f"{text[:last]},{text[last:at]}{put}{text[at:]}"


def _first(text: str, holder: Node, value: Any, key: str | None) -> str:
    """The text with a child in what was empty.

    A blank line before it says that the line end behind it was there already: without it nobody could tell later.
    """
    at = _behind_comments(text, holder.start + 1)
    newline, around = _newline(text), _line_indent(text, holder.start)
    indent = around + _unit(text)
    child = _spelled(text, value, key, indent, is_flat=False)
    if "\n" in text[at : holder.end]:
        return f"{text[:at]}{newline}{newline}{indent}{child}{text[at:]}"
    return f"{text[:at]}{newline}{indent}{child}{newline}{around}{text[at:]}"


def _replaced(text: str, node: Node, value: Any) -> str:
    spelled = _spelled(
        text, value, None, _line_indent(text, node.start), is_flat="\n" not in text[node.start : node.end]
    )
    return text[: node.start] + spelled + text[node.end :]


def _spelled(text: str, value: Any, key: str | None, indent: str, *, is_flat: bool) -> str:
    laid = json.dumps(value, ensure_ascii=False, indent=None if is_flat else _unit(text))
    label = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
    return label + laid.replace("\n", f"{_newline(text)}{indent}")


# Removing


def _without_ours(text: str, holder: Node, child: Child, is_ours: IsOurs) -> str:
    """The text without one of our entries; of one that others' hooks share, without ours among them."""
    if _is_wholly(child, is_ours):
        return _cut(text, holder, child)
    (group,) = (member.node for member in child.node.children if member.key == HOOKS)
    ours = [one for one in group.children if any(map(is_ours, commands(one.node.value)))]
    return _cut(text, group, ours[-1])


def _without_empty(text: str, paths: set[Path]) -> str:
    """The text without those of the lists and objects that hold nothing."""
    root = parse(text)
    for hooks in root.named(HOOKS):
        for child in reversed(hooks.node.children):
            if (HOOKS, child.key or "") in paths and child.node.value == []:
                return _without_empty(_cut(text, hooks.node, child), paths)
        if (HOOKS,) in paths and hooks.node.value == {}:
            return _without_empty(_cut(text, root, hooks), paths)
    return text


def _without_single(text: str, made: set[Path], is_ours: IsOurs) -> str:
    """The text without the single settings that are ours, and without the whole where we made it and it is empty."""
    while found := _last_single(parse(text), made, is_ours):
        text = _cut(text, *found)
    root = parse(text)
    return text[: root.start] if () in made and not root.children else text


def _last_single(root: Node, made: set[Path], is_ours: IsOurs) -> tuple[Node, Child] | None:
    # What somebody else's hooks have come to stand on stays.
    is_needed = (HOOKS,) in made and any(root.named(HOOKS))
    for child in reversed(root.children):
        if child.node.kind == "object":
            is_single = any(map(is_ours, commands(child.node.value)))
        else:
            is_single = (child.key,) in made and child.node.kind == "scalar" and not is_needed
        if is_single:
            return root, child
    return None


def _cut(text: str, holder: Node, child: Child) -> str:
    """The text without one child: what `_append` put in is taken out to the byte."""
    index = holder.children.index(child)
    begin = len(text[: child.start].rstrip(_WHITE))
    after = _next_is(text, child.end, ",")
    if len(holder.children) == 1 and after is None:
        return text[:begin] + text[_end_of_first(text, holder, begin, child) :]
    if after is not None:  # its own comma, or the one that stands behind the last
        return text[:begin] + text[after:]
    comma = _comma_before(text, holder.children[index - 1].end)
    return text[:comma] + text[comma + 1 : begin] + text[child.end :]


def _end_of_first(text: str, holder: Node, begin: int, child: Child) -> int:
    """Where what `_first` put in ends."""
    if text[begin : child.start].count("\n") > 1:
        return child.end
    ending = re.compile(rf"\r?\n{_line_indent(text, holder.start)}").match(text, child.end)
    return child.end if ending is None else ending.end()


# The text


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text and text.index("\r\n") == text.index("\n") - 1 else "\n"


def _behind_comments(text: str, position: int) -> int:
    """Behind the last comment that stands there; spaces and line ends that follow are left in front."""
    found = TRIVIA.match(text, position)
    return position + len(found[0].rstrip(_WHITE)) if found is not None else position


def _next_is(text: str, position: int, mark: str) -> int | None:
    """The position behind the mark, where it comes next but for trivia; else None."""
    found = TRIVIA.match(text, position)
    position = position if found is None else found.end()
    return position + len(mark) if text.startswith(mark, position) else None


def _comma_before(text: str, position: int) -> int:
    after = _next_is(text, position, ",")
    return position if after is None else after - 1


def _line_indent(text: str, position: int) -> str:
    """The spaces that the line of a position begins with."""
    found = _INDENT.match(text, text.rfind("\n", 0, position) + 1)
    return "" if found is None else found[0]


def _indent_below(text: str, holder: Node) -> str:
    """The indentation of a holder's children."""
    last = holder.children[-1].start
    indent = _line_indent(text, last)
    begins_line = not text[text.rfind("\n", 0, last) + 1 : last].strip(_WHITE)
    return (
        indent if begins_line and "\n" in text[holder.start : last] else _line_indent(text, holder.start) + _unit(text)
    )


def _unit(text: str) -> str:
    """One step of the text's indentation."""
    found = re.search(r"\n([ \t]+)[\"{\[\]}]", text)
    return found[1] if found is not None and found[1] else "  "
