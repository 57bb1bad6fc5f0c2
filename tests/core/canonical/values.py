"""Values to write, nasty ones first: every text here broke some reader or writer of YAML, somewhere."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from ledger.core.canonical import Value

NASTY_TEXTS = [
    *[
        "",
        " ",
        "  x",
        "x  ",
        "\n",
        "\n\n",
        "a\n",
        "a\n\n",
        "a\n\n\nb",
        "\na",
        " a\nb",
        "a\n b",
        "a\n\tb",
        "a\n  ",
        "a\n \nb",
    ],
    *[
        "a\tb",
        "\ta\nb",
        "a \nb ",
        "a\r\nb",
        "a\rb",
        "a\n# b",
        "# a\nb",
        "- a\n- b",
        "a: b\nc: d",
        "---\na",
        "a\n---",
        "a\n...",
    ],
    *[
        "- x",
        "-",
        "--",
        "a: b",
        "a:",
        ":a",
        "a :b",
        "a #b",
        "a#b",
        "#",
        "? x",
        "?",
        "! x",
        "&a",
        "*a",
        "%a",
        "@a",
        "`a",
        "|",
        ">",
    ],
    *[
        "[a",
        "a]",
        "[]",
        "{}",
        "{a: b}",
        "a, b",
        "'",
        '"',
        "''",
        "it's",
        'say "x"',
        "\\",
        "a\\nb",
        "---",
        "...",
        "--- a",
        "%YAML",
    ],
    *[
        "y",
        "N",
        "yes",
        "No",
        "ON",
        "off",
        "true",
        "False",
        "NULL",
        "null",
        "~",
        "nan",
        "Infinity",
        "inf",
        ".nan",
        ".inf",
        "-.Inf",
        "=",
        "<<",
    ],
    *[
        "0",
        "1",
        "-1",
        "+1",
        "1.5",
        ".5",
        "1.",
        "1e5",
        "1E5",
        "1.0e+5",
        "0o7",
        "0x1F",
        "0b1",
        "014",
        "1_0",
        "1,000",
        "12:30:45",
    ],
    *[
        "2026-11-22",
        "2026-11-22T15:13:04.123456Z",
        "2026-11-22 15:13:04 +1",
        "1.2.3",
        "12e34567",
        "3f9c0aa",
        "1a",
        "190:20:30",
    ],
    *[
        "0199f3c2-7b1e-7abc-8def-0123456789ab",
        "00000000-0000-0000-0000-000000000000",
        "12345678-1234-1234-1234-123456789012",
    ],
    *[
        "2h ago",
        "3rd",
        "10 files",
        "50%",
        "/tmp/x",
        "~/x",
        "https://x.y/z?a=b#c",
        "(a)",
        "$HOME",
        "_x",
        "a  b",
        "v1.2",
        "user@host",
    ],
    *[
        "é",
        "日本語",
        "😀",
        "👩‍👩‍👧",
        "a\u0301",
        "\u00a0",
        "a\u00a0b",
        "\u3000a",
        "\u200b",
        "٣",
        "\u00ad",
        "𝟙",
        "\ue000",
    ],
    *[
        "\x85",
        "a\x85b",
        "\u2028",
        "a\u2029b",
        "\ufeff",
        "a\ufeffb",
        "\x7f",
        "\x9b",
        "\x1b[31mred\x1b[0m",
        "\x01",
        "\ufffe",
    ],
    *["\U0001ffff", "\ufdd0", "a\u202eb", "\u2066a", "a\n\x1bb", "a\n\u2028", "😀\n\U0010fffd", "\U0010ffff", "\u061c"],
]

TEXTS = st.one_of(
    st.sampled_from(NASTY_TEXTS),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
    st.text(st.sampled_from(list(" \n\t:#-'\"\\|>{}[],&*!?%@`~=<0123456789.eE+_abyno😀é\x85\u2028\x1b")), max_size=12),
    st.lists(st.sampled_from(NASTY_TEXTS), max_size=4).map("".join),
)
KEYS = TEXTS.filter(lambda text: len(text) < 100)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, TEXTS)


def _nested(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4))


VALUES: st.SearchStrategy[Value] = st.recursive(SCALARS, _nested, max_leaves=12)
DOCUMENTS: st.SearchStrategy[dict[str, Value]] = st.dictionaries(KEYS, VALUES, max_size=5)


def same(one: object, other: object) -> bool:
    """Equal with equal types all the way down: 1, 1.0 and True are three values, 0.0 and -0.0 two."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack("d", one) == struct.pack("d", other)
    return one == other


def nested(depth: int) -> dict[str, Value]:
    """A document of `depth` levels, lists and mappings in turn, with text innermost."""
    value: Value = "x"
    for level in range(depth - 1):
        value = [value] if level % 2 else {"k": value}
    return {"k": value}
