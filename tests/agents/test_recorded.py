"""Real agents beside a ledger: what the script led to is recorded once, and what others wrote reaches the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.agents import codex, gemini, opencode
from tests.agents.agent import Agent, kill
from tests.agents.conftest import ALL, Ledger, Scripted, Sit, git, worktree
from tests.agents.facts import Fact, as_move, expected, recorded, sessions
from tests.agents.script import Await, Delegate, Edit, Later, Refuse, Script, Shell, Write, say

# In whose name an agent hands injected text to the model.
VOICES = {codex.NAME: "developer", gemini.NAME: "user", opencode.NAME: None}


def a_session(name: str) -> Script:
    """A session's two prompts; `name` keeps its calls apart from other sessions' calls."""
    return {
        f"Begin with {name}": [
            Shell(f"echo {name} > hello.txt"),
            Write("notes.txt", f"a line of {name}\nsecond line\n"),
            Edit("notes.txt", f"a line of {name}", f"another line of {name}"),
            Shell(f"ls /nonexistent-{name}"),
            # Gemini CLI hands to its hooks every piece but the first a second time.
            say(f"{name}: done, ", "with all of it, ", "and nothing is left over."),
        ],
        f"Go on with {name}": [Shell(f"echo {name} again"), say(f"{name}: again.")],
    }


def test_a_whole_session_is_recorded_once(agent: Agent, project: Path, ledger: Ledger, sit: Sit) -> None:
    script = a_session("one")
    seat, model = sit(agent, project, script)
    ledger.install(agent)
    assert ledger.faults() == []
    assert seat.run("Begin with one").code == 0
    assert seat.run("Go on with one", resume="").code == 0
    assert model.left() == {}

    log = ledger.log()
    assert recorded(log, script) == expected(script, list(script))
    assert [data["agent"] for data in sessions(log).values()] == [agent.NAME], "one session, resumed"
    assert_failed(agent, log, "ls /nonexistent-one")
    assert ledger.faults() == []


def test_a_failing_model_leaves_a_prompt_and_no_answer(agent: Agent, project: Path, ledger: Ledger, sit: Sit) -> None:
    script: Script = {"It will fail": [Refuse(400)], "Go on": [say("Here.")]}
    seat, model = sit(agent, project, script)
    ledger.install(agent)
    assert seat.run("It will fail").code == 1
    assert seat.run("Go on", resume="").code == 0
    assert model.left() == {}

    log = ledger.log()
    assert recorded(log, script) == expected(script, list(script))
    failed = [event for event in log if event["type"] == "turn.ended" and event["data"].get("reason") == "error"]
    # Gemini CLI tells nobody of it, the others do.
    assert len(failed) == (agent is not gemini)


def test_what_others_wrote_reaches_the_model(agent: Agent, project: Path, ledger: Ledger, sit: Sit) -> None:
    script: Script = {"First": [say("One.")], "Second": [say("Two.")], "Third": [say("Three.")]}
    seat, model = sit(agent, project, script)
    ledger.install(agent)
    ledger.run("set", "auth/decision", "device-flow-7f3a")
    assert seat.run("First").code == 0
    ledger.run("set", "api/limit", "limit-5150")
    assert seat.run("Second", resume="").code == 0
    assert seat.run("Third", resume="").code == 0

    first, second, third = model.asked("First")[0], model.asked("Second")[0], model.asked("Third")[0]
    assert first.says("device-flow-7f3a", VOICES[agent.NAME])
    assert not first.says("limit-5150")
    assert second.says("limit-5150", VOICES[agent.NAME])
    # What Gemini CLI resumes is without what hooks added to it.
    assert third.times("limit-5150") <= second.times("limit-5150"), "nothing changed, yet it was told again"
    log = ledger.log()
    assert recorded(log, script) == expected(script, list(script)), "what was injected is no part of the prompt"
    read = [event["data"] for event in log if event["type"] == "context.read"]
    assert any("auth/decision" in json.dumps(data) for data in read)


@pytest.mark.parametrize("agent", [codex, opencode], ids=lambda agent: agent.NAME)
def test_a_subagent_is_recorded_as_one(agent: Agent, project: Path, ledger: Ledger, sit: Sit) -> None:
    wait = [Await()] if agent is codex else []
    script: Script = {
        "Parent": [Delegate("A part"), *wait, say("Parent done.")],
        "A part": [Shell("echo child > child.txt"), say("Child done.")],
    }
    seat, model = sit(agent, project, script)
    ledger.install(agent)
    assert seat.run("Parent").code == 0
    assert model.left() == {}

    log = ledger.log()
    by = {event["data"]["text"]: event["data"]["by"] for event in log if event["type"] == "prompt.submitted"}
    assert by == {"Parent": "user", "A part": "subagent"}
    calls = [fact for fact in recorded(log, script).elements() if fact.kind == "tool"]
    assert calls.count(Fact("tool", "echo child > child.txt")) == 1
    if agent is opencode:
        # A subagent is a session of its own there.
        parent, child = sessions(log).values()
        assert child["parent"] == parent["key"]
    else:
        assert [event["type"] for event in log if event["type"].startswith("subagent.")] == [
            "subagent.started",
            "subagent.ended",
        ]


@pytest.mark.parametrize("killed", ALL, ids=lambda agent: agent.NAME)
def test_three_agents_at_once_and_one_is_killed(killed: Agent, project: Path, ledger: Ledger, sit: Sit) -> None:
    seats = {agent: seated(agent, project, sit) for agent in ALL}
    shared_out(project, ledger)
    running = {agent: one.seat.start(f"Begin with {agent.NAME}") for agent, one in seats.items()}
    seats[killed].model.wait(f"Begin with {killed.NAME}", 3)
    kill(running.pop(killed))
    for agent, process in running.items():
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (agent.NAME, out, err)
    for agent, one in seats.items():
        assert one.seat.run(f"Go on with {agent.NAME}", resume="").code == 0

    log = ledger.log()
    started = sessions(log)
    assert sorted(data["agent"] for data in started.values()) == sorted(agent.NAME for agent in seats)
    everything: Script = {prompt: steps for one in seats.values() for prompt, steps in one.model.script.items()}
    for session, data in started.items():
        own = next(agent for agent in seats if data["agent"] == agent.NAME)
        events = [event for event in log if event["session"] == session]
        assert recorded(events, everything) == wanted(seats[own].model.script, was_killed=own is killed)
    assert ledger.faults() == []


def seated(agent: Agent, project: Path, sit: Sit) -> Scripted:
    """An agent in a worktree of its own; the third step thinks long enough to be killed in."""
    begin, go_on = (script := a_session(agent.NAME))
    first, second, third, *rest = script[begin]
    slowly: Script = {begin: [first, second, Later(3, as_move(third)), *rest], go_on: script[go_on]}
    return sit(agent, worktree(project, f"work-{agent.NAME}"), slowly)


def shared_out(project: Path, ledger: Ledger) -> None:
    """The hooks, installed in the project and committed, as each worktree has them then.

    Codex reads them from the main worktree, if the one it is in has a folder `.codex` at all.
    """
    for agent in ALL:
        ledger.install(agent)
    git(project, "add", ".codex", ".gemini", ".opencode")
    git(project, "commit", "--quiet", "--message", "hooks")
    for agent in ALL:
        git(project.parent / f"work-{agent.NAME}", "merge", "--quiet", "--ff-only", "main")


def wanted(script: Script, *, was_killed: bool) -> Any:
    begin, go_on = script
    before = expected(script, [begin], until=2 if was_killed else None)
    return before + expected(script, [go_on])


def assert_failed(agent: Agent, log: list[dict[str, Any]], command: str) -> None:
    """A command that failed is told as failed; of Codex, whose hooks give no exit code, its transcript adds that."""
    found = [one["type"] for one in log if command in json.dumps(one["data"].get("input", ""))]
    assert sorted(found) == (["tool.completed", "tool.failed"] if agent is codex else ["tool.failed"])
