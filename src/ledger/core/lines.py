"""Three-way merge of texts by lines (diff3), with a line diff of our own.

The fold depends on every byte of the result, so the algorithm is frozen here: a change of `difflib`
between two versions of Python would make two machines disagree. It is Myers' greedy diff
("An O(ND) Difference Algorithm and Its Variations", 1986) under a bound on the number of edits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# 400 edits cost at most 160,000 steps, about 0.1 s; texts that differ more are taken as wholly different.
MAX_EDITS = 400


class Merged(NamedTuple):
    """A merged text, and whether both sides changed the same place (then the second side stands there)."""

    text: str
    clashed: bool


def merge_lines(base: str, first: str, second: str) -> Merged:
    """Merge two texts that both come from `base`; where both changed the same lines, `second` wins."""
    lines, one, two = map(split, (base, first, second))
    to_one, to_two = dict(common(lines, one)), dict(common(lines, two))
    merged: list[str] = []
    clashed = False
    at = at_one = at_two = 0
    for anchor in [*(i for i in to_one if i in to_two), None]:
        end = (len(lines), len(one), len(two)) if anchor is None else (anchor, to_one[anchor], to_two[anchor])
        chunk, clash = _choose(lines[at : end[0]], one[at_one : end[1]], two[at_two : end[2]])
        merged += chunk
        clashed = clashed or clash
        if anchor is not None:
            merged.append(lines[anchor])
            at, at_one, at_two = anchor + 1, to_one[anchor] + 1, to_two[anchor] + 1
    return Merged("".join(merged), clashed)


def split(text: str) -> list[str]:
    """The lines of a text, each with its line end; a line ends at LF alone, the last one may lack it."""
    *whole, rest = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([rest] if rest else [])]


def common(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of positions of a common subsequence, ascending; a longest one, within the bounds."""
    head = _shared(a, b)
    tail = _shared(a[head:][::-1], b[head:][::-1])
    middle = _myers(a[head : len(a) - tail], b[head : len(b) - tail])
    return [
        *((i, i) for i in range(head)),
        *((i + head, j + head) for i, j in middle),
        *((len(a) - i, len(b) - i) for i in range(tail, 0, -1)),
    ]


def _choose(base: list[str], one: list[str], two: list[str]) -> tuple[list[str], bool]:
    if one in (base, two):
        return two, False
    if two == base:
        return one, False
    return two, True


def _shared(a: Sequence[str], b: Sequence[str]) -> int:
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return count


def _myers(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    reach = {1: 0}
    trail: list[dict[int, int]] = []
    for edits in range(min(len(a) + len(b), MAX_EDITS) + 1):
        trail.append(dict(reach))
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
            x = reach[k + 1] if down else reach[k - 1] + 1
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            reach[k] = x
            if x >= len(a) and x - k >= len(b):
                return _backtrack(trail, len(a), len(b))
    return []


def _backtrack(trail: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for edits in range(len(trail) - 1, -1, -1):
        reach, k = trail[edits], x - y
        down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
        from_k = k + 1 if down else k - 1
        from_x = reach[from_k]
        from_y = from_x - from_k
        while x > max(from_x, 0) and y > max(from_y, 0):
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = from_x, from_y
    return pairs[::-1]
