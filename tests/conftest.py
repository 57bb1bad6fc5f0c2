"""What every test stands on: an empty home of its own, real inputs, and Hypothesis's profiles."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from pygit2.enums import ConfigLevel

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = os.environ.get("LEDGER_FIXTURES")

# What may change our behaviour, or an agent's: a test that wants one sets it itself.
SCRUBBED = ("GIT_", "LEDGER_", "XDG_", "CLAUDE", "CODEX", "GEMINI")

GIT_IDENTITY = "[user]\n\tname = Test\n\temail = test@example.invalid\n[init]\n\tdefaultBranch = main\n"


def _register_profiles() -> None:
    # A deadline measures the machine, not the code.
    settings.register_profile(
        "default",
        deadline=None,
        database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "examples"),
    )
    settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True, database=None)
    settings.register_profile(
        "thorough",
        settings.get_profile("default"),
        max_examples=2_000,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


_register_profiles()

# Started in the background of a shell, the suite would ignore it, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh home, git configuration, working folder and umask; the real ones are out of reach."""
    folder = tmp_path_factory.mktemp("home")
    _scrub(monkeypatch)
    _point_at(folder, monkeypatch)
    monkeypatch.chdir(_made(folder / "cwd"))
    umask = os.umask(0o022)
    yield folder
    os.umask(umask)


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """The folder of real transcripts and payloads that LEDGER_FIXTURES names; skips without one."""
    if not FIXTURES:
        pytest.skip("LEDGER_FIXTURES names no folder of real inputs")
    return (ROOT / FIXTURES).resolve(strict=True)


def _scrub(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(SCRUBBED)]:
        monkeypatch.delenv(name)


def _point_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gitconfig = folder / ".gitconfig"
    gitconfig.write_text(GIT_IDENTITY)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(gitconfig))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for kind in ("CACHE_HOME", "CONFIG_HOME", "DATA_HOME", "RUNTIME_DIR", "STATE_HOME"):
        monkeypatch.setenv(f"XDG_{kind}", str(_made(folder / kind.lower())))
    # libgit2 reads the environment once, when it is loaded, so it is told apart.
    search = pygit2.settings.search_path
    search[ConfigLevel.GLOBAL] = str(folder)
    search[ConfigLevel.XDG] = str(folder / "config_home" / "git")
    search[ConfigLevel.SYSTEM] = str(folder / "no-system-configuration")


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder
