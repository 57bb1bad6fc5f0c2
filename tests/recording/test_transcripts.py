"""Reading any transcript: whose it is, every byte kept, damage reported where it is and nowhere else."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recording.samples import DATA, SAMPLES, drafts, of_type, problems, sample, units

from ledger.errors import InvalidError, RefusedError, UsageError
from ledger.recording import transcripts
from ledger.recording.lines import LONGEST_LINE

AGENTS = {"claude-code": "claude-code", "codex": "codex", "gemini-cli": "gemini"}
FOREIGN = {
    "amp": "an Amp transcript",
    "copilot": "a GitHub Copilot CLI transcript",
    "cursor": "a Cursor transcript",
    "droid": "a Factory Droid transcript",
    "opencode": "an OpenCode transcript",
    "pi": "a Pi transcript",
}
LINES = [name for name in SAMPLES if name.endswith(".jsonl")]


def agent_of(name: str) -> str:
    return next(agent for agent in transcripts.ADAPTERS if name.startswith(agent))


def real(folder: Path) -> Iterator[tuple[str, Path]]:
    for name, agent in AGENTS.items():
        yield from ((agent, path) for path in sorted((folder / name).iterdir()))


# Whose it is


@pytest.mark.parametrize("name", SAMPLES)
def test_a_transcript_is_known_from_its_content(name: str) -> None:
    assert transcripts.recognise(sample(name)) == agent_of(name)


@pytest.mark.parametrize("name", LINES)
def test_a_damaged_start_does_not_hide_the_agent(name: str) -> None:
    cut = sample(name)[7:]
    assert transcripts.recognise(b"\x00\xff{]\n" + cut) == agent_of(name)


def test_every_real_transcript_is_known(fixtures_dir: Path) -> None:
    for agent, path in real(fixtures_dir):
        assert transcripts.recognise(path.read_bytes()) == agent, path.name


@pytest.mark.parametrize("folder", FOREIGN)
def test_a_foreign_transcript_is_refused_by_name(folder: str, fixtures_dir: Path) -> None:
    for path in sorted((fixtures_dir / folder).iterdir()):
        with pytest.raises(RefusedError, match=f"^this is {FOREIGN[folder]}; it cannot be read yet$"):
            transcripts.read([path.read_bytes()])


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ({"type": "session.start", "data": {}, "parentId": None}, "a GitHub Copilot CLI"),
        ({"role": "user", "message": {"content": []}}, "a Cursor"),
        ({"type": "session_start", "id": "x", "version": 2}, "a Factory Droid"),
        ({"type": "session", "version": 3, "id": "x"}, "a Pi"),
        ({"type": "step_start", "sessionID": "ses_1", "part": {}}, "an OpenCode"),
        ({"v": 1, "id": "T-1", "messages": []}, "an Amp"),
    ],
)
def test_one_line_is_enough_to_refuse_by_name(line: dict[str, Any], title: str) -> None:
    with pytest.raises(RefusedError, match=f"this is {title} transcript"):
        transcripts.recognise(json.dumps(line).encode())


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "it is empty"),
        (b" \n\n", "it is empty"),
        (b"once upon a time\n", "no line has the shape of an agent's record"),
        (b'{"a": 1}\n[]\n', "no line has the shape of an agent's record"),
        (b'{"hook_event_name": "Stop", "session_id": "x"}', "these are payloads of an agent's hooks"),
    ],
)
def test_what_is_no_transcript_is_refused_with_the_reason(raw: bytes, rule: str) -> None:
    with pytest.raises(InvalidError) as refused:
        transcripts.read([raw])
    assert [problem.rule for problem in refused.value.problems] == [rule]


def test_an_unknown_agent_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="no reader for the agent 'emacs'"):
        transcripts.read([b""], agent="emacs")


def test_the_majority_names_a_mixed_file_and_strangers_are_reported_by_line() -> None:
    codex, claude = sample("codex.jsonl").splitlines(True), sample("claude-code.jsonl").splitlines(True)
    copilot = b'{"type":"user.message","data":{},"id":"x","parentId":null}\n'
    mixed = b"".join([*codex[:6], claude[9], copilot, *codex[6:]])
    assert problems(mixed) == {
        7: "a Claude Code line in a Codex transcript",
        8: "a GitHub Copilot CLI line in a Codex transcript",
    }
    assert drafts(mixed) == drafts(sample("codex.jsonl"))


# Every byte is kept, whatever comes


def test_every_real_transcript_is_read_whole_and_without_a_problem(fixtures_dir: Path) -> None:
    for _agent, path in real(fixtures_dir):
        raw = path.read_bytes()
        found = units(raw)
        assert b"".join(unit.raw for unit in found) == raw, path.name
        assert [unit.number for unit in found if unit.problem] == [], path.name
        facts = [(draft.session, draft.ref) for unit in found for draft in unit.drafts]
        assert len(facts) == len(set(facts)), path.name


def test_every_session_starts_once_and_first(fixtures_dir: Path) -> None:
    for path in [*(path for _agent, path in real(fixtures_dir)), *DATA.iterdir()]:
        seen: dict[str, list[str]] = {}
        for draft in drafts(path.read_bytes()):
            seen.setdefault(draft.session, []).append(draft.type)
        for types in seen.values():
            assert types[0] == "session.started", path.name
            assert types.count("session.started") == 1, path.name


@pytest.mark.parametrize("name", SAMPLES)
def test_the_cutting_of_the_input_changes_nothing(name: str) -> None:
    raw = sample(name)
    whole = units(raw)
    assert list(transcripts.read(raw[i : i + 7] for i in range(0, len(raw), 7)).units) == whole
    assert list(transcripts.read(io.BytesIO(raw)).units) == whole


@pytest.mark.parametrize("name", SAMPLES)
@given(edits=st.lists(st.tuples(st.integers(0), st.integers(0, 40), st.binary(max_size=12)), max_size=6))
def test_no_bytes_make_reading_fail_or_lose_a_byte(name: str, edits: list[tuple[int, int, bytes]]) -> None:
    raw = sample(name)
    for place, length, new in edits:
        at = place % (len(raw) + 1)
        raw = raw[:at] + new + raw[at + length :]
    assert b"".join(unit.raw for unit in units(raw, agent=agent_of(name))) == raw


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["9" * 9]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", LINES)
@given(seed=st.randoms(use_true_random=False), values=st.lists(JSON, min_size=1, max_size=20))
def test_no_value_in_any_field_makes_reading_fail(name: str, seed: random.Random, values: list[Any]) -> None:
    records = [json.loads(line) for line in sample(name).splitlines()]
    for value in values:
        replace_somewhere(seed.choice(records), value, seed)
    raw = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    for draft in drafts(raw, agent=agent_of(name)):
        json.dumps(draft.data, allow_nan=False, ensure_ascii=False).encode()


def replace_somewhere(node: Any, value: Any, seed: random.Random) -> None:
    while node:
        key = seed.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if not isinstance(node[key], (dict, list)) or not node[key] or seed.random() < 0.2:
            node[key] = value
            return
        node = node[key]


# Damage


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda line: line[: len(line) // 2] + b"\n", "not JSON"),
    "bytes": (lambda line: line[:20] + b"\xff\xfe" + line[20:], "not UTF-8"),
    "nul": (lambda line: b"\x00" * 40 + line, "holds NUL bytes"),
    "nan": (lambda line: b'{"x": NaN, ' + line[1:], "not JSON"),
    "deep": (lambda line: b'{"x":' * 100_000 + line, "nested too deeply"),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("name", LINES)
def test_exactly_the_damaged_lines_are_reported(name: str, kind: str) -> None:
    harm, problem = DAMAGE[kind]
    lines = sample(name).splitlines(True)
    damaged = {2, len(lines) - 1}
    raw = b"".join(harm(line) if number in damaged else line for number, line in enumerate(lines, 1))
    assert problems(raw) == dict.fromkeys(damaged, problem)


def test_damage_costs_no_fact_of_other_lines() -> None:
    lines = sample("codex.jsonl").splitlines(True)
    whole = {draft.ref: draft for draft in drafts(b"".join(lines))}
    lines[10] = b"{\n"  # a count of tokens, made up for by the next one
    found = drafts(b"".join(lines))
    assert [draft for draft in found if draft.type != "usage.reported"] == [
        draft for draft in whole.values() if draft.type != "usage.reported"
    ]


def test_blank_lines_and_carriage_returns_are_fine() -> None:
    raw = sample("codex.jsonl").replace(b"\n", b"\r\n\n \n")
    assert problems(raw) == {}
    assert drafts(raw) == drafts(sample("codex.jsonl"))


def test_a_bare_value_is_whole_and_tells_nothing() -> None:
    first, *others = sample("codex.jsonl").splitlines(True)
    raw = b"".join([first, b'"massive error"\n42\n[1]\nnull\n', *others])
    assert problems(raw) == {}
    assert drafts(raw) == drafts(sample("codex.jsonl"))


def test_a_cut_last_line_is_incomplete_and_a_whole_one_needs_no_end() -> None:
    raw = sample("codex.jsonl")
    assert problems(raw[:-30]) == {len(raw.splitlines()): "incomplete last line"}
    assert drafts(raw[:-1]) == drafts(raw)


def test_a_line_of_a_megabyte_is_read() -> None:
    record = json.loads(sample("codex.jsonl").splitlines()[5])
    record["payload"]["content"][0]["text"] = "Long. " * 200_000
    raw = sample("codex.jsonl").splitlines(True)[0] + json.dumps(record).encode()
    [prompt] = of_type(raw, "prompt.submitted")
    assert len(prompt.data["text"]) <= 8_000
    assert prompt.data["text"].endswith(" characters]")


def test_a_line_beyond_the_limit_is_reported_once_and_kept_in_pieces() -> None:
    first, *others = sample("codex.jsonl").splitlines(True)
    monster = b'{"type":"event_msg","payload":{"x":"' + b"a" * (LONGEST_LINE + 10) + b'"}}\n'
    found = units(b"".join([first, monster, *others]))
    pieces = [unit for unit in found if unit.number == 2]
    assert [unit.problem for unit in pieces] == ["longer than 32 MiB", None]
    assert b"".join(unit.raw for unit in pieces) == monster
    assert max(len(unit.raw) for unit in found) <= LONGEST_LINE
    assert [draft for unit in found for draft in unit.drafts] == drafts(sample("codex.jsonl"))


def test_lines_are_read_as_they_come() -> None:
    line = sample("codex.jsonl").splitlines(True)[5]
    given_out = 0

    def endless() -> Iterator[bytes]:
        nonlocal given_out
        while True:
            given_out += 1
            yield line * 5_000

    found = transcripts.read(endless()).units
    for _ in range(500):
        next(found)
    assert given_out <= 2, "the head is looked at, and at most one more piece"


@pytest.mark.parametrize("opened", ["<system-reminder>", "<command-name>", "<hook_context>", "<a-a-a-a-"])
@pytest.mark.parametrize("name", ["claude-code.jsonl", "codex.jsonl", "gemini.jsonl"])
def test_a_megabyte_of_blocks_that_never_end_is_read_like_any_text(name: str, opened: str) -> None:
    raw = sample(name)
    for asked in (b"Fix the failing", b"Refactor", b"Write hello.txt"):
        raw = raw.replace(asked, opened.encode() * 60_000)
    assert len(of_type(raw, "turn.ended")) == len(of_type(sample(name), "turn.ended"))


# Time and growth


def test_a_line_without_a_time_has_that_of_the_line_before() -> None:
    lines = [json.loads(line) for line in sample("codex.jsonl").splitlines()]
    lines[5]["timestamp"], lines[6]["timestamp"] = "yesterday", None
    raw = b"\n".join(json.dumps(line).encode() for line in lines)
    assert of_type(raw, "prompt.submitted")[0].time == "2026-11-18T11:06:40.530000Z"


def test_without_any_time_it_is_1970() -> None:
    raw = b'{"type":"user","uuid":"u","sessionId":"s","message":{"role":"user","content":"Hi"}}\n'
    assert {draft.time for draft in drafts(raw)} == {"1970-01-01T00:00:00.000000Z"}


@pytest.mark.parametrize("name", LINES)
def test_the_facts_of_a_growing_transcript_only_grow(name: str) -> None:
    lines = sample(name).splitlines(True)
    whole = drafts(b"".join(lines))
    for count in range(1, len(lines)):
        before = drafts(b"".join(lines[:count]), agent=agent_of(name), growing=True)
        assert before == whole[: len(before)]


def test_a_longer_real_rollout_begins_with_the_facts_of_the_shorter(fixtures_dir: Path) -> None:
    [short] = (fixtures_dir / "codex").glob("*_61_*")
    [long] = (fixtures_dir / "codex").glob("*_b0_*")
    before, after = drafts(short.read_bytes()), drafts(long.read_bytes())
    assert len(before) > 200
    assert after[: len(before)] == before


@pytest.mark.parametrize("session", [None, "given"])
def test_a_transcript_that_names_no_session_has_the_given_one_or_one_of_its_own(session: str | None) -> None:
    sessions = {draft.session for draft in drafts(sample("claude-code-web.json"), session=session)}
    assert sessions == {session or "unnamed-811b6dd14d2bd100"}


# Documents


@pytest.mark.parametrize("name", ["gemini.json", "claude-code-web.json"])
def test_a_document_is_a_head_and_a_unit_a_message(name: str) -> None:
    raw = sample(name)
    document = json.loads(raw)
    messages = document.get("messages") or document["loglines"]
    found = units(raw)
    assert [unit.number for unit in found] == list(range(len(messages) + 1))
    assert [json.JSONDecoder().raw_decode(unit.raw.decode())[0] for unit in found[1:]] == messages


def test_damage_in_a_document_costs_only_the_message_it_stands_in() -> None:
    raw = sample("gemini.json")
    place = raw.index(b'"m-2"')
    assert problems(raw[:place] + b'"' + raw[place:]) == {3: "not JSON"}
    assert problems(raw[:place] + b'"\xff' + raw[place + 1 :]) == {3: "not UTF-8"}
    told = [
        [d.ref for d in drafts(one) if d.type == "prompt.submitted"] for one in (raw, raw[:place] + b'"' + raw[place:])
    ]
    assert len(told[0]) == 2
    assert told[0] == told[1]


def test_a_cut_document_is_read_up_to_the_cut() -> None:
    raw = sample("gemini.json")
    cut = raw[: raw.index(b'"Gladly."')]
    assert problems(cut) == {5: "not JSON", 6: "the document is cut"}
    assert b"".join(unit.raw for unit in units(cut)) == cut


def test_a_document_with_a_damaged_head_keeps_session_and_messages() -> None:
    raw = sample("gemini.json").replace(b'"projectHash"', b"projectHash", 1)
    found = units(raw, agent="gemini")
    assert [unit.problem for unit in found] == ["the head of the document is damaged", *[None] * 5]
    assert {draft.session for unit in found for draft in unit.drafts} == {"6e313131-0000-4000-8000-000000000001"}
