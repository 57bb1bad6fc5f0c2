"""Keys: the names of pieces of context, by construction free of every path trick."""

from __future__ import annotations

import re
import unicodedata

from ledger.errors import InvalidError, Problem

MAX_SEGMENTS = 8
MAX_SEGMENT = 64

_SEGMENT = re.compile(r"[a-z0-9][a-z0-9._-]*")
_FOREIGN = re.compile(r"[^a-z0-9._-]+")
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))})


def check_key(key: str, field: str = "key") -> str:
    """Return `key` if it is one; raise InvalidError with every broken rule and the nearest valid key."""
    broken = key_problems(key, field)
    if broken:
        raise InvalidError(
            f"not a valid key: {key[:200]!r}", broken, hint=f"the nearest valid key is {nearest_key(key)!r}"
        )
    return key


def key_problems(key: str, field: str = "key") -> list[Problem]:
    """Every rule of the key grammar that `key` breaks; empty if it is a key."""
    segments = key.split("/")
    broken = [Problem(field, rule) for segment in segments for rule in _segment_rules(segment)]
    if len(segments) > MAX_SEGMENTS:
        broken.append(Problem(field, f"has {len(segments)} segments; at most {MAX_SEGMENTS}"))
    return list(dict.fromkeys(broken))


def nearest_key(text: str) -> str:
    """The valid key that looks most like `text`: itself, if it is one."""
    if not key_problems(text):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    segments = [_nearest_segment(s) for s in plain.replace("\\", "/").split("/")]
    return "/".join([s for s in segments if s][:MAX_SEGMENTS]) or "untitled"


def _segment_rules(segment: str) -> list[str]:
    shown = segment[:80]
    if not segment:
        return ["has an empty segment (a slash too many)"]
    rules = []
    if len(segment) > MAX_SEGMENT:
        rules.append(f"segment {shown!r} has {len(segment)} characters; at most {MAX_SEGMENT}")
    if not _SEGMENT.fullmatch(segment):
        rules.append(f"segment {shown!r} may hold only a-z, 0-9, '.', '_' and '-', and starts with a letter or digit")
    if segment.endswith("."):
        rules.append(f"segment {shown!r} may not end in a dot")
    if segment.endswith(".yaml"):
        rules.append(f"segment {shown!r} may not end in '.yaml'")
    if segment.split(".", maxsplit=1)[0] in _DEVICES:
        rules.append(f"segment {shown!r} is a device name on Windows")
    return rules


def _nearest_segment(segment: str) -> str:
    text = _FOREIGN.sub("-", segment).lstrip("._-")
    if text.split(".", maxsplit=1)[0].rstrip("-") in _DEVICES:
        text = f"x-{text}"
    text = text[:MAX_SEGMENT]
    while text.endswith((".yaml", ".", "-")):
        text = text.removesuffix(".yaml").rstrip(".-")
    return text
