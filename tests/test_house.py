"""The house keeps its own rules: hermetic tests, floors, packages, pages and the commands that check them."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.resources
import importlib.util
import json
import os
import pkgutil
import re
import re._parser as sre_parser  # type: ignore[import-not-found]
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pygit2
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ledger
from ledger import errors

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("schemas", "hooks")
UNTRACKED = (".git", ".venv", ".hypothesis", "*_cache", "__pycache__", "dist", "build")
BIN = Path(sys.executable).parent

Run = subprocess.CompletedProcess[str]


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> Run:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


# The guard


def test_the_home_is_an_empty_one_of_this_test(home: Path) -> None:
    assert Path.home() == home
    assert os.environ["HOME"] == str(home)
    assert all(Path(os.environ[name]).parent == home for name in os.environ if name.startswith("XDG_"))
    assert list(Path.cwd().iterdir()) == []


def test_git_reads_no_configuration_but_the_tests_own(home: Path) -> None:
    origins = run("git", "config", "--list", "--show-origin").stdout.split()[::2]
    assert set(origins) == {f"file:{home}/.gitconfig"}


def test_libgit2_reads_no_configuration_but_the_tests_own(home: Path) -> None:
    with (home / ".gitconfig").open("a") as config:
        config.write(f"[probe]\n\thome = {home}\n")
    repository = pygit2.init_repository(home / "repository")
    assert repository.config["probe.home"] == str(home)
    assert repository.config["user.email"] == "test@example.invalid"


def test_no_variable_of_git_agents_or_the_ledger_reaches_a_test() -> None:
    leaking = ("GIT_", "LEDGER_", "CLAUDE", "CODEX", "GEMINI")
    kept = {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"}
    assert {name for name in os.environ if name.startswith(leaking)} == kept


def test_files_are_made_with_the_usual_mask(home: Path) -> None:
    (home / "file").touch()
    assert (home / "file").stat().st_mode & 0o777 == 0o644


def test_the_guard_holds_in_a_hostile_environment(tmp_path: Path) -> None:
    """The tests above pass where every variable leads astray and the mask is odd."""
    (tmp_path / ".gitconfig").write_text("[probe]\n\tleak = true\n")
    astray = dict.fromkeys(
        ("HOME", "XDG_CONFIG_HOME", "GIT_DIR", "GIT_WORK_TREE", "LEDGER_DIR", "CLAUDE_PROJECT_DIR"),
        str(tmp_path),
    )
    config = {
        "GIT_CONFIG_GLOBAL": str(tmp_path / ".gitconfig"),
        "GIT_CONFIG_COUNT": "0",
        "LEDGER_SESSION": "x",
    }
    chosen = "one_of_this_test or tests_own or reaches_a_test or usual_mask"
    command = f"umask 077; exec {sys.executable} -m pytest -q {ROOT}/tests/test_house.py -k '{chosen}'"
    result = run("sh", "-c", command, cwd=ROOT, env=os.environ | astray | config)
    assert "5 passed" in result.stdout, result.stdout


# The floors


@pytest.fixture
def lint_floors(tmp_path: Path) -> Callable[[], Run]:
    """Checks the floors of a copy of the package, in `tmp_path`."""
    pytest.importorskip("importlinter")
    shutil.copytree(
        ROOT / "src" / "ledger", tmp_path / "ledger", ignore=shutil.ignore_patterns(*SHIPPED, "__pycache__")
    )
    command = (BIN / "lint-imports", "--no-cache", "--config", ROOT / ".importlinter")
    return lambda: run(*command, cwd=tmp_path)


def test_the_package_keeps_its_floors(lint_floors: Callable[[], Run]) -> None:
    assert lint_floors().returncode == 0


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("drawer.py", "", "Every module imports downwards only"),
        ("storage/upwards.py", "import ledger.actions", "Every module imports downwards only"),
        ("storage/sideways.py", "import ledger.recording", "Every module imports downwards only"),
        ("actions/git.py", "import pygit2", "Only storage speaks with git"),
        ("core/watch.py", "import time", "The core does no I/O and knows neither time nor chance"),
        ("core/dice.py", "import random", "The core does no I/O and knows neither time nor chance"),
    ],
)
def test_a_module_off_its_floor_is_found(
    lint_floors: Callable[[], Run], tmp_path: Path, module: str, line: str, contract: str
) -> None:
    (tmp_path / "ledger" / module).write_text(line)
    result = lint_floors()
    assert result.returncode == 1
    assert f"{contract} BROKEN" in " ".join(result.stdout.split())


# The packages


def patterns_in(value: object) -> Iterator[re.Pattern[Any]]:
    """Every compiled pattern in a value of a module: by itself, in a container, or in a record."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, set, frozenset)):
        for part in value:
            yield from patterns_in(part)
    elif isinstance(value, dict):
        yield from patterns_in(list(value.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from patterns_in([getattr(value, field.name) for field in dataclasses.fields(value)])


def repeats_a_group_possessively(pattern: re.Pattern[Any]) -> bool:
    """Whether `++`, `*+`, `?+` or `{m,n}+` stands behind more than one character or class."""
    single = {"LITERAL", "NOT_LITERAL", "ANY", "IN"}

    def search(parsed: Any) -> bool:
        if isinstance(parsed, (tuple, list)) or hasattr(parsed, "data"):
            parts = list(parsed)
            if len(parts) == 2 and str(parts[0]) == "POSSESSIVE_REPEAT":
                repeated = list(parts[1][2])
                if len(repeated) != 1 or str(repeated[0][0]) not in single:
                    return True
            return any(search(part) for part in parts)
        return False

    return search(sre_parser.parse(pattern.pattern, pattern.flags))


def test_no_pattern_repeats_a_group_possessively() -> None:
    # Python before 3.11.5, Debian's among them, may miss a match there (CPython issue 106052): a secret went by.
    assert repeats_a_group_possessively(re.compile(r"(?:ab|c)++"))
    assert not repeats_a_group_possessively(re.compile(r"(?>(?:ab|c)*)[x-z]++"))
    found: dict[str, int] = {}
    for module in pkgutil.walk_packages(ledger.__path__, "ledger."):
        if module.name.endswith("__main__") or module.name.startswith("ledger.hooks"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            for pattern in patterns_in(value):
                found[f"{module.name}.{name}"] = found.get(f"{module.name}.{name}", 0) + 1
                assert not repeats_a_group_possessively(pattern), f"{module.name}.{name}: {pattern.pattern}"
    assert sum(found.values()) > 300


def files_under(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def shipped_files() -> dict[str, bytes]:
    return {
        f"ledger/{name}/{path}": content
        for name in SHIPPED
        for path, content in files_under(ROOT / name).items()
        if "__pycache__" not in path
    }


def wheel_files(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            yield member.filename, archive.read(member)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source distribution, and one wheel each from it and from the checkout."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    target = tmp_path_factory.mktemp("built")
    # From a copy: one that nobody edits between the two builds.
    source = shutil.copytree(ROOT, target / "source", symlinks=True, ignore=shutil.ignore_patterns(*UNTRACKED))
    build = (sys.executable, "-m", "build", "--no-isolation", source, "--outdir")
    for arguments in ((target / "sdist",), (target / "checkout", "--wheel")):
        result = run(*build, *arguments, cwd=target)
        assert result.returncode == 0, result.stdout + result.stderr
    return {
        "sdist": next((target / "sdist").glob("*.tar.gz")),
        "wheel of sdist": next((target / "sdist").glob("*.whl")),
        "wheel of checkout": next((target / "checkout").glob("*.whl")),
    }


@pytest.mark.parametrize("wheel", ["wheel of sdist", "wheel of checkout"])
def test_a_wheel_holds_schemas_and_hooks_once_and_whole(built: dict[str, Path], wheel: str) -> None:
    members = list(wheel_files(built[wheel]))
    shipped = [(name, content) for name, content in members if name.split("/")[1] in SHIPPED]
    assert sorted(shipped) == sorted(shipped_files().items())
    assert len(dict(members)) == len(members)


def test_both_wheels_hold_the_same(built: dict[str, Path]) -> None:
    assert sorted(wheel_files(built["wheel of sdist"])) == sorted(wheel_files(built["wheel of checkout"]))


def test_the_source_distribution_holds_schemas_and_hooks_once(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        members = [name.partition("/")[2] for name in archive.getnames()]
    expected = [path.removeprefix("ledger/") for path in shipped_files()]
    shipped = (m for m in members if {"schemas", "hooks"} & set(m.split("/")[:-1]) and not m.startswith("tests/"))
    assert sorted(shipped) == sorted(expected)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_installed_package_finds_its_folders(name: str) -> None:
    with importlib.resources.as_file(importlib.resources.files("ledger") / name) as folder:
        assert files_under(folder) == files_under(ROOT / name)


def requirements() -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    yield from map(Requirement, [*project["dependencies"], *extras["test"], *extras["dev"]])


def test_constraints_pin_every_requirement_within_its_range() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    assert [str(r) for r in requirements() if pins[canonicalize_name(r.name)] not in r.specifier] == []


# The commands


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Run]:
    """`make test` with a stand-in for python3 that answers its first question as told."""

    def call(script: str) -> Run:
        python = tmp_path / "python3"
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        return run("make", "-C", ROOT, f"VENV={tmp_path / 'venv'}", f"PYTHON={python}", "test", env=env)

    return call


def test_make_refuses_an_old_python_and_names_a_way_out(make: Callable[[str], Run], tmp_path: Path) -> None:
    result = make("exit 1")
    assert "older than 3.11; choose another: make PYTHON=python3.12" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_make_says_what_to_install_where_python_lacks_venv(make: Callable[[str], Run], tmp_path: Path) -> None:
    result = make('case "$2" in *version_info*) exit 0;; *) exit 1;; esac')
    assert "apt install python3-venv" in result.stderr
    assert not (tmp_path / "venv").exists()


def floor_verdict(tmp_path: Path, covered: dict[str, int]) -> Run:
    """The verdict on modules of 100 lines each, so many of them covered."""
    files = {
        path: {"summary": {"num_statements": 100, "covered_lines": n}, "missing_lines": [*range(n, 100)]}
        for path, n in covered.items()
    }
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps({"files": files}))
    return run(sys.executable, ROOT / "tools" / "coverage_floor.py", report)


def test_one_module_below_the_floor_is_named_whatever_the_average(tmp_path: Path) -> None:
    result = floor_verdict(tmp_path, {"good.py": 100, "edge.py": 85, "weak.py": 84})
    assert result.returncode == 1
    assert "84.0 %  weak.py  lines 84-99\n" in result.stdout
    assert "good.py" not in result.stdout
    assert "edge.py" not in result.stdout


def test_modules_at_the_floor_pass(tmp_path: Path) -> None:
    assert floor_verdict(tmp_path, {"good.py": 100, "edge.py": 85}).returncode == 0


def test_a_report_that_measured_nothing_does_not_pass(tmp_path: Path) -> None:
    assert floor_verdict(tmp_path, {}).returncode == 1


def test_lines_run_in_a_child_process_count_as_covered(tmp_path: Path) -> None:
    """The settings of the project measure a module that only a child process runs, whatever its folder."""
    (tmp_path / "probe.py").write_text("import ledger.errors\n")
    (tmp_path / "test_probe.py").write_text(
        "import subprocess, sys\n"
        "def test_probe(tmp_path):\n"
        f"    subprocess.run([sys.executable, {str(tmp_path / 'probe.py')!r}], cwd=tmp_path, check=True)\n"
    )
    config = f"--rcfile={ROOT / 'pyproject.toml'}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    inner = ("-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, tmp_path)
    # Only the module in question is reported: to report all takes a minute on a slow disk.
    report = ("--include=*/ledger/errors.py", "-o", tmp_path / "report.json")
    for command in (("run", config, *inner), ("combine", config), ("json", config, *report)):
        result = run(sys.executable, "-m", "coverage", *command, cwd=tmp_path, env=env)
        assert result.returncode == 0, result.stdout + result.stderr
    files = json.loads((tmp_path / "report.json").read_text())["files"]
    assert any(path.endswith("ledger/errors.py") and f["executed_lines"] for path, f in files.items())


# The pages


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "hooks").glob("*.md")]


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Every relative link of a page: the file that it leads to, and the heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target:
            path, _, heading = target.partition("#")
            yield ((page.parent / path).resolve() if path else page), heading


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def reachable(start: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page not in seen:
            seen.add(page)
            waiting += [path for path, _ in links(page) if path.exists()]
    return seen


def test_every_link_leads_to_a_page_and_a_heading() -> None:
    broken = [
        f"{page.relative_to(ROOT)} -> {path.name}#{heading}"
        for page in pages()
        for path, heading in links(page)
        if not path.exists() or (heading and heading not in headings(path))
    ]
    assert broken == []


def test_every_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    fragments = {p for p in (ROOT / "docs" / "changes").glob("*.md") if p.name != "README.md"}
    assert set((ROOT / "docs").rglob("*.md")) - fragments - reachable(ROOT / "README.md") == set()


def test_every_change_to_come_says_its_kind_and_one_sentence() -> None:
    kinds = "Added|Changed|Deprecated|Removed|Fixed|Security"
    first_lines = {
        page.name: page.read_text().splitlines()[0]
        for page in (ROOT / "docs" / "changes").glob("*.md")
        if page.name != "README.md"
    }
    assert {n: line for n, line in first_lines.items() if not re.fullmatch(rf"({kinds}): \S.*\.", line)} == {}


def error_classes(base: type[errors.LedgerError] = errors.LedgerError) -> Iterable[type[errors.LedgerError]]:
    for subclass in base.__subclasses__():
        yield subclass
        yield from error_classes(subclass)


def test_the_page_of_exit_codes_names_every_error_at_its_code() -> None:
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text()
    rows = re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|", page, re.MULTILINE)
    documented = {name: int(code) for code, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert documented == {c.__name__: c.exit_code for c in error_classes() if c.__module__ == errors.__name__}


def test_a_hint_names_no_command_that_there_is_not() -> None:
    from ledger.cli.app import COMMANDS

    named = {
        (str(path.relative_to(ROOT)), command)
        for path in (ROOT / "src" / "ledger").rglob("*.py")
        for command in re.findall(r"(?:`|run: )ledger ([a-z][a-z-]*)", path.read_text())
    }
    assert named
    assert {(path, command) for path, command in named if command not in COMMANDS} == set()


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of every command line of ours that a page shows, in a span of code or on a line of its own."""
    shown = re.findall(r"`(ledger(?: [^`]+)?)`", text) + re.findall(r"^(?:\$ )?(ledger .+)$", text, re.MULTILINE)
    for line in shown:
        yield line.partition(" #")[0].partition("; ")[0].split()[1:]


def unknown_in(words: list[str]) -> str:
    """What of a command line there is not: its command, its part, or an option; empty where all is known."""
    from ledger.cli import app

    if not words or words == ["--version"]:
        return ""
    if words[0] not in app.COMMANDS:
        return words[0]
    command = app.load(words[0])
    parts = getattr(command, "commands", {})
    known = {option for each in (command, parts.get((*words, "", "")[1])) if each for option in options_of(each)}
    if parts and words[1:] and not words[1].startswith("-") and words[1] not in parts:
        return words[1]
    return next((word for word in words[1:] if word.startswith("-") and word not in known), "")


def options_of(command: Any) -> set[str]:
    return {option for param in command.params for option in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("gc --report --json", ""),
        ("lease acquire PATH --wait 10m", ""),
        ("checkpoint create --no-worktree", ""),
        ("gone", "gone"),
        ("lease take PATH", "take"),
        ("gc --reprot", "--reprot"),
    ],
)
def test_a_command_line_that_there_is_not_is_found(line: str, unknown: str) -> None:
    assert unknown_in(line.split()) == unknown


def test_the_guide_for_troubles_names_only_what_there_is() -> None:
    named = list(commands_in((ROOT / "docs" / "troubleshooting.md").read_text()))
    assert len(named) > 40
    assert [(words, unknown_in(words)) for words in named if unknown_in(words)] == []


# One line each of a person and of an agent: the least that an import can bring in.
TRANSCRIPT = """\
{"type":"user","uuid":"9a4d1c1e-0001-4000-8000-000000000001","parentUuid":null,"isSidechain":false,\
"sessionId":"9a4d1c1e-0000-4000-8000-000000000000","cwd":"/project","version":"2.1.0",\
"timestamp":"2026-11-20T10:00:00.000Z","message":{"role":"user","content":"Which flow?"}}
{"type":"assistant","uuid":"9a4d1c1e-0002-4000-8000-000000000002",\
"parentUuid":"9a4d1c1e-0001-4000-8000-000000000001","isSidechain":false,\
"sessionId":"9a4d1c1e-0000-4000-8000-000000000000","cwd":"/project","version":"2.1.0",\
"timestamp":"2026-11-20T10:00:05.000Z","message":{"id":"msg_1","type":"message","role":"assistant",\
"model":"claude","content":[{"type":"text","text":"The device flow."}],"stop_reason":"end_turn",\
"usage":{"input_tokens":10,"output_tokens":5}}}
"""


@pytest.mark.skipif(importlib.util.find_spec("ledger.cli.main") is None, reason="the command line is not built yet")
def test_the_quick_start_of_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "session.jsonl").write_text(TRANSCRIPT)
    pygit2.init_repository(tmp_path)
    script = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert script is not None
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    result = run("sh", "-eux", "-c", script[1], cwd=tmp_path, env=env)
    assert result.returncode == 0, result.stderr
    assert "Use device flow" in result.stdout


def test_the_sessions_of_the_readme_run_as_they_stand(tmp_path: Path) -> None:
    pygit2.init_repository(tmp_path)
    (tmp_path / "Makefile").write_text("migrate:\n\t@echo migrated\n")
    page = re.search(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert page is not None
    lines = [line[2:].partition("#")[0].strip() for line in page[1].splitlines()]
    # A watcher ends when it is told to, and `timeout` then answers 124.
    lines[lines.index("ledger watch")] = "timeout -s INT 3 ledger watch || test $? = 124"
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    result = run("sh", "-eux", "-c", "\n".join(["ledger init", *lines]), cwd=tmp_path, env=env)
    assert result.returncode == 0, result.stderr
    assert "migrated" in result.stdout
    assert "claude" in result.stdout
