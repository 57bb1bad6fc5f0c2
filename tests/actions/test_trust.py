"""Codex's trust: asked and given through its own program, for our hooks alone, and taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.actions.doctor import Check, examine
from ledger.actions.install import Where, agent_named, carry_out, equip, plan, target_of
from ledger.actions.registered import registered
from ledger.actions.trust import BY_HAND, config_target, give_trust, trust_of, untrusted
from ledger.actions.uninstall import plan_removal, plan_undoing, take_out
from ledger.api import create_ledger, open_ledger
from ledger.recording.payloads.dialects import DIALECTS
from ledger.storage.layout import Layout

AGENTS = os.environ.get("LEDGER_AGENTS")

# What Codex answers, as it was observed: hooks by place and digest, and what its user trusts, in config.toml.
STAND_IN = """\
#!{python}
import hashlib, json, os, pathlib, re, sys
home = pathlib.Path(os.environ.get("CODEX_HOME") or pathlib.Path(os.environ["HOME"], ".codex"))
config = home / "config.toml"
def snake(name): return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
def project(here):
    pointer = here / ".git"  # a linked worktree's names a folder in the main one's .git/worktrees
    return pathlib.Path(pointer.read_text().split()[1]).parents[2] if pointer.is_file() else here
def hooks():
    text = config.read_text() if config.exists() else ""
    here = pathlib.Path.cwd()
    for path in (project(here) / ".codex/hooks.json", home / "hooks.json"):
        if not path.exists() or not (path.parent == home or (here / ".codex").is_dir()): continue
        for event, groups in json.loads(path.read_text())["hooks"].items():
            for g, group in enumerate(groups):
                for i, hook in enumerate(group["hooks"]):
                    key = f"{{path}}:{{snake(event)}}:{{g}}:{{i}}"
                    digest = "sha256:" + hashlib.sha256(json.dumps(hook).encode()).hexdigest()
                    known = f'[hooks.state."{{key}}"]' in text and digest in text
                    yield {{"key": key, "command": hook["command"], "currentHash": digest, "enabled": True,
                           "trustStatus": "trusted" if known else "untrusted"}}
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] == "initialize": result = {{}}
    elif asked["method"] == "hooks/list": result = {{"data": [{{"cwd": "", "hooks": list(hooks())}}]}}
    elif asked["method"] == "config/batchWrite":
        result = {{"status": "ok"}}
        with config.open("a") as file:
            for key, state in asked["params"]["edits"][0]["value"].items():
                file.write(f'\\n[hooks.state."{{key}}"]\\ntrusted_hash = "{{state["trusted_hash"]}}"\\n')
    else: continue
    print(json.dumps({{"method": "some/notification"}}))
    print(json.dumps({{"id": asked["id"], "result": result}}), flush=True)
"""
THEIRS = '{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"true"}]}]}}'


@pytest.fixture
def where(home: Path) -> Where:
    """A git project with a ledger, whose user trusts its folder."""
    project = home / "project"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    create_ledger(project / ".git/ledger")[0].close()
    (home / ".codex").mkdir()
    (home / ".codex/config.toml").write_text(f'[projects."{project}"]\ntrust_level = "trusted"\n')
    return Where(Layout(project / ".git/ledger"), project, home, {"PATH": os.environ["PATH"]})


@pytest.fixture
def program(where: Where) -> Callable[[str], Where]:
    """Puts a program called codex on PATH."""

    def put(text: str) -> Where:
        folder = where.home / "bin"
        folder.mkdir()
        (folder / "codex").write_text(text)
        (folder / "codex").chmod(0o755)
        return where._replace(environment={"PATH": f"{folder}:{os.environ['PATH']}"})

    return put


@pytest.fixture(params=["stand-in", "real"])
def codex(request: pytest.FixtureRequest, where: Where, program: Callable[[str], Where]) -> Where:
    """Codex on PATH: one that answers as it does, or itself, where LEDGER_AGENTS names a folder that has it."""
    if request.param == "stand-in":
        return program(STAND_IN.format(python=sys.executable))
    if not AGENTS or not (Path(AGENTS) / "node_modules/.bin/codex").exists():
        pytest.skip("LEDGER_AGENTS names no folder with Codex")
    return where._replace(environment={"PATH": f"{AGENTS}/node_modules/.bin:{os.environ['PATH']}"})


def install(where: Where) -> None:
    equip(where.layout)
    carry_out(where, plan(where, target_of(where, agent_named("codex"), "shared")))


def test_what_is_installed_is_trusted_and_nothing_else_is(codex: Where) -> None:
    path = codex.project / ".codex/hooks.json"
    path.parent.mkdir()
    path.write_text(THEIRS)
    install(codex)
    ours = len(DIALECTS["codex"].HOOKS)
    before = trust_of(codex)
    assert (len(before.hooks), before.is_given) == (ours, False)
    assert give_trust(codex).is_given
    assert trust_of(codex).is_given
    text = config_target(codex).path.read_text()
    assert text.count("trusted_hash") == ours
    assert f'{path}:stop:0:0"' not in text


def test_a_hook_put_in_before_ours_takes_the_trust_away_and_that_is_seen(codex: Where) -> None:
    install(codex)
    give_trust(codex)
    path = codex.project / ".codex/hooks.json"
    path.write_text(
        path.read_text().replace('"Stop": [', '"Stop": [{"hooks": [{"type": "command", "command": "true"}]},', 1)
    )
    assert [hook.key.split(":")[1] for hook in trust_of(codex).hooks if not hook.is_trusted] == ["stop"]
    assert give_trust(codex).is_given


def test_taking_hooks_out_takes_the_trust_in_them_back(codex: Where) -> None:
    config = config_target(codex).path
    before = config.read_bytes()
    install(codex)
    give_trust(codex)
    for removal in plan_removal(codex, "codex"):
        take_out(codex, removal)
    assert config.read_bytes() == before
    assert not (codex.project / ".codex").exists()


def test_undoing_leaves_codexs_own_settings_to_the_byte(codex: Where) -> None:
    config = config_target(codex).path
    before = config.read_bytes()
    install(codex)
    give_trust(codex)
    for removal in plan_undoing(codex).removals:
        take_out(codex, removal)
    assert config.read_bytes() == before


def test_undoing_takes_out_only_our_trust_where_the_settings_changed_since(codex: Where) -> None:
    config = config_target(codex).path
    before = config.read_text()
    install(codex)
    give_trust(codex)
    theirs = '\n[hooks.state."/elsewhere/hooks.json:stop:0:0"]\ntrusted_hash = "sha256:1"\n'
    config.write_text(config.read_text() + theirs)
    for removal in plan_undoing(codex).removals:
        take_out(codex, removal)
    left = config.read_text()
    assert left.startswith(before)
    assert left.endswith(theirs)
    assert left.count("trusted_hash") == 1


def test_giving_trust_twice_writes_nothing(codex: Where) -> None:
    install(codex)
    give_trust(codex)
    before = config_target(codex).path.read_bytes()
    assert give_trust(codex).is_given
    assert config_target(codex).path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#!/bin/sh\nexit 1\n", "codex"),
        ("#!/bin/sh\necho not JSON\ncat >/dev/null\n", "codex gave no JSON"),
        (
            '#!/bin/sh\nread l\necho \'{"id": 1, "error": {"message": "too old"}}\'\n',
            "codex refused initialize: too old",
        ),
    ],
)
def test_a_program_that_does_not_answer_is_told_of(program: Callable[[str], Where], text: str, why: str) -> None:
    trust = trust_of(program(text))
    assert not trust.is_given
    assert trust.unknown.startswith(why)


def test_without_the_program_it_is_told_how_to_trust_by_hand(where: Where) -> None:
    nowhere = where._replace(environment={"PATH": ""})
    assert trust_of(nowhere).unknown == give_trust(nowhere).unknown == "codex is not on PATH"
    assert "/hooks" in BY_HAND


def test_lines_of_others_stay_in_the_settings() -> None:
    text = 'a = 1\n[hooks.state."k"]\ntrusted_hash = "x"\n\n[hooks.state."k2"]\ntrusted_hash = "y"\n[b]\n'
    assert untrusted(text, ["k"]) == 'a = 1\n[hooks.state."k2"]\ntrusted_hash = "y"\n[b]\n'


def trust_check(where: Where) -> Check:
    with open_ledger(where.layout.root) as ledger:
        (found,) = (one for one in examine(ledger.place, where) if one.name == "codex trust")
    return found


def test_doctor_tells_of_hooks_that_are_not_trusted_and_of_a_folder_that_is_not(codex: Where) -> None:
    install(codex)
    ours = len(DIALECTS["codex"].HOOKS)
    assert trust_check(codex) == (
        "codex trust",
        False,
        f"{ours} of {ours} hooks are not trusted, and are not run",
        "ledger up",
    )
    give_trust(codex)
    assert trust_check(codex) == ("codex trust", True, f"{ours} hooks are trusted", "")


@pytest.fixture
def linked(codex: Where) -> Where:
    """A linked worktree of the same project."""
    subprocess.run(["git", "-C", str(codex.project), "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    folder = codex.home / "linked"
    subprocess.run(["git", "-C", str(codex.project), "worktree", "add", "-q", str(folder)], check=True)
    return codex._replace(project=folder)


def test_in_a_linked_worktree_hooks_go_where_codex_looks_for_them(codex: Where, linked: Where) -> None:
    install(linked)
    assert give_trust(linked).is_given
    assert {hook.key.partition(":")[0] for hook in trust_of(linked).hooks} == {f"{codex.project}/.codex/hooks.json"}
    assert not any((linked.project / ".codex").iterdir())
    assert trust_of(codex).is_given


def test_a_linked_worktree_without_the_folder_is_told_as_the_reason(codex: Where, linked: Where) -> None:
    install(codex)
    give_trust(codex)
    why = f"{linked.project}/.codex is missing"
    assert trust_check(linked) == ("codex trust", False, f"codex reads no hooks in this worktree: {why}", "ledger up")
    (one,) = (one for one in registered(linked) if one.state == "installed")
    assert one.wrong == (f"codex does not look into it here: {why}",)
    install(linked)
    assert trust_check(linked).ok
    assert [one.wrong for one in registered(linked) if one.state == "installed"] == [()]


def test_undoing_takes_the_folder_of_a_linked_worktree_too(codex: Where, linked: Where) -> None:
    install(linked)
    for removal in plan_undoing(codex).removals:
        take_out(codex, removal)
    assert not (linked.project / ".codex").exists()
    assert not (codex.project / ".codex").exists()
    assert not codex.layout.installed.exists()


def test_a_folder_that_a_linked_worktree_has_filled_since_stays_with_what_is_in_it(codex: Where, linked: Where) -> None:
    install(linked)
    text = (codex.project / ".codex/hooks.json").read_text()
    (linked.project / ".codex/hooks.json").write_text(text)
    for removal in plan_undoing(codex).removals:
        take_out(codex, removal)
    assert (linked.project / ".codex/hooks.json").read_text() == text
    assert not codex.layout.installed.exists()


def test_doctor_says_what_to_do_where_codex_cannot_be_asked(where: Where) -> None:
    install(where)
    nowhere = where._replace(environment={"PATH": ""})
    assert trust_check(nowhere) == ("codex trust", False, "cannot be asked: codex is not on PATH", BY_HAND)
