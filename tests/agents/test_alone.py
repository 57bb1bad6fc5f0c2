"""The agents without a ledger: that the scripted model leads them, before anything is said of what is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.agents import codex, opencode
from tests.agents.agent import Agent, kill
from tests.agents.conftest import Sit
from tests.agents.script import Await, Delegate, Edit, Later, Refuse, Script, Shell, Step, Write, say

WORK: list[Step] = [
    Shell("echo hello > hello.txt"),
    Write("notes.txt", "first line\nsecond line\n"),
    Edit("notes.txt", "first line", "first line edited"),
    Shell("ls /nonexistent"),
    say("Done, ", "all ", "of it."),
]


def test_a_session_does_what_the_script_says(agent: Agent, project: Path, sit: Sit) -> None:
    seat, model = sit(agent, project, {"Please do the task": WORK, "Once more": [say("Again.")]})
    first = seat.run("Please do the task")
    assert first.code == 0, first
    assert "Done, all of it." in first.out
    assert (project / "hello.txt").read_text() == "hello\n"
    assert (project / "notes.txt").read_text() == "first line edited\nsecond line\n"
    second = seat.run("Once more", resume="")
    assert second.code == 0, second
    assert model.left() == {}
    assert model.asked("Once more")[0].says("Please do the task", "user"), "the session was not resumed"


def test_a_failing_model_ends_the_run(agent: Agent, project: Path, sit: Sit) -> None:
    seat, model = sit(agent, project, {"It will fail": [Refuse(400)]})
    assert seat.run("It will fail").code == 1
    assert model.left() == {}


def test_a_killed_session_is_resumed(agent: Agent, project: Path, sit: Sit) -> None:
    script: Script = {
        "First": [Shell("echo one > one.txt"), Later(60, say("Never."))],
        "Second": [say("Here.")],
    }
    seat, model = sit(agent, project, script)
    process = seat.start("First")
    model.wait("First", 2)
    kill(process)
    assert seat.run("Second", resume="").code == 0
    assert model.asked("Second")[0].says("First", "user")


SUBAGENTS: dict[str, Script] = {
    codex.NAME: {"Parent": [Delegate("A part"), Await(), say("Parent done.")]},
    opencode.NAME: {"Parent": [Delegate("A part"), say("Parent done.")]},
}


@pytest.mark.parametrize("agent", [codex, opencode], ids=lambda agent: agent.NAME)
def test_a_subagent_has_steps_of_its_own(agent: Agent, project: Path, sit: Sit) -> None:
    script: Script = {**SUBAGENTS[agent.NAME], "A part": [Shell("echo child > child.txt"), say("Child done.")]}
    seat, model = sit(agent, project, script)
    assert seat.run("Parent").code == 0
    assert (project / "child.txt").read_text() == "child\n"
    assert model.left() == {}
