"""A policy that an installed package brings, from its declaration to a machine that lacks the package."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Process = Callable[..., subprocess.CompletedProcess[bytes]]

ACME = Path(__file__).resolve().parents[1] / "acme"
RANKED = (ACME / "src" / "acme_ledger" / "ranked.py").read_text()


@pytest.fixture
def ledger(process: Process) -> Process:
    assert process("init", "-q").returncode == 0
    return process


def install(folder: Path, package: str, code: str, name: str = "acme.ranked") -> str:
    """Install a package of one module, as an installer would; returns the folder."""
    module = package.replace("-", "_")
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text("")
    (folder / module / "ranked.py").write_text(code)
    told = folder / f"{module}-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(f"[ledger.policies]\n{name} = {module}.ranked\n")
    return str(folder)


@pytest.fixture
def acme(tmp_path: Path) -> str:
    """The folder in which the example package is installed."""
    project = tomllib.loads((ACME / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["ledger.policies"] == {"acme.ranked": "acme_ledger.ranked"}
    return install(tmp_path / "site", project["name"], RANKED)


def words(done: subprocess.CompletedProcess[bytes]) -> tuple[int, str]:
    return done.returncode, done.stderr.decode()


def test_a_declared_policy_of_a_package_takes_every_verb_and_is_verified(ledger: Process, acme: str) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return ledger(*arguments, PYTHONPATH=acme)

    assert run("policy", "set", "best/*", "acme.ranked").returncode == 0
    assert run("add", "best/tools", "ripgrep", "fd").returncode == 0
    assert run("add", "best/tools", "jq").returncode == 0
    assert run("set", "best/tools", "--json-value", '["fd", "jq", "ripgrep", "git"]').returncode == 0
    assert json.loads(run("get", "best/tools", "--json").stdout)["value"] == ["fd", "jq", "git", "ripgrep"]
    assert run("add", "best/tools", "jq").stderr == b"Nothing to write: it is so already.\n"
    code, told = words(run("remove", "best/tools", "jq"))
    assert (code, told.splitlines()[0]) == (4, "error: a ranking only grows")
    assert run("conflicts").returncode == 0
    assert run("verify", "--full").returncode == 0
    assert run("replay").returncode == 0
    assert run("undo").returncode == 0
    assert json.loads(run("get", "best/tools", "--json").stdout)["value"] == ["fd", "jq", "ripgrep"]
    assert run("verify").returncode == 0


MISSING = """\
error: the policy 'acme.ranked' is not installed here
  hint: install the package that brings policy 'acme.ranked'; reading, and writing other keys, works without it
"""


def test_without_the_package_all_is_read_other_keys_are_written_and_nothing_is_called_proven(
    ledger: Process, acme: str
) -> None:
    ledger("policy", "set", "best/*", "acme.ranked", PYTHONPATH=acme)
    ledger("add", "best/tools", "fd", PYTHONPATH=acme)

    assert ledger("get", "best/tools").stdout == b"- fd\n"
    assert ledger("log", "-n", "1").stdout.endswith(b"context.added best/tools: fd\n")
    assert ledger("set", "other", "x").returncode == 0
    assert words(ledger("add", "best/tools", "jq")) == (4, MISSING)
    assert words(ledger("set", "best/tools", "--json-value", "[]")) == (4, MISSING)
    assert words(ledger("policy", "set", "more/*", "acme.ranked")) == (4, MISSING)
    listed = ledger("policy", "list")
    assert b"acme.ranked" in listed.stdout
    assert listed.stderr.startswith(b"the policy 'acme.ranked' is not installed here: install the package")
    assert json.loads(ledger("policy", "--json").stdout)["absent"] == ["acme.ranked"]

    found = ledger("verify", "--full")
    assert (found.returncode, found.stdout.decode()) == (
        1,
        "unchecked  1 commit  not checked: the policy 'acme.ranked' is not installed here\n"
        "not proven: 5 commits, 5 events, 1 commit not checked\n",
    )
    document = json.loads(ledger("verify", "--json").stdout)
    assert document["ok"] is False
    assert [one["kind"] for one in document["problems"]] == ["unchecked"]
    assert words(ledger("replay")) == (4, MISSING)

    assert ledger("delete", "best/tools").returncode == 0
    assert ledger("verify", PYTHONPATH=acme).returncode == 0


def test_a_policy_is_used_where_it_is_declared_and_nowhere_else(ledger: Process, acme: str) -> None:
    assert words(ledger("add", "a", "x", "--policy", "acme.ranked", PYTHONPATH=acme)) == (
        4,
        "error: the policy 'acme.ranked' is not declared for 'a'\n"
        "  hint: declare it first: ledger policy set a acme.ranked\n",
    )
    ledger("policy", "set", "a", "acme.ranked", PYTHONPATH=acme)
    assert ledger("add", "a", "x", "--policy", "acme.ranked", PYTHONPATH=acme).returncode == 0
    code, told = words(ledger("incr", "a", PYTHONPATH=acme))
    assert (code, told.splitlines()[0]) == (4, "error: what stands at 'a' is no whole number")


BROKEN = {
    "drops what others add": (
        RANKED.replace("{*(cell.value or ()), *texts}", "texts or {*(cell.value or ())}"),
        "error: policy 'acme.ranked' breaks law 5: left ['b', 'aa'] or ['a'], for [], ['a'], ['b', 'aa']",
    ),
    "raises": (
        RANKED.replace("    texts = {", "    texts = {1 // len(write.fields)} and {"),
        "error: policy 'acme.ranked' breaks law 3: apply raises PolicyError: the policy 'acme.ranked' failed: "
        "ZeroDivisionError: ",
    ),
    "has no examples": (
        RANKED.replace('examples = [[], ["a"], ["b", "aa"], ["a", "b"]]', "examples = []"),
        "error: the policy 'acme.ranked' gives no examples to hold it to the laws by",
    ),
    "lacks a part": (RANKED.replace("def diff(", "def difference("), "error: the policy 'acme.ranked' lacks diff"),
    "has another name": (
        RANKED.replace('name = "acme.ranked"', 'name = "lww"'),
        "error: the policy 'acme.ranked' calls itself 'lww'",
    ),
    "cannot be imported": (
        "import nothing_of_that_name\n",
        "error: the policy 'acme.ranked' cannot be loaded: ModuleNotFoundError: No module named 'nothing_of_that_name'",
    ),
}


@pytest.mark.parametrize(("code", "told"), BROKEN.values(), ids=BROKEN)
def test_a_policy_that_cannot_be_relied_on_is_not_declared(
    ledger: Process, tmp_path: Path, code: str, told: str
) -> None:
    site = install(tmp_path / "site", "acme-ledger", code)
    exit_code, said = words(ledger("policy", "set", "best/*", "acme.ranked", PYTHONPATH=site))
    assert exit_code == 4
    assert said.startswith(told)
    assert "acme-ledger 1.0" in said.splitlines()[-1]
    event = json.dumps({"type": "policy.set", "data": {"pattern": "best/*", "policy": "acme.ranked"}})
    assert words(ledger("record", stdin=event.encode(), PYTHONPATH=site)) == (4, said)
    assert ledger("policy", "list").stdout == b""


def test_two_packages_with_one_name_are_named_and_neither_is_used(ledger: Process, tmp_path: Path) -> None:
    site = install(tmp_path / "site", "acme-ledger", RANKED)
    install(tmp_path / "other", "other-ledger", RANKED)
    shutil.copytree(tmp_path / "other", site, dirs_exist_ok=True)
    assert words(ledger("policy", "set", "a", "acme.ranked", PYTHONPATH=site)) == (
        4,
        "error: the policy 'acme.ranked' comes with several packages: acme-ledger 1.0, other-ledger 1.0\n"
        "  hint: uninstall all but one of them\n",
    )


def test_a_package_cannot_take_the_name_of_a_policy_of_ours(ledger: Process, tmp_path: Path) -> None:
    site = install(tmp_path / "site", "acme-ledger", "raise SystemExit(9)\n", name="lww")
    assert ledger("set", "a", "x", "--policy", "lww", PYTHONPATH=site).returncode == 0
    code, told = words(ledger("policy", "set", "a", "longest", PYTHONPATH=site))
    assert (code, told.splitlines()[0]) == (4, "error: no such policy")
