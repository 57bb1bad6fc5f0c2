"""A checkpoint, and the restoring of one, killed or refused by the disk at any call that changes something.

No checkpoint names a working tree that is not whole, each file is old or new, what was there before is saved, and the
same command does the rest. The short form tries some calls, the slow one every call.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.strace import MARK, SYNCS, WRITES, Point, points, tracing

from ledger.actions.checkpoint import checkpoint, find_checkpoint, list_checkpoints
from ledger.actions.put_back import put_back, saved_in
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.storage.nesting import LINK, RUNNABLE

CALLS = (*WRITES, *SYNCS, "symlink", "symlinkat", "rmdir")
Files = dict[str, tuple[bytes, bytes]]

PROGRAM = f"""
import os, sys
from pathlib import Path
from tests.test_checkpoint_killed import OPERATIONS
from ledger.actions import append, checkpoint, put_back, working_tree
from ledger.core.redaction import default_redactor
default_redactor()
{MARK}
OPERATIONS[sys.argv[2]](Path(sys.argv[1]), sys.argv[3])
os._exit(0)
"""


class Template(NamedTuple):
    """A project with a ledger: a copy of it, where it lies, its first checkpoint, and its files then and now."""

    copy: Path
    project: Path
    first: str
    then: Files
    now: Files


def run_checkpoint(project: Path, _: str) -> None:
    with open_ledger(project / ".git" / "ledger") as ledger:
        print(checkpoint(ledger.place, ledger.person().author, "by hand", project).event, flush=True)


def run_restore(project: Path, first: str) -> None:
    with open_ledger(project / ".git" / "ledger") as ledger:
        done = put_back(ledger.place, ledger.person().author, find_checkpoint(ledger.place, first))
        assert done.left == ()


OPERATIONS = {"checkpoint": run_checkpoint, "restore": run_restore}


def files_of(project: Path) -> Files:
    found: Files = {}
    for place, folders, names in os.walk(project):
        folders[:] = [name for name in folders if name != ".git"]
        for path in (Path(place, name) for name in (*names, *folders)):
            if path.is_symlink():
                found[str(path.relative_to(project))] = LINK, os.fsencode(path.readlink())
            elif path.is_file():
                mode = RUNNABLE if path.stat().st_mode & 0o100 else b"100644"
                found[str(path.relative_to(project))] = mode, path.read_bytes()
    return found


def files_in(ledger: Ledger, event: str) -> Files:
    assert ledger.place.payloads is not None
    store = ledger.place.payloads.store
    saved = saved_in(ledger.place, find_checkpoint(ledger.place, event))
    return {path.decode(): (entry.mode, store.read_object("blob", entry.oid)) for path, entry in saved.entries.items()}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Changed since its first checkpoint in every way there is."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("killed")
    project = folder / "project"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    for name in ("same", "changed", "deep/a/b", "deep/c", "run"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(f"{name}, as it was\n")
    (project / "link").symlink_to("same")
    create_ledger(project / ".git" / "ledger")[0].close()
    with open_ledger(project / ".git" / "ledger") as ledger:
        first = checkpoint(ledger.place, ledger.person().author, "by hand", project).event
    then = files_of(project)
    (project / "changed").write_text("another\n")
    shutil.rmtree(project / "deep")
    (project / "deep").write_text("a file now\n")
    (project / "run").chmod(0o755)
    (project / "link").unlink()
    (project / "link").mkdir()
    (project / "link" / "inside").write_text("a folder now\n")
    (project / "new" / "er").mkdir(parents=True)
    (project / "new" / "er" / "file").write_text("new\n")
    shutil.copytree(project, folder / "copy", symlinks=True)
    return Template(folder / "copy", project, first, then, files_of(project))


def traced(template: Template, operation: str, *how: str) -> subprocess.CompletedProcess[str]:
    shutil.rmtree(template.project, ignore_errors=True)
    shutil.copytree(template.copy, template.project, symlinks=True)
    program = [sys.executable, "-c", PROGRAM, str(template.project), operation, template.first]
    run = [*tracing(template.copy.parent / "trace", CALLS), *how, *program]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(run, check=False, capture_output=True, text=True, timeout=120, env=environment)


def sweep(
    template: Template,
    operation: str,
    how: str,
    calls: tuple[str, ...] = CALLS,
    *,
    lasting: bool = False,
    most: int = 0,
) -> Iterator[str]:
    done = traced(template, operation)
    assert done.returncode == 0, done.stderr
    every = list(points(template.copy.parent / "trace", CALLS))
    for point in every[:: len(every) // most if most else 1]:
        done = traced(template, operation, *point.fault(how, lasting=lasting))
        require_whole(template, operation, done.stdout.split(), point)
        yield "killed" if done.returncode in (-signal.SIGKILL, 137) else "told" if done.returncode else "done"


def require_whole(template: Template, operation: str, acknowledged: list[str], point: Point) -> None:
    after = files_of(template.project)
    with open_ledger(template.project / ".git" / "ledger") as ledger:
        assert verify(ledger.place, full=True).problems == (), point
        saved = {one.event: files_in(ledger, one.event) for one in list_checkpoints(ledger.place)}
    assert {*acknowledged, template.first} <= saved.keys(), point
    if operation == "checkpoint":
        assert after == template.now, point
    else:
        require_old_or_new(template, after, point)
        assert after == template.now or template.now in saved.values(), point
    OPERATIONS[operation](template.project, template.first)
    assert files_of(template.project) == (template.now if operation == "checkpoint" else template.then), point


def require_old_or_new(template: Template, after: Files, point: Point) -> None:
    for path, file in after.items():
        assert file in (template.then.get(path), template.now.get(path)) or ".ledger-restore-" in path, (point, path)
    for path in template.then.keys() & template.now.keys():
        assert path in after, (point, path)


every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS))


@every_operation
def test_after_a_kill_nothing_is_half_and_the_same_again_does_the_rest(template: Template, operation: str) -> None:
    ends = Counter(sweep(template, operation, "signal=KILL", most=3))
    assert ends["killed"] > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
@every_operation
def test_that_holds_at_every_call(template: Template, operation: str) -> None:
    ends = Counter(sweep(template, operation, "signal=KILL"))
    print(f"{operation}: {ends}")
    assert ends["killed"] > 10


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", ["ENOSPC", "EIO"])
@every_operation
def test_where_the_disk_refuses_from_some_call_on_the_user_is_told(
    template: Template, operation: str, fault: str
) -> None:
    ends = Counter(sweep(template, operation, f"error={fault}", lasting=True))
    print(f"{operation}, {fault}: {ends}")
    assert ends["done"] < ends["told"]
