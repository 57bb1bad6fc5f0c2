"""Settings files: what is put in can be taken out to the byte, whatever stands around it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidError
from ledger.recording.jsonc import parse
from ledger.recording.settings import Mine, Wanted, add, mine, remove, says_nothing


def is_ours(command: str) -> bool:
    return "ledger/hook" in command


def entry(event: str, seconds: int = 10) -> dict[str, Any]:
    return {"hooks": [{"type": "command", "command": f"ledger/hook x {event}", "timeout": seconds}]}


WANTED = Wanted([(event, entry(event)) for event in ("Stop", "Start")], {"version": 1})
FOREIGN = {"matcher": "Bash", "hooks": [{"type": "command", "command": "make check"}]}

SPACES = st.sampled_from(["", " ", "\t", "\n", "\n  ", "\r\n\t", " /* a, b] */ ", " // c}\n", "\n\n"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["//", "/*", '"', "\\", "ledger"]),
)


@st.composite
def spelled(draw: st.DrawFn, value: Any) -> str:
    """A value as a person might have typed it: any spaces, comments and trailing commas."""
    around = draw(SPACES), draw(SPACES)
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}{draw(SPACES)}:{draw(spelled(v))}" for k, v in value.items()]
        brackets = "{}"
    elif isinstance(value, list):
        parts = [draw(spelled(one)) for one in value]
        brackets = "[]"
    else:
        return around[0] + json.dumps(value, ensure_ascii=draw(st.booleans())) + around[1]
    inner = f",{draw(SPACES)}".join(parts)
    tail = f"{draw(SPACES)}," if parts and draw(st.booleans()) else ""
    return f"{around[0]}{brackets[0]}{draw(SPACES)}{inner}{tail}{draw(SPACES)}{brackets[1]}{around[1]}"


ANY = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
HOOKS = st.dictionaries(
    st.sampled_from(["Stop", "Start", "PreToolUse"]),
    st.lists(st.sampled_from([FOREIGN, {}, 1, {"hooks": []}]), max_size=3),
)
OTHERS = st.dictionaries(st.sampled_from(["model", "env", "a"]), ANY, max_size=2)
WHOLES = st.one_of(
    OTHERS,
    st.tuples(OTHERS, HOOKS, OTHERS).map(lambda t: t[0] | {"hooks": t[1]} | t[2]),
    st.just({"version": 1, "hooks": {}}),
)
TEXTS = st.one_of(
    st.tuples(st.sampled_from(["", "\ufeff"]), WHOLES.flatmap(spelled)).map("".join), st.sampled_from(["", "\n", "  "])
)


@given(TEXTS)
def test_what_is_put_in_is_taken_out_to_the_byte(text: str) -> None:
    added = add(text, WANTED, is_ours)
    assert remove(added.text, is_ours, added.made) == text


@given(TEXTS)
def test_a_second_time_changes_nothing(text: str) -> None:
    added = add(text, WANTED, is_ours)
    assert add(added.text, WANTED, is_ours) == (added.text, ())


@given(TEXTS)
def test_what_was_there_is_still_there_in_its_order_and_ours_comes_last(text: str) -> None:
    before = parse(text).value if text.strip() else {}
    after = parse(add(text, WANTED, is_ours).text).value
    assert {name: value for name, value in after.items() if name not in ("hooks", "version")} == {
        name: value for name, value in before.items() if name not in ("hooks", "version")
    }
    for event, theirs in before.get("hooks", {}).items():
        assert after["hooks"][event][: len(theirs)] == theirs
    for event in ("Stop", "Start"):
        assert after["hooks"][event][-1] == entry(event)


@given(TEXTS)
def test_a_text_without_ours_is_left_as_it_is(text: str) -> None:
    assert remove(text, is_ours) == text
    assert mine(text, is_ours) == []


def test_settings_as_people_keep_them_stay_as_they_are_around_ours() -> None:
    text = """\
{
  // shared by the team
  "model": "opus",
  "hooks": {
    "Stop": [
      { "hooks": [{ "type": "command", "command": "make check" }] }, // ours first
    ],
  },
  "env": {}
}
"""
    assert (
        add(text, Wanted([("Stop", entry("Stop")), ("Start", entry("Start"))]), is_ours).text
        == """\
{
  // shared by the team
  "model": "opus",
  "hooks": {
    "Stop": [
      { "hooks": [{ "type": "command", "command": "make check" }] }, // ours first
      {
        "hooks": [
          {
            "type": "command",
            "command": "ledger/hook x Stop",
            "timeout": 10
          }
        ]
      },
    ],
    "Start": [
      {
        "hooks": [
          {
            "type": "command",
            "command": "ledger/hook x Start",
            "timeout": 10
          }
        ]
      }
    ],
  },
  "env": {}
}
"""
    )


def test_one_of_ours_that_differs_is_replaced_where_it_stands() -> None:
    text = json.dumps({"hooks": {"Stop": [entry("Stop", 5), FOREIGN]}})
    text = add(text, Wanted([("Stop", entry("Stop"))]), is_ours).text
    assert json.loads(text) == {"hooks": {"Stop": [entry("Stop"), FOREIGN]}}


def test_ours_twice_becomes_once() -> None:
    text = json.dumps({"hooks": {"Stop": [entry("Stop"), FOREIGN, entry("Stop")]}})
    text = add(text, Wanted([("Stop", entry("Stop"))]), is_ours).text
    assert json.loads(text) == {"hooks": {"Stop": [FOREIGN, entry("Stop")]}}


def test_of_a_group_that_others_share_only_ours_is_taken_out() -> None:
    ours = entry("Stop")["hooks"]
    text = json.dumps({"hooks": {"Stop": [FOREIGN | {"hooks": [*ours, *FOREIGN["hooks"], *ours]}]}})
    assert [one.is_shared for one in mine(text, is_ours)] == [True]
    assert json.loads(remove(text, is_ours)) == {"hooks": {"Stop": [FOREIGN]}}


def test_without_a_memory_of_before_what_ours_alone_stood_in_goes_too() -> None:
    text = add('{"a": 1}', WANTED, is_ours).text
    assert mine(text, is_ours) == [Mine(event, entry(event), False) for event in ("Stop", "Start")]
    assert json.loads(remove(text, is_ours)) == {"a": 1, "version": 1}
    assert says_nothing(remove(add("", WANTED, is_ours).text, is_ours))


def test_what_others_added_since_stays() -> None:
    added = add("{}", WANTED, is_ours)
    theirs = json.loads(added.text)
    theirs["hooks"]["Stop"].append(FOREIGN)
    assert json.loads(remove(json.dumps(theirs, indent=2), is_ours, added.made)) == {
        "version": 1,
        "hooks": {"Stop": [FOREIGN]},
    }


def test_a_single_setting_that_somebody_has_is_left_to_them() -> None:
    line = {"statusLine": {"type": "command", "command": "ledger/hook line"}}
    assert json.loads(add('{"statusLine": 1}', Wanted([], line), is_ours).text) == {"statusLine": 1}
    added = add("{}", Wanted([], line), is_ours)
    assert remove(added.text, is_ours, added.made) == "{}"
    changed = added.text.replace("ledger/hook line", "date")
    assert remove(changed, is_ours, added.made) == changed


@pytest.mark.parametrize(
    ("text", "place", "rule"),
    [
        ('{"a": 1', "line 1, column 8", "a comma or } is expected here"),
        ('{\n  "a" 1}', "line 2, column 7", "a colon is expected here"),
        ("{a: 1}", "line 1, column 2", "a key in double quotes is expected here"),
        ('{"a": tru}', "line 1, column 7", "a value is expected here"),
        ('{"a": "x\ny"}', "line 1, column 7", "a value is expected here"),
        ("{,}", "line 1, column 2", "a key in double quotes is expected here"),
        ("{} {}", "line 1, column 4", "nothing may follow the value"),
        ("// only words", "line 1, column 14", "a value is expected here"),
        ("{ /* no end }", "line 1, column 3", "a comment that does not end"),
        ("[]", "line 1, column 1", "an object, in braces, is expected here"),
        ('{"hooks": []}', "line 1, column 11", "an object, in braces, is expected here"),
        ('{"hooks": {"Stop": {}}}', "line 1, column 20", "the hooks of Stop are expected in a list"),
        ('{"hooks": {}, "hooks": {}}', "line 1, column 15", "the key 'hooks' stands here a second time"),
        ("[" * 200, "line 1, column 102", "values nest at most 100 deep"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_its_place(text: str, place: str, rule: str) -> None:
    with pytest.raises(InvalidError) as refused:
        add(text, WANTED, is_ours, ".claude/settings.json")
    assert [tuple(problem) for problem in refused.value.problems] == [(place, rule)]
    assert refused.value.message.startswith(".claude/settings.json cannot be changed:")
