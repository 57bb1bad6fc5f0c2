"""The jobs for hosted git judge what was pushed: sound history passes, unsound history fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ledger.api import create_ledger
from ledger.storage.layout import MAIN

HOSTED = Path(__file__).resolve().parent.parent / "docs" / "hosted"


def steps(name: str) -> list[str]:
    """The shell lines of a job, without what installs the program."""
    told: Any = yaml.safe_load((HOSTED / name).read_text())
    job = told["jobs"]["judge"]["steps"] if "jobs" in told else told["judge"]["script"]
    lines = [step if isinstance(step, str) else step.get("run", "") for step in job]
    return [line for line in lines if line and not line.startswith("pip ")]


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
@pytest.mark.parametrize("is_forged", [False, True])
def test_a_job_judges_what_was_pushed(tmp_path: Path, name: str, is_forged: bool) -> None:
    with create_ledger(tmp_path / "ledger")[0] as ledger:
        ledger.session("agent", "one").set("plan", "one")
        git_dir = ledger.layout.git_dir
    folder = tmp_path / "work" / ("pushed" if name == "github.yml" else "")
    subprocess.run(["git", "clone", "-q", "-b", "main", str(git_dir), str(folder)], check=True)
    if is_forged:
        (folder / "context" / "plan.yaml").write_text("value: forged\n")
        subprocess.run(["git", "-C", folder, "commit", "-q", "-a", "-m", "forged"], check=True)
    head = subprocess.run(["git", "-C", folder, "rev-parse", MAIN], capture_output=True, text=True, check=True)
    # As their runners leave it: GitHub's checkout is on the branch, GitLab's on the commit.
    if name == "gitlab.yml":
        subprocess.run(["git", "-C", folder, "checkout", "-q", "--detach"], check=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    seen = os.environ | {"PATH": path, "CI_COMMIT_SHA": head.stdout.strip()}
    work = tmp_path / "work"
    ran = [subprocess.run(["sh", "-ec", line], cwd=work, env=seen, check=False).returncode for line in steps(name)]
    assert any(ran) is is_forged
