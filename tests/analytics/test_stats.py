"""Stats: every figure is what a plain count of the same thing gives, on real transcripts and on a known history."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.analytics import plain

from ledger.actions.append import Draft
from ledger.actions.import_transcripts import import_transcripts
from ledger.analytics.engine import GROUPS, Scope
from ledger.analytics.metric import metrics, views
from ledger.analytics.stats import stats
from ledger.api import Ledger, create_ledger, memory_ledger
from ledger.core.clock import micros, stamp

START = micros("2026-11-20T10:00:00.000000Z")
MINUTE = 60_000_000


def counted(ledger: Ledger, **scope: Any) -> dict[str, Any]:
    by = scope.pop("by", None)
    return stats(ledger.place, Scope(now=ledger.place.now(), **scope), by)


def call(number: int, *, failed: bool = False, took: float | None = None, tool: str = "Bash") -> Draft:
    data: dict[str, Any] = {"tool": tool, "call": f"c{number}", "input": {"command": f"make {number}"}}
    data |= {} if took is None else {"duration_ms": took}
    return Draft("tool.failed" if failed else "tool.completed", data, stamp(START + number * MINUTE))


def used(number: int, model: str = "claude-opus-4-5", **tokens: int) -> Draft:
    ref = f"usage:msg_{number:024d}"
    data = {"message": f"msg_{number:024d}", "model": model, "input": 0, "output": 0} | tokens
    return Draft("usage.reported", data, stamp(START + number * MINUTE), {"source": "transcript", "ref": ref})


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """Two sessions: one of ten calls and three messages, one that repeats a message of the first."""
    with memory_ledger() as made:
        me = made.session("claude-code", "one")
        me.start()
        me.record([call(number, failed=number in (3, 7), took=number * 10.0) for number in range(1, 11)])
        me.record([call(11, tool="Read")])
        me.record([used(1, input=1_000_000), used(2, output=1_000_000, cache_read=10), used(3, "other-1", input=7)])
        me.record([Draft("session.ended", {"reason": "done"})])
        me.publish()
        fork = made.session("codex", "two")
        fork.start()
        fork.record([used(1, input=1_000_000), used(4, "gpt-5.5", input=100, output=10)])
        fork.publish()
        yield made


def test_calls_are_counted_with_what_failed_and_how_long_they_took(ledger: Ledger) -> None:
    tools = counted(ledger)["tools"]
    assert (tools["calls"], tools["failed"], tools["failure_rate"]) == (11, 2, 2 / 11)
    # Ten were timed, 10 to 100 ms: by the nearest rank the fifth and the tenth.
    assert (tools["timed"], tools["p50_us"], tools["p95_us"], tools["duration_us"]) == (10, 50_000, 100_000, 550_000)
    bash, read = tools["by_tool"]
    assert (bash["tool"], bash["calls"], bash["failed"], bash["p50_us"]) == ("Bash", 10, 2, 50_000)
    assert (read["tool"], read["calls"], read["timed"], read["p50_us"]) == ("Read", 1, 0, None)
    assert [row["duration_us"] for row in tools["slowest"]] == [n * 10_000 for n in range(10, 0, -1)]
    assert tools["slowest"][0]["brief"] == "make 10"


def test_tokens_are_counted_once_in_a_fork_too_and_priced_by_the_table(ledger: Ledger) -> None:
    told = counted(ledger)
    tokens, cost = told["tokens"], told["cost"]
    assert (tokens["messages"], tokens["input"], tokens["output"], tokens["cache_read"]) == (
        4,
        1_000_107,
        1_000_010,
        10,
    )
    # Opus 4.5: $5 a million read, $25 written, $0.50 from a cache; GPT-5.5: $5 and $30.
    assert cost["usd"] == pytest.approx(5 + 25 + 10 * 0.5e-6 + 100 * 5e-6 + 10 * 30e-6)
    assert cost["unpriced"] == 7
    assert {row["model"]: row["usd"] for row in tokens["by_model"]}["other-1"] is None
    assert cost["prices"]["as_of"] >= "2026-07-24"


def test_sessions_are_told_with_how_they_stand(ledger: Ledger) -> None:
    sessions = counted(ledger)["sessions"]
    assert (sessions["total"], sessions["ended"], sessions["open"], sessions["crashed"]) == (3, 1, 2, 0)
    assert {row["agent"]: row["total"] for row in sessions["by_agent"]} == {"claude-code": 1, "codex": 1, "person": 1}


def test_what_happened_outside_of_the_time_asked_for_is_not_counted(ledger: Ledger) -> None:
    told = counted(ledger, since=START + 2 * MINUTE, until=START + 4 * MINUTE)
    assert (told["tools"]["calls"], told["tools"]["failed"], told["tokens"]["messages"]) == (3, 1, 3)
    assert told["since"] == START + 2 * MINUTE
    nothing = counted(ledger, until=START - MINUTE)
    assert (nothing["events"], nothing["tools"], nothing["by_type"]) == (0, {}, {})


@pytest.mark.parametrize("by", GROUPS)
def test_the_groups_add_up_to_the_whole(ledger: Ledger, by: str) -> None:
    told = counted(ledger, by=by)
    assert told["by"] == by
    assert sum(group["events"] for group in told["groups"]) == told["events"]
    for section, field in (("tools", "calls"), ("tools", "failed"), ("tokens", "input"), ("cost", "unpriced")):
        assert sum(group[section].get(field, 0) for group in told["groups"]) == told[section][field]


def test_what_agents_say_it_cost_is_told_beside(ledger: Ledger) -> None:
    me = ledger.session("claude-code", "three")
    me.record([Draft("usage.reported", {"message": "m", "model": "x", "input": 1, "output": 1, "cost": 0.25})])
    assert counted(ledger)["cost"]["told_usd"] == 0.25


def test_context_is_told_by_what_is_used_again() -> None:
    with memory_ledger() as made:
        writer, reader = made.session("agent", "writer"), made.session("agent", "reader")
        for key in ("a", "b", "c", "d"):
            writer.set(key, "the same" if key in "cd" else key)
        writer.delete("d")
        writer.set("b", "newer")
        read = Draft("context.read", {"keys": ["a", "b"], "at": "prompt"})
        for _ in range(2):
            reader.record([read])
            reader.publish()
        writer.set("b", "newest")
        reader.record([read])
        reader.publish()
        context = counted(made)["context"]
    assert (context["keys"], context["writes"]) == (3, 7)
    # a and b were handed to another session than their writer; b was written anew since the last but one was handed.
    assert (context["reused"], context["reuse_rate"]) == (2 - 0, 2 / 3)
    assert (context["handed"], context["repeated"]) == (6, 3)
    assert context["efficiency"] == 0.5
    assert context["stale"] == 0


def test_crashes_and_recoveries_are_paired() -> None:
    with memory_ledger() as made:
        me = made.session("agent", "one")
        me.start()
        me.record(
            [
                Draft("session.crashed", {"reason": "gone", "evidence": {"layer": "process"}}),
                Draft("session.recovered", {"events_replayed": 12, "lost": 0}),
                Draft("session.crashed", {"reason": "gone"}),
            ]
        )
        me.publish()
        recovery = counted(made)["recovery"]
    assert (recovery["crashes"], recovery["recovered"], recovery["success_rate"]) == (2, 1, 0.5)
    assert (recovery["replayed"], recovery["lost"]) == (12, 0)
    assert {row["layer"]: row["crashes"] for row in recovery["by_layer"]} == {"process": 1, "": 1}


def test_the_work_is_told_by_hour_and_weekday_of_the_zone(ledger: Ledger) -> None:
    work = counted(ledger, since=START, until=START + 20 * MINUTE)["productivity"]
    assert [(row["hour"], row["calls"]) for row in work["by_hour"]] == [(10, 11)]
    assert [row["weekday"] for row in work["by_weekday"]] == [4]  # a Friday
    later = counted(ledger, since=START, until=START + 20 * MINUTE, zone=14 * 60 * MINUTE)["productivity"]
    assert [(row["hour"], row["calls"]) for row in later["by_hour"]] == [(0, 11)]
    assert [row["weekday"] for row in later["by_weekday"]] == [5]


def test_an_empty_ledger_has_figures_too() -> None:
    with memory_ledger() as made:
        told = counted(made, by="agent")
    assert told["events"] == 1
    assert told["tools"] == told["tokens"] == told["context"] == {}


PLAIN: dict[str, tuple[str, Callable[[Path], dict[str, int]]]] = {
    "claude-code": ("claude-code", plain.claude),
    "codex": ("codex", plain.codex),
    "gemini": ("gemini-cli", plain.gemini),
}
# A call in a form that no Codex has written for a year: the plain count does not know it.
EXPLAINED = {"jazzyalex-agent-sessions__large.jsonl": {"calls": 1}}


@pytest.mark.parametrize("agent", PLAIN)
def test_real_transcripts_agree_with_a_plain_count(agent: str, tmp_path: Path, fixtures_dir: Path) -> None:
    folder, count = PLAIN[agent]
    paths = sorted(path for path in (fixtures_dir / folder).iterdir() if path.suffix in (".json", ".jsonl"))
    assert paths
    for number, path in enumerate(paths):
        if path.name == "simonw-claude-code-transcripts__sample_session.json":
            continue  # of the web, not of Claude Code
        with create_ledger(tmp_path / str(number))[0] as ledger:
            import_transcripts(ledger.place, [path], agent)
            told = counted(ledger)
        expected = count(path) | EXPLAINED.get(path.name, {})
        ours = told["tokens"] | {"calls": 0, "failed": 0} | told["tools"]
        assert {name: ours.get(name, 0) for name in expected} == expected, path.name


# The files themselves


@pytest.mark.parametrize("metric", metrics(), ids=lambda metric: metric.name)
def test_a_metric_says_all_about_itself_and_names_its_group(metric: Any) -> None:
    assert metric.title
    assert metric.tells
    assert metric.formula
    assert metric.sources
    assert metric.unit
    assert "group_name" in metric.sql
    assert metric.sql.count(";") == metric.formula.count(";") + metric.unit.count(";") + metric.sources.count(";")


def test_every_file_is_listed() -> None:
    folder = Path(__file__).parents[2] / "src" / "ledger" / "analytics"
    assert sorted(path.stem for path in (folder / "metrics").glob("*.sql")) == sorted(m.name for m in metrics())
    assert sorted(path.stem for path in (folder / "views").glob("*.sql")) == sorted(view.name for view in views())


def test_the_page_of_metrics_is_written_from_them() -> None:
    root = Path(__file__).parents[2]
    page = runpy.run_path(str(root / "tools" / "metrics_page.py"))["page"]
    assert (root / "docs" / "reference" / "metrics.md").read_text() == page()
